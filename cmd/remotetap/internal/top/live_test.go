package top

import (
	"context"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/creack/pty"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// press gives a model keys, by their names; a single character is what it types.
func press(m *model, strokes ...string) (quits bool) {
	codes := map[string]tea.Key{
		"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "backspace": {Code: tea.KeyBackspace},
		"tab": {Code: tea.KeyTab}, "shift+tab": {Code: tea.KeyTab, Mod: tea.ModShift}, "space": {Code: tea.KeySpace, Text: " "},
		"up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown}, "pgup": {Code: tea.KeyPgUp}, "pgdown": {Code: tea.KeyPgDown},
		"home": {Code: tea.KeyHome}, "end": {Code: tea.KeyEnd},
		"ctrl+c": {Code: 'c', Mod: tea.ModCtrl}, "ctrl+u": {Code: 'u', Mod: tea.ModCtrl},
	}
	for _, stroke := range strokes {
		key, ok := codes[stroke]
		if !ok {
			key = tea.Key{Code: []rune(stroke)[0], Text: stroke}
		}
		_, command := m.Update(tea.KeyPressMsg(key))
		if command != nil {
			_, quits = command().(tea.QuitMsg)
		}
	}
	return quits
}

// aModel is the live table of what a feed has counted.
func aModel(f *feed) *model {
	m := &model{feed: f}
	m.order, m.state = byRate, f.state()
	m.Update(tea.WindowSizeMsg{Width: 120, Height: 30})
	return m
}

func TestPauseLosesNoCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(nil, 2*time.Second)
		m := aModel(f)
		receive := func(from, to int) {
			for _, b := range orderBatches(t, from, to) {
				require.NoError(t, f.batch(b))
			}
			time.Sleep(time.Second) //nolint:forbidigo // of fake time
			m.Update(refresh{})
		}
		receive(0, 10)
		assert.EqualValues(t, 70, m.items())
		press(m, "space")
		receive(10, 20)
		assert.EqualValues(t, 70, m.items(), "the screen stands still")
		assert.Contains(t, m.view(), "PAUSED for 1s, 70 more counted")
		press(m, "S", "w")
		assert.Contains(t, m.view(), "sorted by name", "and can be looked at from all sides")
		press(m, "space")
		assert.EqualValues(t, 140, m.items())
		receive(20, 30)
		assert.EqualValues(t, 210, m.items())
		press(m, "r")
		assert.Zero(t, m.items())
		receive(30, 40)
		assert.EqualValues(t, 70, m.items())
	})
}

func TestTheFilterIsTyped(t *testing.T) {
	f := newFeed(nil, time.Second)
	m := aModel(f)
	press(m, "/", "q", "ü", "space", "s", "backspace", "?")
	assert.Equal(t, "qü ?", m.filter, "keys mean themselves")
	assert.Contains(t, m.view(), "/qü ?")
	m.Update(tea.PasteMsg{Content: "POST /pay"})
	press(m, "enter")
	assert.Equal(t, "qü ?POST /pay", m.filter)
	assert.False(t, m.typing)
	m.Update(tea.PasteMsg{Content: "nothing is typed now"})
	press(m, "/", "ctrl+u", "backspace", "x", "enter")
	assert.Equal(t, "x", m.filter)
	press(m, "/", "esc")
	assert.Empty(t, m.filter)
	assert.True(t, press(m, "/", "ctrl+c"), "also while typing")
	press(m, "esc")
	assert.True(t, press(m, "q"))
}

func TestOneSignalIsScrolled(t *testing.T) {
	f := newFeed(nil, time.Second)
	var all []spanOf
	for i := range 100 {
		all = append(all, spanOf{service: "a", name: strings.Repeat("x", i)})
	}
	require.NoError(t, f.batch(spans(t, all...)))
	for _, b := range orderBatches(t, 0, 1) {
		require.NoError(t, f.batch(b))
	}
	m := aModel(f)
	press(m, "down", "end")
	assert.Zero(t, m.offset, "all signals are not scrolled")
	press(m, "tab")
	assert.Equal(t, tapclient.Traces, m.focus)
	assert.Contains(t, m.view(), "1 to 23 of 104 groups")
	press(m, "down", "pgdown", "up", "k", "j")
	assert.Contains(t, m.view(), "24 to 46 of 104 groups")
	press(m, "end", "down")
	assert.Contains(t, m.view(), "82 to 104 of 104 groups")
	press(m, "/", "P", "O", "S", "T", "enter")
	assert.Contains(t, m.view(), "1 matching of 104 groups", "what is left is seen")
	assert.Contains(t, m.view(), "POST /pay")
	press(m, "esc", "tab", "pgup")
	assert.Empty(t, m.filter)
	press(m, "home", "tab")
	assert.Equal(t, tapclient.Logs, m.focus)
	press(m, "shift+tab", "shift+tab")
	assert.Empty(t, m.focus)
	press(m, "shift+tab")
	assert.Equal(t, tapclient.Metrics, m.focus, "round and round")
}

// The live table with nothing to connect to: it says so, and leaves nothing behind.
func TestTheLiveTableWaitsForACollector(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nobody := listener.Addr().String()
	require.NoError(t, listener.Close())
	screen, keys := newPty(t)
	words := &strings.Builder{}
	a := app.New(app.System{In: keys, Out: keys, Err: words, Getenv: func(string) string { return "" }})
	require.True(t, a.Screen.IsTerminal)
	command := &cobra.Command{Use: "remotetap", SilenceErrors: true, SilenceUsage: true}
	command.AddCommand(Command(a))
	command.SetArgs([]string{"top", nobody, "--config", "/dev/null"})
	ended := make(chan error, 1)
	go func() { ended <- command.ExecuteContext(t.Context()) }()

	seen := make(chan bool, 1)
	go func() {
		defer close(seen)
		var all strings.Builder
		buffer := make([]byte, 4096)
		for {
			n, err := screen.Read(buffer)
			if err != nil {
				return
			}
			all.Write(buffer[:n])
			if strings.Contains(all.String(), "not connected to "+nobody) {
				select {
				case seen <- true:
				default:
				}
			}
		}
	}()
	select {
	case <-seen:
	case <-time.After(30 * time.Second):
		require.Fail(t, "the screen does not say that nobody is there")
	}
	_, err = io.WriteString(screen, "q")
	require.NoError(t, err)
	require.NoError(t, <-ended)
	assert.Contains(t, words.String(), "matched 0, received 0, dropped 0")
	require.NoError(t, keys.Close())
	for range seen {
		continue // until the reader has ended
	}
}

func newPty(t *testing.T) (screen, keys *os.File) {
	t.Helper()
	screen, keys, err := pty.Open()
	require.NoError(t, err)
	require.NoError(t, pty.Setsize(screen, &pty.Winsize{Cols: 120, Rows: 30}))
	t.Cleanup(func() { assert.NoError(t, screen.Close()) })
	return screen, keys
}

// A refusal that comes before the table is the command's error.
func TestWhatCannotBeDialledIsSaid(t *testing.T) {
	a := app.New(app.System{Out: io.Discard, Err: io.Discard, Getenv: func(string) string { return "" }})
	a.Screen.IsTerminal = true
	run := &top{app: a, order: byRate, interval: time.Second}
	err := run.live(context.Background(), []string{"ftp://x"}, tapclient.Selection{})
	require.Error(t, err)
	assert.Equal(t, app.CodeUsage, app.CodeOf(err))
}
