package points

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
	"github.com/remotetap/remotetapprocessor/internal/format"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// sheet is the text that is being written: lines that are no wider than the terminal.
type sheet struct {
	terminal terminal.Terminal
	width    int
	lines    []string
}

// line adds a line, which is harmless already.
func (s *sheet) line(text string) {
	s.lines = append(s.lines, strings.TrimRight(terminal.Cut(text, s.width), " "))
}

func (s *sheet) paint(style terminal.Style, text string) string { return s.terminal.Paint(style, text) }

func (s *sheet) bytes() []byte { return []byte(strings.Join(s.lines, "\n") + "\n") }

// inPlace is what writes the sheet over the one before, cut to the screen's height.
func (s *sheet) inPlace(height int, first bool) []byte {
	var b strings.Builder
	if first {
		b.WriteString("\x1b[2J") // what was there scrolls away in most terminals
	}
	b.WriteString("\x1b[H")
	lines := s.lines
	if most := max(height-1, 1); len(lines) > most {
		hidden := len(lines) - most + 1
		lines = append(lines[:most-1:most-1], s.paint(terminal.Faint, fmt.Sprintf("... and %d more lines: make the window higher", hidden)))
	}
	for _, line := range lines {
		b.WriteString(line + "\x1b[K\n")
	}
	b.WriteString("\x1b[J")
	return []byte(b.String())
}

// collector is what one collector has answered.
func (s *sheet) collector(l *tapclient.Listing) {
	name := format.Visible(l.String())
	if l.Err != nil {
		head := ""
		if name != "" {
			head = s.paint(terminal.Bold, name) + "  "
		}
		s.line(head + s.paint(terminal.Red, format.Visible(l.Err.Error())))
		return
	}
	s.line(s.paint(terminal.Bold, name) + "  " + s.paint(terminal.Faint, "version ") + format.Visible(l.Version))
	s.line("")
	s.points(l.Points)
	s.line("")
	s.taps(l.Taps, l.Limits)
}

// points is a table with a line for each point.
func (s *sheet) points(points []tapclient.Point) {
	rows := [][3]string{{"POINT", "SIGNALS", "ITEMS PER SECOND"}}
	for _, p := range points {
		rows = append(rows, [3]string{format.Visible(p.ID), signals(p), rates(p)})
	}
	var widths [3]int
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], ansi.StringWidth(cell))
		}
	}
	widths[0] = min(widths[0], max(s.width*2/5, len(rows[0][0])))
	for i, row := range rows {
		text := terminal.Fit(row[0], widths[0]) + "  " + terminal.Fit(row[1], widths[1]) + "  " + row[2]
		if i == 0 {
			text = s.paint(terminal.Faint, strings.TrimRight(text, " "))
		}
		s.line(text)
	}
	if len(points) == 0 {
		s.line("none")
	}
}

func signals(p tapclient.Point) string {
	names := make([]string, len(p.Signals))
	for i, signal := range p.Signals {
		names[i] = format.Visible(string(signal))
	}
	return strings.Join(names, ", ")
}

// rates are those that are known.
func rates(p tapclient.Point) string {
	var known []string
	for _, signal := range p.Signals {
		if rate, ok := p.Rates[signal]; ok {
			known = append(known, format.Visible(string(signal))+" "+perSecond(rate))
		}
	}
	if len(known) == 0 {
		return "not counted: nobody watches"
	}
	if len(known) < len(p.Signals) {
		known = append(known, "others not counted")
	}
	return strings.Join(known, ", ")
}

func perSecond(rate float64) string {
	if rate >= 10 {
		return app.Number(uint64(rate + 0.5))
	}
	return strconv.FormatFloat(rate, 'f', 1, 64)
}

// taps are who is tapping, three lines each, and what they may.
func (s *sheet) taps(taps []tapclient.OpenTap, limits tapclient.Limits) {
	count := fmt.Sprintf("%d of %d taps open", len(taps), limits.Taps)
	if limits.Taps > 0 && len(taps) >= int(limits.Taps) {
		count = s.paint(terminal.Yellow, count)
	}
	s.line(count + s.paint(terminal.Faint, "; "+limitWords(limits)))
	for i := range taps {
		s.tap(&taps[i])
	}
}

func (s *sheet) tap(t *tapclient.OpenTap) {
	head := []string{format.Visible(t.Remote)}
	if t.Subject != "" {
		head = append(head, s.paint(terminal.Cyan, format.Visible(t.Subject)))
	}
	head = append(head, format.Visible(t.Transport))
	if !t.Ledger.Since.IsZero() {
		head = append(head, fmt.Sprintf("since %s (%s)", t.Ledger.Since.Local().Format("15:04:05"), terminal.Elapsed(t.Ledger.Now.Sub(t.Ledger.Since))))
	}
	if t.UserAgent != "" {
		head = append(head, s.paint(terminal.Faint, format.Visible(t.UserAgent)))
	}
	s.line("")
	s.line(fmt.Sprintf("  #%-3d %s", t.ID, strings.Join(head, "  ")))
	s.line("       " + selectionWords(t.Selection))
	s.line("       " + s.account(t.Ledger))
}

// selectionWords is a query string for people: without its escapes, and without what only clients care
// about.
func selectionWords(query string) string {
	var parts []string
	for part := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(part, "=")
		if part == "" || slices.Contains([]string{"format", "stats", "max_message", "envelope"}, name) {
			continue
		}
		if plain, err := url.QueryUnescape(part); err == nil {
			part = plain
		}
		parts = append(parts, format.Visible(part))
	}
	if len(parts) == 0 {
		return "everything"
	}
	return strings.Join(parts, "  ")
}

// account is a tap's, in a line.
func (s *sheet) account(l tapclient.Ledger) string {
	text := fmt.Sprintf("sent %s of %s matched, %s seen", app.Number(l.Sent), app.Number(l.Matched), app.Number(l.Seen))
	if l.Pending > 0 {
		text += fmt.Sprintf(", %s waiting", app.Number(l.Pending))
	}
	if loss := app.LossWords(l); loss != "" {
		text += "; " + s.paint(terminal.Yellow, format.Visible(loss))
	}
	return text
}

// limitWords are what each tap may take at most.
func limitWords(l tapclient.Limits) string {
	parts := []string{fmt.Sprintf("each may have a queue of %d MiB", l.QueueMiB)}
	if l.MiBPerSecond > 0 {
		parts = append(parts, decimal(l.MiBPerSecond)+" MiB/s")
	}
	if l.ItemsPerSecond > 0 {
		parts = append(parts, decimal(l.ItemsPerSecond)+" items/s")
	}
	if l.MaxDuration > 0 {
		parts = append(parts, terminal.Elapsed(l.MaxDuration))
	}
	words := strings.Join(parts, ", ")
	if l.MaxOverhead > 0 {
		words += "; all together " + decimal(l.MaxOverhead*100) + " % of a core"
	}
	return words
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
