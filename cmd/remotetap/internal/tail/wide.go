package tail

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/items"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
	"github.com/remotetap/remotetapprocessor/internal/format"
)

// wide prints a line for each item with everything that is known about it, not cut.
type wide struct{ screen terminal.Terminal }

func (w *wide) print(dst []byte, b *app.Batch) ([]byte, error) {
	all, err := items.Of(b)
	for n := range all {
		dst = append(w.line(dst, &all[n]), '\n')
	}
	return dst, err
}

func (w *wide) line(dst []byte, i *items.Item) []byte {
	l := &wideLine{dst: dst, screen: w.screen}
	l.word(terminal.Faint, date(i.Time))
	l.word(terminal.Faint, markOf(i, 6))
	l.word(terminal.Cyan, orDash(i.Service))
	level, style := levelOf(i)
	l.word(style, level)
	if d := durationOf(i); d != "" {
		l.word(terminal.Plain, d)
	}
	l.word(terminal.Plain, nameOf(i))
	if value := valueOf(i); value != "" {
		l.word(terminal.Bold, value)
	}
	for _, known := range []attribute{
		{"status", i.StatusMessage},
		{"kind", i.Kind},
		{"severity_text", i.SeverityText},
		{traceIDLabel, i.TraceID},
		{"span_id", i.SpanID},
		{"parent_span_id", i.ParentID},
		{"from", i.From},
		{"point", i.Point},
	} {
		if known.value != "" {
			l.pair(known)
		}
	}
	l.group("attributes", i.Attributes)
	l.group("scope", i.Scope)
	l.group("resource", i.Resource)
	return l.dst
}

// wideLine is a line that is being written.
type wideLine struct {
	dst    []byte
	begun  bool
	screen terminal.Terminal
}

// word appends a text of strangers, with a space before it.
func (l *wideLine) word(style terminal.Style, text string) {
	if l.begun {
		l.dst = append(l.dst, ' ')
	}
	l.begun = true
	l.dst = append(l.dst, l.screen.Paint(style, format.Visible(text))...)
}

func (l *wideLine) pair(a attribute) {
	l.dst = append(l.dst, ' ')
	l.dst = append(l.dst, l.screen.Paint(terminal.Faint, format.Visible(a.key)+"=")...)
	l.dst = append(l.dst, quotedWhole(a.value)...)
}

// group appends the attributes of a map, behind its name.
func (l *wideLine) group(name string, m pcommon.Map) {
	if m.Len() == 0 {
		return
	}
	l.dst = append(append(l.dst, ' '), l.screen.Paint(terminal.Violet, name+":")...)
	for _, a := range allOf(m) {
		l.pair(a)
	}
}

// quotedWhole is a value of strangers as a whole, in quotes where one could not tell where it ends.
func quotedWhole(value string) string { return quoteIfNeeded(format.Visible(value)) }

// date is a time with its day; a dash where there is none.
func date(t time.Time) string {
	if t.UnixNano() <= 0 {
		return "-"
	}
	return t.Local().Format("2006-01-02T15:04:05.000000Z07:00")
}
