package selection

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// nested is a function called on its own result.
func nested(function, argument string, times int) string {
	return strings.Repeat(function+"(", times) + argument + strings.Repeat(")", times)
}

func TestConditionsThatCouldTakeAnythingAreRefused(t *testing.T) {
	var grammar []string
	for i := range 22 {
		grammar = append(grammar, fmt.Sprintf(`"A%d=%%{A%d}%%{A%d}"`, i, i+1, i+1))
	}
	tests := []struct{ name, condition, want string }{
		{"a regular expression that repeats", `IsMatch(span.name, "` + strings.Repeat("(.{1,1000})?", 300) + `")`, "more than 1000 steps"},
		{"one that repeats what repeats", `IsMatch(span.name, "((ab{10}){10}){10}")`, "more than 1000 steps"},
		{"one that is long", `IsMatch(span.name, "` + strings.Repeat("a?", 501) + `")`, "more than 1000 steps"},
		{"one that the telemetry has", `IsMatch(span.name, span.attributes["pattern"])`, "IsMatch"},
		{"one that is none", `IsMatch(span.name, "(")`, "no regular expression"},
		{"a grammar of its own", `ExtractGrokPatterns(span.name, "%{A0}", true, [` + strings.Join(grammar, ",") + `]) != nil`, "ExtractGrokPatterns"},
		{"a text as large as one likes", `Format("%1000000s", [span.name]) != ""`, "Format"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse(url.Values{"where": {tt.condition}}, AllSignals())
			require.ErrorContains(t, err, tt.want)
		})
	}
	for _, name := range withheld() {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(url.Values{"where": {name + "(span.name) != nil"}}, AllSignals())
			require.ErrorContains(t, err, name)
		})
	}
}

func TestConditionFailsOnWhatIsTooLargeForIt(t *testing.T) {
	tests := []struct {
		name, condition string
		size            int // of the span's name
		matches, fails  bool
	}{
		{"a text that doubles", `Len(` + nested("Hex", "span.name", 10) + `) == 1024`, 1, true, false},
		{"a text that doubles without end", `Len(` + nested("Hex", "span.name", 30) + `) > 0`, 1, false, true},
		{"a small pattern on a large text", `IsMatch(span.name, "^a+$")`, 1 << 19, true, false},
		{"a large pattern on a small text", `IsMatch(span.name, "^a{1,900}$")`, 900, true, false},
		{"a large pattern on a large text", `IsMatch(span.name, "^a{1,900}$")`, 1 << 19, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			td := ptrace.NewTraces()
			td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty().SetName(strings.Repeat("a", tt.size))
			sel, err := Parse(url.Values{"where": {tt.condition}}, AllSignals())
			require.NoError(t, err)
			m, err := Compile(sel)
			require.NoError(t, err)
			var marks Marks
			require.NoError(t, m.MatchTraces(td, 1, &marks, Budget{}))
			assert.Equal(t, tt.matches, marks.All())
			assert.Equal(t, tt.fails, marks.Result().EvalErrors == 1)
		})
	}
}
