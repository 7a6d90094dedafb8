// Package terminaltest runs commands in a pseudo-terminal for tests, and knows what its screen shows.
package terminaltest

import (
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// screen is a terminal's: what ECMA-48 and xterm make of the bytes that a program writes, as far as
// the commands' libraries use it. Colours are left out.
type screen struct {
	width, height int
	main, other   grid // the one that is shown, and the one behind it
	isAlternate   bool
	parser        *ansi.Parser
	last          rune // for REP
}

// grid is one of a terminal's two screens.
type grid struct {
	cells       [][]rune // a wide character is followed by 0
	x, y        int
	wraps       bool // the cursor is behind the last column
	top, bottom int  // the lines that scroll, bottom not included
}

func newScreen(width, height int) *screen {
	s := &screen{parser: ansi.NewParser()}
	s.resize(width, height)
	s.parser.SetHandler(ansi.Handler{Print: s.print, Execute: s.execute, HandleCsi: s.control, HandleEsc: s.escape})
	return s
}

// write has the screen obey a program's bytes.
func (s *screen) write(data []byte) {
	for _, b := range data {
		s.parser.Advance(b)
	}
}

// String is what the screen shows, without spaces at the ends of lines.
func (s *screen) String() string {
	var lines []string
	for _, row := range s.main.cells {
		text := strings.ReplaceAll(string(row), "\x00", "")
		lines = append(lines, strings.TrimRight(text, " "))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// resize changes the size, as a window does: what is cut off is gone.
func (s *screen) resize(width, height int) {
	s.width, s.height = width, height
	for _, g := range []*grid{&s.main, &s.other} {
		for len(g.cells) < height {
			g.cells = append(g.cells, nil)
		}
		g.cells = g.cells[:height]
		for y, row := range g.cells {
			g.cells[y] = append(slices.Clip(row[:min(len(row), width)]), blank(max(width-len(row), 0))...)
		}
		g.top, g.bottom, g.wraps = 0, height, false
		g.x, g.y = min(g.x, width-1), min(g.y, height-1)
	}
}

func blank(n int) []rune { return []rune(strings.Repeat(" ", n)) }

func (s *screen) print(r rune) {
	g := &s.main
	width := max(ansi.StringWidth(string(r)), 1)
	if g.wraps || g.x+width > s.width {
		g.x, g.wraps = 0, false
		s.down()
	}
	g.cells[g.y][g.x] = r
	if width == 2 {
		g.cells[g.y][g.x+1] = 0
	}
	s.last = r
	if g.x += width; g.x >= s.width {
		g.x, g.wraps = s.width-1, true
	}
}

func (s *screen) execute(b byte) {
	g := &s.main
	g.wraps = false
	switch b {
	case '\r':
		g.x = 0
	case '\n', '\v', '\f':
		s.down()
	case '\b':
		g.x = max(g.x-1, 0)
	case '\t':
		g.x = min((g.x/8+1)*8, s.width-1)
	}
}

func (s *screen) escape(cmd ansi.Cmd) {
	switch cmd.Final() {
	case 'M': // RI
		if g := &s.main; g.y == g.top {
			s.scroll(g.top, -1)
		} else {
			g.y = max(g.y-1, 0)
		}
	case 'D': // IND
		s.down()
	}
}

// down moves the cursor to the next line, and scrolls if there is none.
func (s *screen) down() {
	if g := &s.main; g.y == g.bottom-1 {
		s.scroll(g.top, 1)
	} else {
		g.y = min(g.y+1, s.height-1)
	}
}

// scroll moves the lines from one on up by n, or down if n is negative.
func (s *screen) scroll(from, n int) {
	g := &s.main
	region := g.cells[from:g.bottom]
	for range min(max(n, -n), len(region)) {
		if n > 0 {
			copy(region, region[1:])
			region[len(region)-1] = blank(s.width)
		} else {
			copy(region[1:], region)
			region[0] = blank(s.width)
		}
	}
}

// control obeys a control sequence.
func (s *screen) control(cmd ansi.Cmd, params ansi.Params) {
	if cmd.Prefix() == '?' {
		s.mode(cmd.Final() == 'h', cmd.Final(), params)
		return
	}
	if cmd.Prefix() != 0 || cmd.Intermediate() != 0 {
		return // questions about the terminal, and what keyboards can do
	}
	g := &s.main
	n, _, _ := params.Param(0, 1)
	n = max(n, 1)
	second, _, _ := params.Param(1, 1)
	which, _, _ := params.Param(0, 0)
	if cmd.Final() != 'm' {
		g.wraps = false
	}
	switch cmd.Final() {
	case 'A':
		g.y = max(g.y-n, 0)
	case 'B', 'e':
		g.y = min(g.y+n, s.height-1)
	case 'C', 'a':
		g.x = min(g.x+n, s.width-1)
	case 'D':
		g.x = max(g.x-n, 0)
	case 'E':
		g.x, g.y = 0, min(g.y+n, s.height-1)
	case 'F':
		g.x, g.y = 0, max(g.y-n, 0)
	case 'G', '`':
		g.x = min(n, s.width) - 1
	case 'I':
		g.x = min((g.x/8+n)*8, s.width-1)
	case 'Z':
		g.x = max((g.x+7)/8-n, 0) * 8
	case 'd':
		g.y = min(n, s.height) - 1
	case 'H', 'f':
		g.x, g.y = min(max(second, 1), s.width)-1, min(n, s.height)-1
	case 'S':
		s.scroll(g.top, n)
	case 'T':
		s.scroll(g.top, -n)
	case 'L':
		s.scroll(g.y, -n)
	case 'M':
		s.scroll(g.y, n)
	case 'b':
		for range n {
			s.print(s.last)
		}
	case 'r':
		bottom, _, _ := params.Param(1, s.height)
		g.top, g.bottom, g.x, g.y = n-1, min(bottom, s.height), 0, 0
	default:
		s.erase(cmd.Final(), n, which)
	}
}

// erase obeys those sequences that take characters away, or make room for some.
func (s *screen) erase(final byte, n, which int) {
	g := &s.main
	row := g.cells[g.y]
	switch final {
	case 'X':
		copy(row[g.x:], blank(min(n, s.width-g.x)))
	case 'P':
		g.cells[g.y] = append(slices.Delete(row, g.x, min(g.x+n, s.width)), blank(min(n, s.width-g.x))...)
	case '@':
		g.cells[g.y] = slices.Insert(row, g.x, blank(n)...)[:s.width]
	case 'K':
		from, to := span(which, g.x, s.width)
		copy(row[from:to], blank(to-from))
	case 'J':
		from, to := span(which, g.y, s.height)
		for y := from; y < to; y++ {
			if y != g.y || which >= 2 {
				g.cells[y] = blank(s.width)
			}
		}
		if which < 2 {
			s.erase('K', n, which)
		}
	}
}

// span is what ED and EL are about: from the cursor to the end, up to it, or all.
func span(which, at, size int) (from, to int) {
	switch which {
	case 0:
		return at, size
	case 1:
		return 0, at + 1
	default:
		return 0, size
	}
}

// mode obeys what changes to the alternate screen and back.
func (s *screen) mode(on bool, final byte, params ansi.Params) {
	if final != 'h' && final != 'l' {
		return
	}
	params.ForEach(0, func(_, mode int, _ bool) {
		if (mode == 1049 || mode == 47 || mode == 1047) && on != s.isAlternate {
			s.isAlternate = on
			s.main, s.other = s.other, s.main
			if on {
				s.erase('J', 0, 2)
			}
		}
	})
}
