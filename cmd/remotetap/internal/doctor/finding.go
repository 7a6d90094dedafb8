package doctor

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
)

// state is how it is with what was looked at.
type state string

const (
	stateOK      state = "ok"
	stateNote    state = "note"    // worth knowing; not wrong
	stateProblem state = "problem" // this is why nothing is seen, or may be
)

// finding is what was found at one step.
type finding struct {
	// Check is the step, in a word.
	Check string `json:"check"`
	State state  `json:"state"`
	// Text says what is there.
	Text string `json:"text"`
	// Remedy says what to do; "" if there is nothing to do.
	Remedy string `json:"remedy,omitempty"`
}

// report is what was found at one address.
type report struct {
	Endpoint string `json:"endpoint"`
	// Address is where it leads, if that is not the endpoint.
	Address  string    `json:"address,omitempty"`
	Healthy  bool      `json:"healthy"`
	Findings []finding `json:"findings"`
}

// problems counts them.
func (r report) problems() int {
	n := 0
	for _, f := range r.Findings {
		if f.State == stateProblem {
			n++
		}
	}
	return n
}

// checkWidth is the widest check, in columns.
const checkWidth = 9

// mark is what stands before a finding.
type mark struct {
	text  string
	style terminal.Style
}

// marks are those of the states.
func (d *doctor) marks() (marks map[state]mark, arrow string) {
	if d.unicode() {
		return map[state]mark{
			stateOK:      {"✓", terminal.Green},
			stateNote:    {"–", terminal.Yellow},
			stateProblem: {"✗", terminal.Red},
		}, "→ "
	}
	return map[state]mark{
		stateOK:      {"ok", terminal.Green},
		stateNote:    {"--", terminal.Yellow},
		stateProblem: {"!!", terminal.Red},
	}, "> "
}

// unicode reports whether the locale has the signs (POSIX: LC_ALL before LC_CTYPE before LANG).
func (d *doctor) unicode() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := d.app.Getenv(name); locale != "" {
			locale = strings.ToUpper(locale)
			return strings.Contains(locale, "UTF-8") || strings.Contains(locale, "UTF8")
		}
	}
	return false
}

// render is a report for people: the findings with their texts in a column of their own. All of it may
// come from servers and is made harmless.
func (d *doctor) render(r report) string {
	var b strings.Builder
	title := terminal.Lines(r.Endpoint)
	if r.Address != "" {
		title += " at " + terminal.Lines(r.Address)
	}
	b.WriteString(d.app.Screen.Paint(terminal.Bold, title) + "\n")
	marks, arrow := d.marks()
	for _, f := range r.Findings {
		m := marks[f.State]
		indent := 2 + ansi.StringWidth(m.text) + 1 + checkWidth + 1
		b.WriteString("  " + d.app.Screen.Paint(m.style, m.text) + " " + terminal.Fit(f.Check, checkWidth) + " ")
		d.paragraph(&b, f.Text, indent, "")
		if f.Remedy != "" {
			b.WriteString(strings.Repeat(" ", indent))
			d.paragraph(&b, f.Remedy, indent, arrow)
		}
	}
	b.WriteString("\n")
	return b.String()
}

// paragraph writes a text whose first line is indented already, and wraps it at the screen's width.
func (d *doctor) paragraph(b *strings.Builder, text string, indent int, before string) {
	width := d.app.Screen.Width() - indent - ansi.StringWidth(before)
	text = terminal.Lines(text)
	if width >= 20 { // narrower, it is better left to the terminal
		text = terminal.Wrap(text, width)
	}
	hang := strings.Repeat(" ", indent+ansi.StringWidth(before))
	for i, line := range strings.Split(text, "\n") {
		if i == 0 {
			b.WriteString(before)
		} else {
			b.WriteString(hang)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}
