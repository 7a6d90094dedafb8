package compare

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
)

// found is a report with a bit of everything, in which all texts are the same.
func found(text string) *report {
	half, low, high := 0.5, 0.4, 0.6
	share := shareReport{Share: &half, Low: &low, High: &high}
	return &report{
		Signal: "traces", Seconds: 10,
		Points:     [2]pointReport{{Point: text, Items: 2_000_000, PerSecond: 200_000}, {Point: "b", Items: 1_000_000, PerSecond: 0.5}},
		Kept:       share,
		LookedAt:   &lookReport{Share: 0.125, Items: 1234, Traces: 100, Whole: 50, Gone: 50, Missing: 617, New: 1, Compared: 617, began: time.Second, until: 9 * time.Second},
		Errors:     &groupReport{Items: 3, shareReport: shareReport{Share: &half}},
		Services:   []groupReport{{Service: text, Items: 1000, shareReport: share}, {Service: "", Items: 234, shareReport: share}, {Service: "third", Items: 1}},
		Vanished:   []nameReport{{Service: text, Name: text, Items: 600}},
		New:        []nameReport{{Service: "b", Name: text, Items: 1}},
		Attributes: []attributeReport{{Key: text, Changed: 2, From: text, To: text}, {Key: "added", Added: 1, To: "x"}, {Key: "third"}},
		Expected:   &expectation{Share: 0.25},
		Notes:      []string{"mind " + text},
		found:      findings{vanishedMore: 7},
	}
}

func terminalOf(variables map[string]string) terminal.Terminal {
	return terminal.Of(nil, func(name string) string { return variables[name] })
}

func TestTheReportIsForPeople(t *testing.T) {
	assert.Equal(t, `a → b   traces, 10.0 s

          items   per second
  a   2,000,000      200,000
  b   1,000,000          0.5

Kept: 50.0 % (95 % interval: 40.0 % to 60.0 %)
25.0 % was expected, and 40.0 % to 60.0 % were kept (95 % interval)

Looked at 1 of 8 traces: 1,234 spans of 100 traces, of which 50 came whole, 0 in part, 50 not at all.
The look went from 1.0 s to 9.0 s, the counts are of everything: so shares differ a little.

  service                   spans     kept      95 % interval
  a                         1,000   50.0 %   40.0 % to 60.0 %
  (none)                      234   50.0 %   40.0 % to 60.0 %
  and 1 more
  errors, of all services       3   50.0 %

vanished: 617 spans came to the first point and not to the second
  a   600   a
  and 7 more

new: 1 span came to the second point and never passed the first
  b   1   a

Attributes of 617 spans that came to both:
  a       2   changed   "a" → "a"
  added   1   added     "x"
  and 1 more

- mind a
`, found("a").text(terminalOf(map[string]string{"COLUMNS": "120", "LC_ALL": "C.UTF-8"}), 2))
}

func TestFiguresThatDifferSayWhy(t *testing.T) {
	text := func(items int, compared uint64) string {
		r := found("a")
		r.Points[0].Items = 1000
		l := r.LookedAt
		l.Share, l.Items, l.Missing, l.Compared = 1, items, 400, compared
		return r.text(terminalOf(map[string]string{"COLUMNS": "120"}), 2)
	}
	assert.NotContains(t, text(1000, 600), "The look went", "they agree")
	assert.Contains(t, text(1000, 600), "600 spans that came to both:")
	assert.Contains(t, text(900, 700), "The look went from 1.0 s to 9.0 s, the counts are of everything")
	assert.Contains(t, text(900, 700), "700 spans that came to both at any time:")
}

func TestNoTextOfStrangersReachesTheTerminal(t *testing.T) {
	evil := "\x1b[2J\x1b]0;owned\a\r\nname\u202e"
	text := found(evil).text(terminalOf(map[string]string{"COLUMNS": "500", "LC_ALL": "C.UTF-8"}), 10)
	for _, control := range []string{"\x1b", "\a", "\r", "\u202e"} {
		assert.NotContains(t, text, control)
	}
	assert.Equal(t, 10, strings.Count(text, `\x1b[2J`), "it is shown in every place: %s", text)
	document, err := json.Marshal(found(evil))
	require.NoError(t, err)
	assert.NotContains(t, string(document), "\x1b", "JSON's escapes do it")
}

func TestNoLineIsWiderThanTheTerminal(t *testing.T) {
	for columns, most := range map[string]int{"12": 12, "30": 30, "60": 60, "80": 80} {
		text := found(strings.Repeat("long ", 40)).text(terminalOf(map[string]string{"COLUMNS": columns}), 10)
		for line := range strings.Lines(text) {
			assert.LessOrEqual(t, len([]rune(strings.TrimRight(line, "\n"))), most, "%q", line)
		}
	}
}

func TestWithoutUTF8ThereAreNoArrows(t *testing.T) {
	for _, columns := range []string{"30", "120"} {
		for _, r := range found("a long name").text(terminalOf(map[string]string{"COLUMNS": columns, "LANG": "C"}), 10) {
			require.Less(t, r, rune(128))
		}
	}
}
