package top

import (
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
)

// cell is one text in a table. It is harmless already.
type cell struct {
	text  string
	style terminal.Style
}

// column is one of a table: a title, and a cell for each row.
type column struct {
	title string
	// number columns are as wide as they need to be, and stand on the right; the others share what is
	// left.
	number bool
	// rank says when it goes if there is little room: the highest first, 0 never.
	rank int
	// width is the least width that is wanted, so that columns stay where they are while numbers change.
	width int
	cells []cell
}

const (
	// gap is the space between columns.
	gap = 2
	// leastText is the width below which texts say too little: rather than that, numbers go.
	leastText = 14
)

// natural is the width that a column would like to have.
func (c *column) natural() int {
	width := max(ansi.StringWidth(c.title), c.width)
	for _, cell := range c.cells {
		width = max(width, ansi.StringWidth(cell.text))
	}
	return width
}

// wanted is the width that a table would like to have.
func wanted(columns []column) int {
	width := gap * (len(columns) - 1)
	for _, w := range widths(columns) {
		width += w
	}
	return width
}

// fitted are columns with the widths that they get.
type fitted struct {
	columns []column
	widths  []int
}

// fit finds widths for columns, so that all together are as wide as there is room, if possible: some
// numbers go if there is too little, and texts are stretched if there is too much. Without a bound
// (room 0) all get what they would like.
func fit(columns []column, room int) fitted {
	columns = slices.Clone(columns)
	if room <= 0 {
		return fitted{columns, widths(columns)}
	}
	for {
		natural := widths(columns)
		left := room - gap*(len(columns)-1)
		var texts []int
		least := 0
		for i, c := range columns {
			if c.number {
				left -= natural[i]
			} else {
				texts = append(texts, i)
				least += min(natural[i], leastText)
			}
		}
		if left < least {
			if i := first(columns); i >= 0 {
				columns = slices.Delete(columns, i, i+1)
				continue
			}
		}
		share(natural, texts, max(left, len(texts)))
		return fitted{columns, natural}
	}
}

func widths(columns []column) []int {
	all := make([]int, len(columns))
	for i := range columns {
		all[i] = columns[i].natural()
	}
	return all
}

// first is the column that goes first; -1 if all the others stay.
func first(columns []column) int {
	found := -1
	for i, c := range columns {
		if c.rank > 0 && (found < 0 || c.rank > columns[found].rank) {
			found = i
		}
	}
	return found
}

// share divides the room among texts: those that need less than an equal part leave the rest to the
// others, and the last gets what nobody needs.
func share(natural, texts []int, room int) {
	order := slices.Clone(texts)
	slices.SortStableFunc(order, func(a, b int) int { return natural[a] - natural[b] })
	for n, i := range order {
		natural[i] = min(natural[i], room/(len(order)-n))
		room -= natural[i]
	}
	if len(texts) > 0 {
		natural[texts[len(texts)-1]] += room
	}
}

// header is the line of titles.
func (f fitted) header(paint terminal.Terminal) string {
	cells := make([]cell, len(f.columns))
	for i, c := range f.columns {
		cells[i] = cell{c.title, terminal.Faint}
	}
	return f.join(paint, cells)
}

// line is that of a row.
func (f fitted) line(paint terminal.Terminal, row int) string {
	cells := make([]cell, len(f.columns))
	for i, c := range f.columns {
		cells[i] = c.cells[row]
	}
	return f.join(paint, cells)
}

func (f fitted) join(paint terminal.Terminal, cells []cell) string {
	var b strings.Builder
	spaces := 0 // wait until something follows: lines have no spaces at their ends
	for i, cell := range cells {
		text := terminal.Cut(cell.text, f.widths[i])
		rest := f.widths[i] - ansi.StringWidth(text)
		if f.columns[i].number {
			spaces += rest
			rest = 0
		}
		if text != "" {
			b.WriteString(strings.Repeat(" ", spaces) + paint.Paint(cell.style, text))
			spaces = 0
		}
		spaces += rest + gap
	}
	return b.String()
}
