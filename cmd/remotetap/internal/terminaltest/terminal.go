package terminaltest

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/creack/pty"
)

// patience is how long a screen may take to show what it shows in a moment.
const patience = 30 * time.Second

// Test is what is needed of a testing.TB.
type Test interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(f func())
}

// Terminal is a pseudo-terminal with a command in it. Its methods are for the test's goroutine.
type Terminal struct {
	// set at construction

	t       Test
	file    *os.File
	command *exec.Cmd
	over    chan struct{} // closed when the command has ended and all that it wrote is on the screen

	// guarded by mu

	mu      sync.Mutex
	screen  *screen
	changed chan struct{} // closed, and replaced, when the screen changes
}

// Start runs a command in a terminal of a size. It is killed when the test ends, if it still runs.
func Start(t Test, width, height int, command *exec.Cmd) *Terminal {
	t.Helper()
	file, err := pty.StartWithSize(command, size(width, height))
	if err != nil {
		t.Fatalf("no pseudo-terminal: %v", err)
	}
	term := &Terminal{
		t: t, file: file, command: command, over: make(chan struct{}),
		screen: newScreen(width, height), changed: make(chan struct{}),
	}
	go term.read()
	t.Cleanup(func() {
		_ = command.Process.Kill() // it has ended, as it should
		<-term.over
		_ = command.Wait()
		_ = file.Close()
	})
	return term
}

func size(width, height int) *pty.Winsize {
	return &pty.Winsize{Cols: uint16(width), Rows: uint16(height)}
}

// read puts on the screen what the command writes, until it ends.
func (t *Terminal) read() {
	defer close(t.over)
	buffer := make([]byte, 64<<10)
	for {
		n, err := t.file.Read(buffer)
		t.change(func() { t.screen.write(buffer[:n]) })
		if err != nil { // Linux says EIO when nobody has the terminal open any more
			return
		}
	}
}

func (t *Terminal) change(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f()
	close(t.changed)
	t.changed = make(chan struct{})
}

// look returns what the screen shows, and what tells of the next change.
func (t *Terminal) look() (string, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.screen.String(), t.changed
}

// Screen is what the screen shows now, without spaces at the ends of lines.
func (t *Terminal) Screen() string {
	text, _ := t.look()
	return text
}

// Await waits until the screen is as it should be, and returns it.
func (t *Terminal) Await(what string, is func(screen string) bool) string {
	t.t.Helper()
	late := time.After(patience)
	for {
		text, changed := t.look()
		if is(text) {
			return text
		}
		select {
		case <-changed:
		case <-t.over:
			if text, _ := t.look(); is(text) {
				return text
			}
			t.t.Fatalf("the command has ended, and its screen never showed %s:\n%s", what, t.Screen())
		case <-late:
			t.t.Fatalf("the screen does not show %s:\n%s", what, text)
		}
	}
}

// AwaitText waits until the screen has all of some texts on it, and returns it.
func (t *Terminal) AwaitText(texts ...string) string {
	t.t.Helper()
	return t.Await(strings.Join(texts, ", "), func(screen string) bool {
		for _, text := range texts {
			if !strings.Contains(screen, text) {
				return false
			}
		}
		return true
	})
}

// Press sends keys, as the bytes that a keyboard makes of them.
func (t *Terminal) Press(keys string) {
	t.t.Helper()
	if _, err := t.file.WriteString(keys); err != nil {
		t.t.Fatalf("the terminal takes no keys: %v", err)
	}
}

// Resize changes the window's size, and tells the command as a terminal does.
func (t *Terminal) Resize(width, height int) {
	t.t.Helper()
	t.change(func() { t.screen.resize(width, height) })
	if err := pty.Setsize(t.file, size(width, height)); err != nil {
		t.t.Fatalf("the terminal has no other size: %v", err)
	}
}

// Wait waits until the command has ended, and returns its exit code.
func (t *Terminal) Wait() int {
	t.t.Helper()
	select {
	case <-t.over:
	case <-time.After(patience):
		t.t.Fatalf("the command does not end:\n%s", t.Screen())
	}
	err := t.command.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.t.Fatalf("the command failed: %v", err)
	}
	return t.command.ProcessState.ExitCode()
}
