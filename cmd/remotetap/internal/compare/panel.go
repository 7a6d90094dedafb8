package compare

import (
	"fmt"
	"strings"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
)

// panel is a text on a terminal that is drawn again and again in the same place.
type panel struct {
	app   *app.App
	lines int // that are there
}

// draw puts a text, whose lines are no wider than the terminal, in the place of the one before. What is
// higher than the terminal is cut.
func (p *panel) draw(text string) {
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	if most := max(p.app.Screen.Height()-2, 1); len(lines) > most {
		lines = lines[:most]
	}
	text = strings.TrimSuffix(strings.Join(lines, ""), "\n") + "\n"
	if p.app.Print([]byte(p.back()+text)) == nil {
		p.lines = len(lines)
	}
}

// back returns to where the text began, and takes it away.
func (p *panel) back() string {
	if p.lines == 0 {
		return ""
	}
	return fmt.Sprintf("\r\x1b[%dA\x1b[J", p.lines)
}
