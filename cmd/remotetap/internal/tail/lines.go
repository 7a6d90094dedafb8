package tail

import (
	"strings"
	"time"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/items"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// lines prints a line for each item, no wider than the terminal: time, where it comes from if there are
// several such places, signal, service, level, duration, what it is, and as many attributes as fit. All
// columns but the last two are aligned. They grow with what they hold, up to a limit.
type lines struct {
	screen terminal.Terminal
	width  func() int // now; 0 if lines may be of any width

	origin, point, service, duration column
	// severalOrigins and severalPoints say that their columns are worth their room. They stay true.
	severalOrigins, severalPoints bool
	firstOrigin, firstPoint       string // the only ones so far
}

func newLines(screen terminal.Terminal, width func() int, several bool) *lines {
	return &lines{screen: screen, width: width, severalOrigins: several, service: column{width: 8}}
}

// hear learns how many origins and points there are before the first line is printed.
func (l *lines) hear(event tapclient.Event) {
	switch e := event.(type) {
	case *tapclient.Up:
		l.meetOrigin(e.From().String())
		l.origin.text(shortOrigin(e.From().String()), maxCell)
	case *tapclient.Stats:
		l.severalPoints = l.severalPoints || len(e.Points) > 1
		for _, point := range e.Points {
			l.point.text(shortPoint(point), maxCell)
		}
	}
}

func (l *lines) meetOrigin(origin string) {
	if l.firstOrigin == "" {
		l.firstOrigin = origin
	}
	l.severalOrigins = l.severalOrigins || origin != l.firstOrigin
}

func (l *lines) meetPoint(point string) {
	if l.firstPoint == "" {
		l.firstPoint = point
	}
	l.severalPoints = l.severalPoints || point != l.firstPoint
}

func (l *lines) print(dst []byte, b *app.Batch) ([]byte, error) {
	all, err := items.Of(b)
	if err != nil {
		return dst, err
	}
	l.meetOrigin(b.From)
	l.meetPoint(b.Point)
	shape := shapeOf(l.width())
	for i := range all {
		dst = append(l.line(dst, &all[i], shape), '\n')
	}
	return dst, nil
}

// shape is how much of a line's room its columns may have.
type shape struct {
	width                  int // of the line; 0 for any
	clock                  int // the digits of the time of day
	signal                 int
	origin, point, service int // at most
}

// maxCell is the widest column of any shape.
const maxCell = 40

// The widths of the time of day, with and without milliseconds.
const (
	longClock  = len("15:04:05.000")
	shortClock = len("15:04:05")
)

// shapeOf is the shape of lines of a width.
func shapeOf(width int) shape {
	switch {
	case width == 0:
		return shape{clock: longClock, signal: 6, origin: maxCell, point: 30, service: 30}
	case width >= 100:
		return shape{width: width, clock: longClock, signal: 6, origin: 22, point: 18, service: 24}
	case width >= 70:
		return shape{width: width, clock: shortClock, signal: 4, origin: 14, point: 12, service: 14}
	default:
		return shape{width: width, clock: shortClock, signal: 1, origin: 10, point: 8, service: 10}
	}
}

// line appends the line of one item.
func (l *lines) line(dst []byte, i *items.Item, s shape) []byte {
	w := &row{dst: dst, screen: l.screen, most: s.width}
	w.cell(terminal.Faint, clock(i.Time)[:s.clock], s.clock)
	if l.severalOrigins {
		w.cell(terminal.Plain, l.origin.text(shortOrigin(i.From), s.origin), l.origin.room(s.origin))
	}
	if l.severalPoints {
		w.cell(terminal.Violet, l.point.text(shortPoint(i.Point), s.point), l.point.room(s.point))
	}
	w.cell(terminal.Faint, markOf(i, s.signal), s.signal)
	w.cell(terminal.Cyan, l.service.text(orDash(i.Service), s.service), l.service.room(s.service))
	level, style := levelOf(i)
	w.cell(style, level, 5)
	if d := durationOf(i); d != "" || l.duration.width > 0 {
		d = l.duration.text(d, 8)
		l.duration.width = max(l.duration.width, 6) // most are, so that they do not move
		w.cell(terminal.Plain, strings.Repeat(" ", l.duration.width-columnsOf(d))+d, l.duration.width)
	}
	w.text(terminal.Plain, nameOf(i))
	if value := valueOf(i); value != "" {
		w.text(terminal.Bold, value)
	}
	l.attributes(w, i)
	return w.dst
}

// attributes appends those that fit, the most telling first.
func (l *lines) attributes(w *row, i *items.Item) {
	if i.StatusMessage != "" {
		w.pair("status", i.StatusMessage, terminal.Red)
	}
	for _, a := range telling(i, w.most == 0) {
		w.pair(a.key, a.value, terminal.Plain)
	}
}

// column is one that is as wide as its widest text so far, up to a limit.
type column struct{ width int }

// text is what is shown of a text, and makes the column wide enough for it.
func (c *column) text(text string, most int) string {
	text = clip(text, most)
	c.width = max(c.width, columnsOf(text))
	return text
}

// room is how wide the column is.
func (c *column) room(most int) int { return min(c.width, most) }

// row is a line that is being written.
type row struct {
	dst    []byte
	screen terminal.Terminal
	most   int // columns; 0 for any number
	used   int
}

// left is how many columns are left.
func (w *row) left() int {
	if w.most == 0 {
		return maxText
	}
	return w.most - w.used
}

// cell appends a text that is harmless and fits, with spaces up to a width and one behind.
func (w *row) cell(style terminal.Style, text string, width int) {
	n := columnsOf(text)
	if most := min(width, w.left()); n > most {
		text = terminal.Cut(text, most)
		n = columnsOf(text)
	}
	w.dst = append(w.dst, w.screen.Paint(style, text)...)
	spaces := min(width+1, w.left()) - n
	for range spaces {
		w.dst = append(w.dst, ' ')
	}
	w.used += n + max(spaces, 0)
}

// text appends a text of strangers, cut if need be, with a space before it if it does not follow a cell.
func (w *row) text(style terminal.Style, text string) {
	if n := len(w.dst); n > 0 && w.used > 0 && w.dst[n-1] != ' ' {
		if w.left() < 2 {
			return
		}
		w.dst, w.used = append(w.dst, ' '), w.used+1
	}
	if text = clip(text, w.left()); text == "" {
		return
	}
	w.dst = append(w.dst, w.screen.Paint(style, text)...)
	w.used += columnsOf(text)
}

// pair appends an attribute, with two spaces before it, unless it does not fit as a whole.
func (w *row) pair(key, value string, style terminal.Style) {
	room := w.left() - 2
	key = clip(key, maxKey) + "="
	if room < columnsOf(key)+1 {
		return
	}
	value = quoted(value, maxValue)
	n := columnsOf(key) + columnsOf(value)
	if n > room {
		return
	}
	w.dst = append(w.dst, "  "...)
	w.dst = append(w.dst, w.screen.Paint(terminal.Faint, key)...)
	w.dst = append(w.dst, w.screen.Paint(style, value)...)
	w.used += n + 2
}

// clock is the time of day; dashes where there is none.
func clock(t time.Time) string {
	if t.UnixNano() <= 0 {
		return "--:--:--.---"
	}
	return app.Clock(t)
}
