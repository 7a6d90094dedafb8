package top

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
	"github.com/remotetap/remotetapprocessor/internal/format"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// screen is what the live table shows, and how. Drawing it has no effects.
type screen struct {
	appearance
	*state
	width, height int
	// query is what is selected.
	query string
	// focus is the signal that has the screen for itself; "" for all.
	focus tapclient.Signal
	// offset is how many rows of it are above the screen.
	offset int
	// typing says that the filter is being typed.
	typing bool
	// paused is what goes on meanwhile; nil if nothing is paused.
	paused *state
	help   bool
}

// view is the screen as text: at most height lines, at most width columns wide.
func (s *screen) view() string {
	var lines []string
	if s.help {
		lines = helpLines()
	} else {
		lines = append(s.heading(), s.body(s.height-4)...)
	}
	if room := max(s.height-1, 0); len(lines) > room {
		lines = lines[:room]
	} else {
		lines = append(lines, make([]string, room-len(lines))...)
	}
	if s.height > 0 {
		lines = append(lines, s.keys())
	}
	for i, line := range lines {
		lines[i] = terminal.Cut(line, s.width)
	}
	return strings.Join(lines, "\n")
}

// heading is what is watched, how it is shown, and what is missing.
func (s *screen) heading() []string {
	first := s.paint.Paint(terminal.Bold, "remotetap top") + "  " + format.Visible(s.connections)
	if s.query != "" {
		first += "  " + s.paint.Paint(terminal.Faint, format.Visible(s.query))
	}
	return []string{first, s.mode(), s.losses()}
}

// mode says what the figures are about.
func (s *screen) mode() string {
	running := terminal.Elapsed(s.now.Sub(s.since))
	parts := []string{"last " + s.snapshot.window.Round(100*time.Millisecond).String(), "running " + running, "sorted by " + string(s.order)}
	if s.whole {
		parts = []string{"since " + s.since.Format("15:04:05"), running, "sorted by " + string(s.order)}
	}
	if s.filter != "" && !s.typing {
		parts = append(parts, "only "+s.paint.Paint(terminal.Cyan, format.Visible(s.filter)))
	}
	if s.paused != nil {
		parts = append(parts, s.paint.Paint(terminal.Yellow, fmt.Sprintf("PAUSED for %s, %s more counted",
			terminal.Elapsed(s.paused.now.Sub(s.now)), app.Number(s.paused.items()-s.items()))))
	}
	return strings.Join(parts, " · ")
}

// losses says what is missing, always: also that nothing is.
func (s *screen) losses() string {
	latest := s.state
	if s.paused != nil {
		latest = s.paused
	}
	switch text := lossLine(latest.totals); {
	case text != "":
		return s.paint.Paint(terminal.Yellow, text)
	case len(latest.hints) > 0:
		return s.paint.Paint(terminal.Yellow, "Nothing has matched so far. "+format.Visible(strings.Join(latest.hints, " ")))
	default:
		return s.paint.Paint(terminal.Faint, fmt.Sprintf("Nothing is lost: %s of %s items matched, and are counted.",
			app.Number(latest.totals.Ledger.Matched), app.Number(latest.totals.Ledger.Seen)))
	}
}

// body is the tables, in so many lines.
func (s *screen) body(height int) []string {
	shown := s.shown()
	var tables []table
	switch len(shown) {
	case 0:
		return []string{"", "Waiting for telemetry that matches."}
	case 1:
		tables = append(tables, s.scrolled(shown[0], max(height-overhead, 1)))
	default:
		for i, rows := range divide(shown, height) {
			if rows > 0 {
				tables = append(tables, s.beginning(shown[i], rows))
			}
		}
	}
	width := 0 // of the widest: so the numbers of all are below each other
	for _, t := range tables {
		width = max(width, wanted(t.columns))
	}
	var lines []string
	for _, t := range tables {
		fitted := fit(t.columns, min(width, s.width))
		lines = append(lines, "", t.title, fitted.header(s.paint))
		for i := range t.rows {
			lines = append(lines, fitted.line(s.paint, i))
		}
	}
	return lines
}

// shown are the sections on the screen.
func (s *screen) shown() []*counted {
	var shown []*counted
	for i := range s.sections {
		if s.focus == "" || s.focus == s.sections[i].signal {
			shown = append(shown, &s.sections[i])
		}
	}
	return shown
}

// overhead is the lines of a table besides its rows: a blank one, the title, the header.
const overhead = 3

// divide shares lines among sections: none gets more rows than it has, and those that do not fit at
// all, from the last, get none.
func divide(sections []*counted, lines int) []int {
	rows := make([]int, len(sections))
	fit := min(len(sections), max(lines/(overhead+1), 1))
	left := lines - fit*overhead
	var order []int
	for i := range fit {
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int { return sections[a].height() - sections[b].height() })
	for n, i := range order {
		rows[i] = max(min(sections[i].height(), left/(fit-n)), 0)
		left -= rows[i]
	}
	return rows
}

// height is how many rows a section has.
func (c *counted) height() int {
	if c.other != nil {
		return len(c.rows) + 1
	}
	return len(c.rows)
}

// table is some rows of a section, with what stands above them.
type table struct {
	title   string
	columns []column
	rows    int
}

// beginning is the first rows of a section.
func (s *screen) beginning(c *counted, rows int) table {
	all := arrange(c.rows, s.order, s.whole, s.filter)
	return s.table(c, all, 0, rows, func(_, last int) string {
		if last < len(all) {
			return fmt.Sprintf("%d of %s (tab: more)", last, s.found(c, all))
		}
		return s.found(c, all)
	})
}

// scrolled is the rows of a section from the offset on.
func (s *screen) scrolled(c *counted, rows int) table {
	all := arrange(c.rows, s.order, s.whole, s.filter)
	from := min(s.offset, s.scrollable())
	return s.table(c, all, from, rows, func(first, last int) string {
		if last-first+1 < len(all) {
			return fmt.Sprintf("%s to %s of %s", app.Number(first), app.Number(last), s.found(c, all))
		}
		return s.found(c, all)
	})
}

// found says how many groups there are, and how many have the filter's text.
func (s *screen) found(c *counted, all []row) string {
	if s.filter == "" {
		return groupWords(len(c.rows))
	}
	return app.Number(len(all)) + " matching of " + groupWords(len(c.rows))
}

// table is so many rows of those that there are: other takes one of them if there is one. What says
// which of the groups they are gets the numbers of the first and the last.
func (s *screen) table(c *counted, all []row, from, rows int, which func(first, last int) string) table {
	if c.other != nil && rows > 1 {
		rows--
	}
	shown := slices.Clone(all[from:min(from+rows, len(all))])
	groups := which(from+1, from+len(shown))
	if c.other != nil {
		shown = append(shown, *c.other)
	}
	return table{
		title:   title(s.snapshot, c, s.appearance, groups),
		columns: columnsOf(s.snapshot, c, shown, s.appearance),
		rows:    len(shown),
	}
}

// scrollable is how far the offset can go.
func (s *screen) scrollable() int {
	shown := s.shown()
	if len(shown) != 1 {
		return 0
	}
	rows := s.height - 4 - overhead
	if shown[0].other != nil {
		rows--
	}
	return max(len(arrange(shown[0].rows, s.order, s.whole, s.filter))-max(rows, 1), 0)
}

// keys is the last line: what can be pressed, or the filter that is being typed.
func (s *screen) keys() string {
	if s.typing {
		return "/" + format.Visible(s.filter) + "▏" + s.paint.Paint(terminal.Faint, "  enter: keep  esc: show all")
	}
	if s.help {
		return s.paint.Paint(terminal.Faint, "any key: back")
	}
	other := "since start"
	if s.whole {
		other = "last seconds"
	}
	pause := "pause"
	if s.paused != nil {
		pause = "go on"
	}
	return s.paint.Paint(terminal.Faint, "q quit  ? help  s sort  / filter  space "+pause+"  tab signal  w "+other+"  r restart")
}
