package compare

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
	"github.com/remotetap/remotetapprocessor/internal/format"
)

// nameColumns are for a name of strangers.
const nameColumns = 40

// text is the report for people.
func (r *report) text(t terminal.Terminal, top int) string {
	b := &sheet{terminal: t, width: t.Width()}
	a := r.Points
	b.line(t.Paint(terminal.Bold, visible(a[0].Point)+" "+b.arrow()+" "+visible(a[1].Point)) +
		fmt.Sprintf("   %s, %.1f s", r.Signal, r.Seconds))
	b.line("")
	counts := table{{"", "items", "per second"}}
	for _, p := range a {
		counts = append(counts, []string{visible(p.Point), app.Number(p.Items), rate(p.PerSecond)})
	}
	b.table(counts)
	b.line("")
	b.wrapped(r.Kept.words())
	if r.Expected != nil {
		style := terminal.Red
		switch {
		case r.Kept.Low == nil:
			style = terminal.Plain // nobody knows yet
		case r.Expected.Holds:
			style = terminal.Green
		}
		b.wrapped(t.Paint(style, r.Expected.words(r)))
	}
	if r.LookedAt != nil {
		r.look(b, top)
	}
	if len(r.Notes) > 0 {
		b.line("")
	}
	for _, note := range r.Notes {
		b.wrapped("- " + visible(note))
	}
	return b.String()
}

// look is the part about the items that were looked at.
func (r *report) look(b *sheet, top int) {
	l := r.LookedAt
	b.line("")
	if l.Items == 0 {
		b.wrapped(fmt.Sprintf("Looked at %s: nothing yet that had time to come through.", part(l.Share, r)))
		return
	}
	b.wrapped(fmt.Sprintf("Looked at %s: %s of %s, of which %s came whole, %s in part, %s not at all.", part(l.Share, r),
		app.Counted(l.Items, noun(r)), app.Counted(l.Traces, "trace"), app.Number(l.Whole), app.Number(l.Part), app.Number(l.Gone)))
	b.wrapped(r.edges())
	b.line("")
	rows := table{{"service", noun(r) + "s", "kept", "95 % interval"}}
	for i, g := range r.Services {
		if i == top {
			rows = append(rows, []string{fmt.Sprintf("and %d more", len(r.Services)-top)})
			break
		}
		rows = append(rows, append([]string{visible(orNone(g.Service)), app.Number(g.Items)}, g.columns()...))
	}
	if r.Errors != nil {
		rows = append(rows, append([]string{"errors, of all services", app.Number(r.Errors.Items)}, r.Errors.columns()...))
	}
	b.table(rows)
	b.names("vanished", "came to the first point and not to the second", r.Vanished, l.Missing, r.found.vanishedMore, noun(r))
	b.names("new", "came to the second point and never passed the first", r.New, l.New, r.found.moreSeen, noun(r))
	r.attributes(b, top)
}

// edges says why the figures of the look are not those of the counts; "" if there is no difference.
func (r *report) edges() string {
	l := r.LookedAt
	if l.Share == 1 && uint64(l.Items) == r.Points[0].Items {
		return ""
	}
	return fmt.Sprintf("The look went from %.1f s to %.1f s, the counts are of everything: so shares differ a little.", l.began.Seconds(), l.until.Seconds())
}

// attributes lists what has become of them.
func (r *report) attributes(b *sheet, top int) {
	b.line("")
	compared := fmt.Sprintf("Attributes of %s that came to both", app.Counted(r.LookedAt.Compared, noun(r)))
	if r.LookedAt.Compared != uint64(r.LookedAt.Items-r.LookedAt.Missing) {
		compared += " at any time" // and not only while it was looked for what vanished
	}
	if len(r.Attributes) == 0 {
		b.line(compared + ": no difference.")
		return
	}
	b.line(compared + ":")
	var rows table
	for i, c := range r.Attributes {
		if i == top {
			rows = append(rows, []string{fmt.Sprintf("and %d more", len(r.Attributes)-top)})
			break
		}
		for _, what := range []struct {
			n           uint64
			word, value string
		}{
			{c.Added, "added", quoted(c.To)},
			{c.Removed, "removed", quoted(c.From)},
			{c.Changed, "changed", quoted(c.From) + " " + b.arrow() + " " + quoted(c.To)},
		} {
			if what.n > 0 {
				rows = append(rows, []string{visible(c.Key), app.Number(what.n), what.word, what.value})
			}
		}
	}
	b.tableOf(rows, 2)
}

// columns are a share and its interval.
func (s shareReport) columns() []string {
	if s.Share == nil {
		return []string{"", ""}
	}
	columns := []string{percent(*s.Share), ""}
	if s.Low != nil {
		columns[1] = percent(*s.Low) + " to " + percent(*s.High)
	}
	return columns
}

// words are a share and its interval as a sentence.
func (s shareReport) words() string {
	switch {
	case s.Share == nil:
		return "Kept: nothing has passed yet"
	case s.Low == nil:
		return "Kept: " + percent(*s.Share)
	default:
		return "Kept: " + percent(*s.Share) + " (95 % interval: " + percent(*s.Low) + " to " + percent(*s.High) + ")"
	}
}

// sheet is a text that is being written, no wider than the terminal.
type sheet struct {
	strings.Builder
	terminal terminal.Terminal
	width    int
}

func (b *sheet) arrow() string {
	if b.terminal.Unicode {
		return "→"
	}
	return "->"
}

func (b *sheet) line(text string) {
	b.WriteString(strings.TrimRight(b.terminal.Cut(text, b.width), " "))
	b.WriteByte('\n')
}

// wrapped is a sentence on as many lines as it needs.
func (b *sheet) wrapped(text string) {
	for line := range strings.Lines(ansi.Wrap(text, max(b.width, 10), "")) {
		b.line(strings.TrimRight(line, "\n"))
	}
}

// names lists how many items have which name.
func (b *sheet) names(title, meaning string, all []nameReport, items, more int, noun string) {
	if items == 0 {
		return
	}
	b.line("")
	b.wrapped(fmt.Sprintf("%s: %s %s", title, app.Counted(items, noun), meaning))
	var rows table
	for _, n := range all {
		rows = append(rows, []string{visible(orNone(n.Service)), app.Number(n.Items), visible(n.Name)})
	}
	if more > 0 {
		rows = append(rows, []string{fmt.Sprintf("and %d more", more)})
	}
	b.tableOf(rows, 2)
}

// table is rows of columns: the first is text, the others numbers.
type table [][]string

func (b *sheet) table(rows table) { b.tableOf(rows, len(rows[0])) }

// tableOf aligns columns: the first and those from `texts` on to the left, the others to the right.
func (b *sheet) tableOf(rows table, texts int) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if len(row) > 1 {
				widths[i] = max(widths[i], ansi.StringWidth(cell))
			}
		}
	}
	widths[0] = min(widths[0], nameColumns, max(b.roomFor(widths[1:], texts), 8))
	for _, row := range rows {
		if len(row) == 1 {
			b.line("  " + row[0])
			continue
		}
		cells := []string{"  " + terminal.Fit(b.terminal.Cut(row[0], widths[0]), widths[0])}
		for i, cell := range row[1:] {
			padding := strings.Repeat(" ", max(widths[i+1]-ansi.StringWidth(cell), 0))
			if i+1 < texts {
				cells = append(cells, padding+cell)
			} else {
				cells = append(cells, cell+padding)
			}
		}
		b.line(strings.Join(cells, "   "))
	}
}

// roomFor is how many columns the others leave for the first. Texts behind it are cut at the edge, so they
// need not have all of theirs.
func (b *sheet) roomFor(others []int, texts int) int {
	room := b.width - 2
	for i, width := range others {
		if i+1 >= texts {
			width = min(width, b.width/4)
		}
		room -= width + 3
	}
	return room
}

// noun is what an item of the signal is.
func noun(r *report) string {
	return map[string]string{"traces": "span", "logs": "record"}[string(r.Signal)]
}

func part(share float64, r *report) string {
	if share >= 1 {
		return "all " + string(r.Signal)
	}
	return fmt.Sprintf("1 of %.0f %s", 1/share, r.Signal)
}

func visible(text string) string { return format.Visible(text) }

func orNone(text string) string {
	if text == "" {
		return "(none)"
	}
	return text
}

func quoted(text string) string { return `"` + visible(text) + `"` }

// rate is a number a second.
func rate(perSecond float64) string {
	if perSecond >= 1000 {
		return app.Number(int64(perSecond + 0.5))
	}
	return strconv.FormatFloat(perSecond, 'f', 1, 64)
}

// percent is a share with as many digits as matter.
func percent(share float64) string {
	p := share * 100
	digits := 1
	if p > 0 && p < 1 {
		digits = 2
	}
	return strconv.FormatFloat(p, 'f', digits, 64) + " %"
}
