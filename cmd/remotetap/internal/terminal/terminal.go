// Package terminal knows what is at the other end of an output: whether it is a terminal, how wide,
// whether it wants colour; and keeps what strangers wrote from being obeyed by it.
package terminal

import (
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"

	"github.com/remotetap/remotetapprocessor/internal/format"
)

// defaultWidth is the width, in columns, of what does not tell its own.
const defaultWidth = 120

// Terminal is what an output is. The zero value is no terminal.
type Terminal struct {
	// IsTerminal says that people look at it, and that it can go back in a line.
	IsTerminal bool
	// Color says that it shows colours, and that nobody has asked for none (NO_COLOR, TERM=dumb).
	Color bool
	// Unicode says that the locale's characters are UTF-8 (LC_ALL, LC_CTYPE, LANG), so that lines and
	// arrows may be drawn; else ASCII has to do.
	Unicode bool

	columns string // of the environment, for what has no size
	fd      int
}

// Of finds out what a writer is. The environment's NO_COLOR (https://no-color.org), FORCE_COLOR,
// TERM and COLUMNS are heard.
func Of(w io.Writer, getenv func(string) string) Terminal {
	t := Terminal{columns: getenv("COLUMNS"), fd: -1, Unicode: isUnicode(getenv)}
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		t.fd = int(file.Fd())
		t.IsTerminal = getenv("TERM") != "dumb"
	}
	t.Color = t.IsTerminal || getenv("FORCE_COLOR") != ""
	if getenv("NO_COLOR") != "" {
		t.Color = false
	}
	return t
}

// Width is how many columns there are now; it changes when the window does.
func (t Terminal) Width() int {
	if t.fd >= 0 {
		if width, _, err := term.GetSize(t.fd); err == nil && width > 0 {
			return width
		}
	}
	if width, err := strconv.Atoi(t.columns); err == nil && width > 0 {
		return width
	}
	return defaultWidth
}

// defaultHeight is the height, in lines, of what does not tell its own.
const defaultHeight = 24

// Height is how many lines there are now.
func (t Terminal) Height() int {
	if t.fd >= 0 {
		if _, height, err := term.GetSize(t.fd); err == nil && height > 0 {
			return height
		}
	}
	return defaultHeight
}

// isUnicode reports whether the locale's characters are UTF-8. As POSIX has it, the first of the
// variables that is set decides, and without any it is the C locale.
func isUnicode(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := strings.ToLower(getenv(name)); locale != "" {
			return strings.Contains(strings.ReplaceAll(locale, "-", ""), "utf8")
		}
	}
	return false
}

// Lines is a text of strangers in which only the ends of lines mean what they say.
func Lines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = format.Visible(line)
	}
	return strings.Join(lines, "\n")
}

// Cut shortens a text to a number of columns, with an ellipsis for what is missing. Colours of our
// own in it stay whole.
func Cut(text string, columns int) string {
	return ansi.Truncate(text, max(columns, 0), "…")
}

// Cut shortens a text like the function Cut, with a mark that the terminal's locale has.
func (t Terminal) Cut(text string, columns int) string {
	if t.Unicode {
		return Cut(text, columns)
	}
	return ansi.Truncate(text, max(columns, 0), "..")
}

// Fit makes a text exactly so many columns wide, cut or with spaces behind.
func Fit(text string, columns int) string {
	text = Cut(text, columns)
	return text + strings.Repeat(" ", max(columns-ansi.StringWidth(text), 0))
}

// Wrap breaks the lines of a text at spaces, so that none is wider than a number of columns. Unlike
// typesetters it keeps words with hyphens whole, since flags (--kube) are such; only a word that is wider
// than a line is broken. The spaces that a line begins with stay.
func Wrap(text string, columns int) string {
	columns = max(columns, 1)
	var wrapped []string
	for line := range strings.SplitSeq(text, "\n") {
		words := strings.TrimLeft(line, " ")
		current := line[:len(line)-len(words)]
		empty := true // but for spaces
		for word := range strings.SplitSeq(words, " ") {
			if !empty && ansi.StringWidth(current)+1+ansi.StringWidth(word) > columns {
				wrapped, current, empty = append(wrapped, strings.TrimRight(current, " ")), "", true
			}
			if !empty {
				current += " "
			}
			current, empty = current+word, false
			for ansi.StringWidth(current) > columns {
				head := ansi.Truncate(current, columns, "")
				if head == "" { // one character is wider than that
					break
				}
				wrapped, current = append(wrapped, head), current[len(head):]
			}
		}
		wrapped = append(wrapped, current)
	}
	return strings.Join(wrapped, "\n")
}

// Style is a colour, as the parameters of an SGR escape sequence (ECMA-48).
type Style string

// The styles: few, legible on dark and light, and never all that tells things apart.
const (
	Plain  Style = ""
	Bold   Style = "1"
	Faint  Style = "2"
	Red    Style = "31"
	Green  Style = "32"
	Yellow Style = "33"
	Blue   Style = "34"
	Violet Style = "35"
	Cyan   Style = "36"
)

// Paint colours a text if the terminal wants that. The text must be harmless already.
func (t Terminal) Paint(style Style, text string) string {
	if !t.Color || style == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(style) + "m" + text + "\x1b[0m"
}
