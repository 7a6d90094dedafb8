package selection

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
)

func TestGlob(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{"checkout", "checkout", true},
		{"checkout", "Checkout", false},
		{"check*", "checkout", true},
		{"check*", "check", true},
		{"*out", "checkout", true},
		{"*eck*", "checkout", true},
		{"c*k*t", "checkout", true},
		{"c*x*t", "checkout", false},
		{"*", "", true},
		{"?", "", false},
		{"?", "é", true},
		{"??", "é", false},
		{"c?t", "cat", true},
		{"a*b*a", "aba", true},
		{"*ab", "aab", true},
		{"*a?", "xab", true},
		{"remote_tap/*", "remote_tap/a/b", true},
		{"[a-z]", "a", false},
		{"[a-z]", "[a-z]", true},
		{`\*`, `\anything`, true},
		{"*\xff", "a\xff", true},
		{strings.Repeat("a*", 50) + "b", strings.Repeat("a", 5000), false},
	} {
		assert.Equal(t, tt.want, newGlob(tt.pattern).matches(tt.text), "%s on %s", tt.pattern, tt.text)
	}
}

func FuzzGlobAndFold(f *testing.F) {
	f.Add("a*b?c", "axxbyc")
	f.Add("STRASSE", "straße ſtrasse")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 50 || len(text) > 200 || strings.ToValidUTF8(pattern, "") != pattern || strings.ToValidUTF8(text, "") != text {
			return
		}
		require.Equal(t, naiveGlob(pattern, text), newGlob(pattern).matches(text))
		if pattern == "" {
			return
		}
		f := newFolded(pattern)
		require.Equal(t, naiveContains(text, pattern), f.in(text), "%q in %q", pattern, text)
	})
}

func TestSeverityNames(t *testing.T) {
	for name, want := range map[string]plog.SeverityNumber{
		"": 0, " ": 0, "info": 9, "INFO": 9, " Info ": 9, "info2": 10, "INFO4": 12, "info5": 0, "warning": 13, "Warning3": 15, "err": 17,
		"critical": 21, "emerg": 21, "notice": 10, "notice4": 13, "verbose": 1, "fatal4": 24, "panic4": 24, "4": 0, "nonsense": 0,
	} {
		assert.Equal(t, want, severityNamed(name), name)
	}
	for n := plog.SeverityNumber(1); n <= 24; n++ {
		assert.Equal(t, n, severityNamed(severityName(n)), "each number's name stands for it")
	}
}

func TestShortened(t *testing.T) {
	assert.Equal(t, "short", shortened("short"))
	long := shortened(strings.Repeat("é", 100))
	assert.Equal(t, strings.Repeat("é", 38)+"…", long)
	assert.LessOrEqual(t, len(long), maxSeenText)
	assert.LessOrEqual(t, len(shortened(strings.Repeat("\x80", 100))), maxSeenText)
}
