package trace

import (
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
	"github.com/remotetap/remotetapprocessor/internal/format"
)

// Columns.
const (
	mostService = 16 // for the service
	tookColumns = 8  // for the duration
	fewestBars  = 16 // for the bars; with less there are none
)

// drawing is a trace on a terminal.
type drawing struct {
	terminal terminal.Terminal
	marks    marks
	tree     *tree
	width    int
	service  int // columns, as are the following
	name     int
	bars     int
	out      strings.Builder
}

// draw is the waterfall, with words about the trace above and about what is missing below.
func draw(t *tree, screen terminal.Terminal, all bool, problems []string) string {
	d := &drawing{terminal: screen, marks: marksOf(screen.Unicode), tree: t, width: screen.Width()}
	l := &layout{marks: d.marks, all: all, depth: max(2, min(16, d.width/10))}
	l.tree(t)
	left := 0
	if !all && len(l.rows) > mostRows {
		left = len(l.rows) - mostRows
		l.rows = l.rows[:mostRows]
	}
	d.columns(l.rows)
	d.heading()
	outside := false
	for i := range l.rows {
		d.row(&l.rows[i])
		outside = outside || l.rows[i].node != nil && l.rows[i].node.outside
	}
	if left > 0 {
		d.line(app.Counted(left, "line") + " more (--all)")
	}
	if outside {
		d.line("")
		d.wrapped("~ outside the time of its parent: clocks differ, or work went on after it")
	}
	if words := caution(t, problems); words != "" {
		d.line("")
		d.wrapped(screen.Paint(terminal.Yellow, format.Visible(words)))
	}
	return d.out.String()
}

// caution is what to know about a trace before believing it; "" for nothing.
func caution(t *tree, problems []string) string {
	switch {
	case len(problems) == 0:
		return ""
	case t.complete():
		return "Perhaps not complete: " + strings.Join(problems, "; ")
	default:
		return "Not complete: " + strings.Join(problems, "; ")
	}
}

// columns divides the width.
func (d *drawing) columns(rows []row) {
	longest := 0
	for _, r := range rows {
		if r.node != nil {
			d.service = max(d.service, ansi.StringWidth(format.Visible(r.node.service)))
			longest = max(longest, ansi.StringWidth(r.lines)+ansi.StringWidth(nameOf(r.node)))
		}
		if r.record != nil {
			longest = max(longest, min(ansi.StringWidth(r.lines)+ansi.StringWidth(r.record.words()), d.width/3))
		}
	}
	d.service = min(max(d.service, len("service")), mostService, max(d.width/6, 4))
	rest := d.width - d.service - 2 - tookColumns - 2
	d.name = min(max(longest, len("span")), max(rest/2, 8))
	d.bars = rest - d.name - 2
	if d.bars < fewestBars || d.tree.end <= d.tree.start {
		d.name, d.bars = rest, 0
	}
}

// heading says what trace it is, and names the columns.
func (d *drawing) heading() {
	t := d.tree
	words := []string{app.Counted(len(t.nodes), "span") + " of " + app.Counted(len(t.services), "service")}
	if t.logs > 0 {
		words = append(words, app.Counted(t.logs, "log record"))
	}
	if t.end > t.start {
		words = append(words, took(time.Duration(t.end-t.start)))
	}
	if t.failed > 0 {
		words = append(words, d.terminal.Paint(terminal.Red, app.Counted(t.failed, "error")))
	}
	d.line(d.terminal.Paint(terminal.Bold, "Trace "+t.id))
	began := ""
	if t.start > 0 {
		began = ", began " + time.Unix(0, t.start).Local().Format("2006-01-02 15:04:05.000")
	}
	d.wrapped(strings.Join(words, ", ") + began)
	d.line("")
	d.line(d.terminal.Paint(terminal.Faint, terminal.Fit(d.cut("service", d.service), d.service)+"  "+strings.Repeat(" ", tookColumns-4)+"took  "+terminal.Fit(d.cut("span", d.name), d.name)+"  "+d.axis()))
}

// axis is the line of times above the bars.
func (d *drawing) axis() string {
	if d.bars == 0 {
		return ""
	}
	whole := time.Duration(d.tree.end - d.tree.start)
	middle, end := took(whole/2), took(whole)
	text := terminal.Fit("0", d.bars/2-len(middle)/2) + middle
	return terminal.Fit(text, d.bars-len(end)) + end
}

func nameOf(n *node) string {
	name := format.Visible(n.name)
	if name == "" {
		name = "(no name)"
	}
	if n.failed {
		name = "! " + name
	}
	if n.message != "" {
		name += " - " + format.Visible(n.message)
	}
	return name
}

func (d *drawing) row(r *row) {
	switch {
	case r.node != nil:
		d.span(r)
	case r.record != nil:
		d.happening(r)
	default:
		d.line(d.cells("", "", d.terminal.Paint(terminal.Faint, r.lines)+d.terminal.Paint(terminal.Faint, r.note), d.name+2+d.bars))
	}
}

// cells are the columns before the bars; the last is as wide as said.
func (d *drawing) cells(service, took, name string, width int) string {
	took = d.cut(took, tookColumns)
	return terminal.Fit(d.cut(service, d.service), d.service) + "  " +
		strings.Repeat(" ", tookColumns-ansi.StringWidth(took)) + took + "  " + terminal.Fit(d.cut(name, width), width)
}

// cut shortens a text, with a mark that the locale has.
func (d *drawing) cut(text string, columns int) string { return d.terminal.Cut(text, columns) }

func (d *drawing) span(r *row) {
	n := r.node
	style, name := terminal.Cyan, nameOf(n)
	if n.failed {
		style, name = terminal.Red, d.terminal.Paint(terminal.Red, name)
	}
	length := took(n.took())
	if n.outside {
		length = "~" + length
	}
	text := d.cells(format.Visible(n.service), length, d.terminal.Paint(terminal.Faint, r.lines)+name, d.name)
	if d.bars > 0 {
		text += "  " + d.bar(n, style)
	}
	d.line(text)
}

// bar is a span's time in that of the trace.
func (d *drawing) bar(n *node, style terminal.Style) string {
	if n.start == 0 {
		return ""
	}
	from, to := d.column(n.start), d.column(n.end)
	switch {
	case n.end < d.tree.start:
		return d.terminal.Paint(style, d.marks.before)
	case n.start > d.tree.end:
		return strings.Repeat(" ", d.bars-1) + d.terminal.Paint(style, d.marks.after)
	}
	body := strings.Repeat(d.marks.bar, max(to-from, 1))
	lead := strings.Repeat(" ", min(from, d.bars-1))
	if n.start < d.tree.start {
		body = d.marks.before + strings.TrimPrefix(body, d.marks.bar)
	}
	if n.end > d.tree.end {
		body = strings.TrimSuffix(body, d.marks.bar) + d.marks.after
	}
	return lead + d.terminal.Paint(style, body)
}

// column is where a time is among the bars, from 0 to their number; times outside are at the edges.
func (d *drawing) column(at int64) int {
	whole := float64(d.tree.end) - float64(d.tree.start)
	part := (float64(at) - float64(d.tree.start)) / whole
	return int(min(max(part, 0), 1)*float64(d.bars) + 0.5)
}

// happening is a record or an event: its words, and its moment among the bars where there is room.
func (d *drawing) happening(r *row) {
	record := r.record
	style := terminal.Plain
	switch level := record.severity; {
	case record.failed():
		style = terminal.Red
	case level >= 13: // WARN
		style = terminal.Yellow
	}
	words := record.words()
	width, room := d.name, ansi.StringWidth(r.lines)+ansi.StringWidth(words) <= d.name
	if !room {
		width = d.name + 2 + d.bars
	}
	text := d.cells("", d.offset(record.at), d.terminal.Paint(terminal.Faint, r.lines)+d.terminal.Paint(style, words), width)
	if room && d.bars > 0 && record.at >= d.tree.start && record.at <= d.tree.end {
		text += "  " + strings.Repeat(" ", min(d.column(record.at), d.bars-1)) + d.terminal.Paint(style, d.marks.point)
	}
	d.line(text)
}

// offset is how long after the trace's beginning something happened.
func (d *drawing) offset(at int64) string {
	switch since := time.Duration(at - d.tree.start); {
	case at == 0 || d.tree.start == 0:
		return ""
	case since < 0:
		return "-" + took(-since)
	default:
		return "+" + took(since)
	}
}

func (d *drawing) line(text string) {
	d.out.WriteString(strings.TrimRight(d.cut(text, d.width), " "))
	d.out.WriteByte('\n')
}

// wrapped is a sentence on as many lines as it needs.
func (d *drawing) wrapped(text string) {
	for line := range strings.Lines(ansi.Wrap(text, max(d.width, 10), "")) {
		d.line(strings.TrimRight(line, "\n"))
	}
}

// show writes the trace in the form that was asked for.
func (c *collector) show(t *tree, problems []string) error {
	switch c.options.output {
	case "json":
		return c.showJSON(t, problems)
	case "otlp":
		if words := caution(t, problems); words != "" {
			c.app.Say("%s", words)
		}
		return c.showOTLP()
	default:
		return c.app.Print([]byte(draw(t, c.app.Screen, c.options.all, problems)))
	}
}
