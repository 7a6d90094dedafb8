package top

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
	"github.com/remotetap/remotetapprocessor/internal/format"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// appearance is how counts are shown.
type appearance struct {
	// whole shows figures since the beginning instead of the window's.
	whole bool
	// order is that of the rows; its column is marked.
	order order
	// filter is a text that rows must contain.
	filter string
	paint  terminal.Terminal
}

// words are what a signal's table and its items are called.
func words(signal tapclient.Signal) (title, item string) {
	switch signal {
	case tapclient.Traces:
		return "SPANS", "spans"
	case tapclient.Logs:
		return "LOGS", "records"
	case tapclient.Metrics:
		return "METRICS", "data points"
	default:
		return "PROFILES", "samples"
	}
}

// builder makes the columns of a section.
type builder struct {
	appearance
	snapshot *snapshot
	section  *counted
	rows     []row // those that are shown, other included
	columns  []column
}

// columnsOf are those of a section for some of its rows.
func columnsOf(s *snapshot, section *counted, rows []row, a appearance) []column {
	b := &builder{appearance: a, snapshot: s, section: section, rows: rows}
	b.keys()
	switch section.signal {
	case tapclient.Traces:
		b.rate("RATE/s")
		b.number(byErrors, "ERRORS", 0, 6, b.errors)
		b.number(byShare, "ERR%", 2, 6, b.share)
		b.number(byP50, "P50", 5, 6, func(r *row) cell { return cell{took(r.figures(a.whole).p50), terminal.Plain} })
		b.number(byP95, "P95", 1, 6, func(r *row) cell { return cell{took(r.figures(a.whole).p95), terminal.Plain} })
		b.number(byP99, "P99", 4, 6, func(r *row) cell { return cell{took(r.figures(a.whole).p99), terminal.Plain} })
	case tapclient.Logs:
		b.rate("RATE/s")
		b.severities()
	case tapclient.Metrics:
		b.rate("POINTS/s")
		b.number("", "LAST VALUE", 1, 12, lastValue)
	default:
		b.rate("SAMPLES/s")
	}
	b.number(byTotal, "TOTAL", 3, 7, func(r *row) cell { return cell{app.Number(r.total.items), terminal.Plain} })
	return b.columns
}

// keys adds a column for each of the fields.
func (b *builder) keys() {
	for i, name := range b.section.fields {
		title := strings.ToUpper(format.Visible(name))
		if name == "name" {
			title = map[tapclient.Signal]string{tapclient.Traces: "OPERATION", tapclient.Metrics: "METRIC"}[b.section.signal]
			if title == "" {
				title = "NAME"
			}
		}
		if b.order == byName && i == 0 {
			title += "↑"
		}
		c := column{title: title}
		for _, r := range b.rows {
			c.cells = append(c.cells, key(r, i))
		}
		for _, r := range b.section.rows { // as wide for the rows that are not shown: sorting moves no column
			c.width = max(c.width, ansi.StringWidth(key(r, i).text))
		}
		b.columns = append(b.columns, c)
	}
}

// key is what a row's value looks like.
func key(r row, i int) cell {
	switch {
	case r.values == nil && i == 0:
		return cell{"(all others)", terminal.Faint}
	case r.values == nil:
		return cell{}
	case !r.values[i].known:
		return cell{"(none)", terminal.Faint}
	case r.values[i].text == "":
		return cell{`""`, terminal.Faint}
	default:
		return cell{format.Visible(r.values[i].text), terminal.Plain}
	}
}

// number adds a column of numbers, by which rows can be ordered.
func (b *builder) number(o order, title string, rank, width int, of func(*row) cell) {
	c := column{title: b.bound(o, title), number: true, rank: rank, width: width}
	if o == b.order {
		c.title += "↓"
		c.rank = 0
	}
	for i := range b.rows {
		c.cells = append(c.cells, of(&b.rows[i]))
	}
	b.columns = append(b.columns, c)
}

// bound marks the title of a column whose numbers are not exact since items were lost: counts are too
// low, and what is relative is about those that came.
func (b *builder) bound(o order, title string) string {
	low := b.snapshot.low(b.whole)
	switch o {
	case byTotal:
		low = b.snapshot.totalLow
	case byShare, byP50, byP95, byP99:
		if low {
			return "~" + title
		}
	case "":
		return title
	default:
	}
	if low {
		return "≥" + title
	}
	return title
}

func (b *builder) rate(title string) {
	elapsed := b.snapshot.elapsed(b.whole)
	b.number(byRate, title, 0, 8, func(r *row) cell {
		f := r.figures(b.whole)
		if f.items == 0 {
			return cell{"0", terminal.Faint}
		}
		return cell{perSecond(f.items, elapsed), terminal.Plain}
	})
}

func (b *builder) errors(r *row) cell {
	return count(r.figures(b.whole).errors, terminal.Red)
}

func (b *builder) share(r *row) cell {
	f := r.figures(b.whole)
	switch {
	case f.items == 0:
		return cell{}
	case f.errors == 0:
		return cell{"0%", terminal.Faint}
	default:
		return cell{percent(f), terminal.Red}
	}
}

// count is a number in a style, or a faint zero.
func count(n uint64, style terminal.Style) cell {
	if n == 0 {
		return cell{"0", terminal.Faint}
	}
	return cell{app.Number(n), style}
}

// severities adds a column for each severity. The rarer ones are there once they have come.
func (b *builder) severities() {
	for _, s := range []struct {
		level  int
		title  string
		rank   int
		style  terminal.Style
		always bool
	}{
		{6, "FATAL", 4, terminal.Red, false},
		{5, "ERROR", 0, terminal.Red, true},
		{4, "WARN", 1, terminal.Yellow, true},
		{3, "INFO", 2, terminal.Plain, true},
		{2, "DEBUG", 5, terminal.Plain, false},
		{1, "TRACE", 7, terminal.Plain, false},
		{0, "NONE", 6, terminal.Plain, false},
	} {
		if !s.always && b.section.sum.total.levels[s.level] == 0 {
			continue
		}
		o := order("severity") // no order of rows, but a count
		if s.level == 5 {
			o = byErrors
		}
		b.number(o, s.title, s.rank, 6, func(r *row) cell { return count(r.figures(b.whole).levels[s.level], s.style) })
	}
}

// lastValue is a metric's newest value with its unit.
func lastValue(r *row) cell {
	if r.values == nil {
		return cell{} // of one metric and another
	}
	text := r.lastValue
	if r.unit != "" && r.unit != "1" {
		text += " " + r.unit
	}
	return cell{terminal.Cut(format.Visible(text), 32), terminal.Plain}
}

// title says in one line what was counted of a section: "SPANS  4 groups, 412 spans/s, 3.1% errors".
// What is shown of the groups the caller says.
func title(s *snapshot, c *counted, a appearance, groups string) string {
	name, item := words(c.signal)
	f := c.sum.figures(a.whole)
	least, about := "", ""
	if s.low(a.whole) {
		least, about = "≥", "~"
	}
	if c.other != nil {
		groups += a.paint.Paint(terminal.Yellow, " and others")
	}
	text := fmt.Sprintf("%s, %s%s %s/s", groups, least, perSecond(f.items, s.elapsed(a.whole)), item)
	if c.signal == tapclient.Traces || c.signal == tapclient.Logs {
		rest := about + percent(f) + " errors"
		if f.errors > 0 {
			rest = a.paint.Paint(terminal.Red, rest)
		}
		text += ", " + rest
	}
	if c.repeats() {
		text += a.paint.Paint(terminal.Yellow, fmt.Sprintf(", counted at %d points each (see --point)", len(c.points)))
	}
	return a.paint.Paint(terminal.Bold, name) + "  " + text
}

// groupWords is a number of groups.
func groupWords(n int) string {
	if n == 1 {
		return "1 group"
	}
	return app.Number(n) + " groups"
}
