// Package app is what all commands of remotetap share: where they read and write, how they find the
// collectors, what they select, and what they say about losses.
package app

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
	"github.com/remotetap/remotetapprocessor/internal/format"
)

// System is what the command is given from outside.
type System struct {
	In      io.Reader
	Out     io.Writer // data
	Err     io.Writer // words
	Getenv  func(string) string
	Version string // of this build
}

// App is one run of the command. The methods that write may be called from any goroutine.
type App struct {
	// set at construction

	System
	// Screen is what Out is, Words what Err is.
	Screen, Words terminal.Terminal

	connection connectionFlags

	// guarded by mu

	mu     sync.Mutex
	status string // the line that is on the terminal and goes when words come
}

// New makes the App of one run.
func New(system System) *App {
	return &App{
		System: system,
		Screen: terminal.Of(system.Out, system.Getenv),
		Words:  terminal.Of(system.Err, system.Getenv),
	}
}

// Say writes a line of words to stderr, above the status line if there is one. What it says may come
// from a server: it is made harmless.
func (a *App) Say(text string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.clear()
	fmt.Fprintln(a.Err, terminal.Lines(fmt.Sprintf(text, args...))) //nolint:errcheck // words about words
	a.show()
}

// Status shows one line below everything else, in place of the one before; "" takes it away. It is
// for terminals: elsewhere it does nothing, so that logs do not fill with it.
func (a *App) Status(text string) {
	if !a.Words.IsTerminal {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if text == a.status {
		return
	}
	a.clear()
	a.status = text
	a.show()
}

// Print writes data to stdout. If both are the same terminal the status line steps aside. The error
// is that of the writer; a closed pipe ends the command quietly.
func (a *App) Print(data []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	aside := a.status != "" && a.Screen.IsTerminal
	if aside {
		a.clear()
	}
	_, err := a.Out.Write(data)
	if aside {
		a.show()
	}
	return err
}

// wipe takes the "^C" away that a terminal shows when it is pressed.
func (a *App) wipe() {
	if !a.Words.IsTerminal {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	io.WriteString(a.Err, "\r\x1b[2K") //nolint:errcheck // words about words
}

// clear takes the status line off the terminal. The caller holds mu.
func (a *App) clear() {
	if a.status != "" {
		io.WriteString(a.Err, "\r\x1b[2K") //nolint:errcheck // words about words
	}
}

// show puts it there, with room for the "^C" that terminals show, lest that wrap. The caller holds mu.
func (a *App) show() {
	if a.status != "" {
		io.WriteString(a.Err, terminal.Cut(format.Visible(a.status), a.Words.Width()-2)) //nolint:errcheck // words about words
	}
}

// Clock is the time of day in the local zone, as the columns have it.
func Clock(t time.Time) string { return t.Local().Format("15:04:05.000") }
