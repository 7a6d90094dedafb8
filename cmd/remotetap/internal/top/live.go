package top

import (
	"context"
	"os"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/term"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// refreshPeriod is how often the screen is drawn anew: often enough for the clock and the totals.
const refreshPeriod = 500 * time.Millisecond

// refresh has the screen drawn anew.
type refresh struct{}

// model is the live table as bubbletea runs it. Only bubbletea's goroutine touches it.
type model struct {
	feed *feed
	screen
}

// Init begins to draw.
func (m *model) Init() tea.Cmd { return nextRefresh() }

func nextRefresh() tea.Cmd {
	return tea.Tick(refreshPeriod, func(time.Time) tea.Msg { return refresh{} })
}

// Update takes note of what happens.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case refresh:
		m.take(m.feed.state())
		return m, nextRefresh()
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.PasteMsg:
		if m.typing {
			m.filter += msg.Content
		}
	case tea.KeyPressMsg:
		return m, m.press(msg)
	}
	return m, nil
}

// take shows a state, or keeps it for later if the screen is held still.
func (m *model) take(s *state) {
	if m.paused != nil {
		m.paused = s
	} else {
		m.state = s
	}
}

// View is the screen.
func (m *model) View() tea.View {
	view := tea.NewView(m.view())
	view.AltScreen = true
	return view
}

// press does what a key is for.
func (m *model) press(msg tea.KeyPressMsg) tea.Cmd {
	stroke := msg.String()
	switch {
	case stroke == "ctrl+c":
		return tea.Quit
	case stroke == "ctrl+z":
		return tea.Suspend
	case m.typing:
		m.edit(stroke, msg.Text)
	case m.help:
		m.help = false
	default:
		return m.command(stroke)
	}
	m.offset = min(m.offset, m.scrollable())
	return nil
}

// edit changes the filter.
func (m *model) edit(stroke, text string) {
	switch stroke {
	case "enter":
		m.typing = false
	case "esc":
		m.typing, m.filter = false, ""
	case "backspace":
		if runes := []rune(m.filter); len(runes) > 0 {
			m.filter = string(runes[:len(runes)-1])
		}
	case "ctrl+u":
		m.filter = ""
	default:
		m.filter += text
	}
}

// command does what a key is for while nothing is typed.
func (m *model) command(stroke string) tea.Cmd {
	switch stroke {
	case "q":
		return tea.Quit
	case "?", "h":
		m.help = true
	case "/":
		m.typing = true
	case "esc":
		m.filter, m.focus, m.offset = "", "", 0
	case "s":
		m.order = next(orders(), m.order, 1)
	case "S":
		m.order = next(orders(), m.order, -1)
	case "w":
		m.whole = !m.whole
	case "tab":
		m.turn(1)
	case "shift+tab":
		m.turn(-1)
	case "r":
		m.feed.restart()
		m.state, m.paused, m.offset = m.feed.state(), nil, 0
	case "space":
		m.hold()
	default:
		m.scroll(stroke)
	}
	return nil
}

// hold holds the screen still, or lets it go on.
func (m *model) hold() {
	if m.paused != nil {
		m.state, m.paused = m.paused, nil
	} else {
		m.paused = m.state
	}
}

// turn gives the next signal the screen, or all of them.
func (m *model) turn(step int) {
	all := []tapclient.Signal{""}
	for i := range m.sections {
		all = append(all, m.sections[i].signal)
	}
	m.focus, m.offset = next(all, m.focus, step), 0
}

// next is the one that comes so many places after another, round and round.
func next[T comparable](all []T, now T, step int) T {
	return all[(max(slices.Index(all, now), 0)+step+len(all))%len(all)]
}

// scroll moves through the groups of the signal that has the screen.
func (m *model) scroll(stroke string) {
	page := max(m.height-4-overhead, 1)
	switch stroke {
	case "up", "k":
		m.offset--
	case "down", "j":
		m.offset++
	case "pgup":
		m.offset -= page
	case "pgdown":
		m.offset += page
	case "home", "g":
		m.offset = 0
	case "end", "G":
		m.offset = m.scrollable()
	}
	m.offset = max(min(m.offset, m.scrollable()), 0)
}

// live shows the table until the user leaves, ctx is done or the selection has what it asks for.
func (t *top) live(ctx context.Context, endpoints []string, request tapclient.Selection) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	feed := newFeed(t.fields, t.interval)
	watcher := feed.watcher()
	watcher.Silent = true
	ready := make(chan struct{})
	watcher.Ready = func() { close(ready) }
	var totals tapclient.Totals
	var watchErr error
	over := make(chan struct{})
	go func() {
		defer close(over)
		totals, watchErr = t.app.Watch(ctx, endpoints, request, watcher)
	}()
	select {
	case <-ready: // a password was asked for, if one is needed: the terminal is ours
	case <-over:
		return watchErr
	}
	err := t.show(feed, over)
	cancel()
	<-over
	t.app.Say("%s", app.TotalsWords(totals))
	if watchErr != nil {
		return watchErr
	}
	return err
}

// show runs the screen until the user leaves, or the watch is over.
func (t *top) show(feed *feed, over <-chan struct{}) error {
	m := &model{feed: feed, screen: screen{
		appearance: appearance{order: t.order, paint: t.app.Screen},
		state:      feed.state(), query: t.criteria(), width: t.app.Screen.Width(),
	}}
	options := []tea.ProgramOption{
		tea.WithOutput(t.app.Out),
		tea.WithoutSignalHandler(), // the command has one
	}
	if in, ok := t.app.In.(*os.File); ok && term.IsTerminal(int(in.Fd())) {
		options = append(options, tea.WithInput(in))
	} else {
		options = append(options, tea.WithInput(nil)) // Ctrl-C is a signal then
	}
	program := tea.NewProgram(m, options...)
	shown := make(chan struct{})
	left := make(chan struct{})
	go func() {
		defer close(left)
		select {
		case <-over:
			program.Quit()
		case <-shown:
		}
	}()
	_, err := program.Run()
	close(shown)
	<-left
	return err
}
