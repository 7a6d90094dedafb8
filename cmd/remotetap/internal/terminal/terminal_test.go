package terminal_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
)

// environment is one as getenv has it.
type environment map[string]string

func (e environment) get(name string) string { return e[name] }

// open makes a pseudo-terminal of 70 columns and 12 lines, and returns the end that commands write to.
func open(t *testing.T) *os.File {
	t.Helper()
	outer, inner, err := pty.Open()
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, inner.Close())
		assert.NoError(t, outer.Close())
	})
	require.NoError(t, pty.Setsize(outer, &pty.Winsize{Cols: 70, Rows: 12}))
	return inner
}

func TestColoursAreForTerminalsUnlessTheEnvironmentSaysOtherwise(t *testing.T) {
	screen := open(t)
	for name, c := range map[string]struct {
		environment         environment
		onScreen, elsewhere bool
	}{
		"terminals have colours, and files have none":   {environment{"TERM": "xterm"}, true, false},
		"NO_COLOR takes them away":                      {environment{"TERM": "xterm", "NO_COLOR": "1"}, false, false},
		"NO_COLOR that is empty is as if it were unset": {environment{"TERM": "xterm", "NO_COLOR": ""}, true, false},
		"NO_COLOR may be any text, 0 too":               {environment{"TERM": "xterm", "NO_COLOR": "0"}, false, false},
		"FORCE_COLOR has files get them":                {environment{"TERM": "xterm", "FORCE_COLOR": "1"}, true, true},
		"NO_COLOR goes before FORCE_COLOR":              {environment{"TERM": "xterm", "NO_COLOR": "1", "FORCE_COLOR": "1"}, false, false},
		"TERM=dumb knows no colours":                    {environment{"TERM": "dumb"}, false, false},
		"TERM=dumb gets them by FORCE_COLOR":            {environment{"TERM": "dumb", "FORCE_COLOR": "1"}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.onScreen, terminal.Of(screen, c.environment.get).Color)
			assert.Equal(t, c.elsewhere, terminal.Of(&bytes.Buffer{}, c.environment.get).Color)
		})
	}
}

func TestADumbTerminalIsWrittenToLikeAFileButHasItsWidth(t *testing.T) {
	screen := open(t)
	dumb := terminal.Of(screen, environment{"TERM": "dumb", "COLUMNS": "33"}.get)
	assert.False(t, dumb.IsTerminal)
	assert.Equal(t, 70, dumb.Width())
	assert.True(t, terminal.Of(screen, environment{"TERM": "xterm"}.get).IsTerminal)
	assert.False(t, terminal.Of(&bytes.Buffer{}, environment{"TERM": "xterm"}.get).IsTerminal)
}

func TestTheSizeIsTheWindowsElseThatOfTheEnvironment(t *testing.T) {
	screen := open(t)
	on := terminal.Of(screen, environment{"COLUMNS": "33"}.get)
	assert.Equal(t, 70, on.Width())
	assert.Equal(t, 12, on.Height())
	require.NoError(t, pty.Setsize(screen, &pty.Winsize{Cols: 50, Rows: 9}))
	assert.Equal(t, 50, on.Width(), "the window has changed")
	assert.Equal(t, 9, on.Height())

	for columns, want := range map[string]int{"33": 33, "": 120, "wide": 120, "0": 120, "-5": 120} {
		assert.Equal(t, want, terminal.Of(&bytes.Buffer{}, environment{"COLUMNS": columns}.get).Width(), "COLUMNS=%s", columns)
	}
	assert.Equal(t, 24, terminal.Terminal{}.Height())
}

func TestUnicodeIsWhatTheFirstVariableOfTheLocaleSays(t *testing.T) {
	for name, c := range map[string]struct {
		environment environment
		want        bool
	}{
		"nothing is the C locale":             {environment{}, false},
		"LANG counts":                         {environment{"LANG": "en_US.UTF-8"}, true},
		"it may be written in other ways":     {environment{"LANG": "de_DE.utf8"}, true},
		"LC_CTYPE goes before LANG":           {environment{"LC_CTYPE": "C", "LANG": "en_US.UTF-8"}, false},
		"LC_ALL goes before LC_CTYPE":         {environment{"LC_ALL": "C.UTF-8", "LC_CTYPE": "C"}, true},
		"LC_ALL that is empty does not count": {environment{"LC_ALL": "", "LANG": "C.UTF-8"}, true},
		"Latin-1 is not Unicode":              {environment{"LANG": "de_DE.ISO-8859-1"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, terminal.Of(&bytes.Buffer{}, c.environment.get).Unicode)
		})
	}
}

func TestTextsAreCutAndFilledByColumnsNotBytes(t *testing.T) {
	for _, c := range []struct {
		text     string
		columns  int
		cut, fit string
	}{
		{"abc", 5, "abc", "abc  "},
		{"abcde", 5, "abcde", "abcde"},
		{"abcdef", 5, "abcd…", "abcd…"},
		{"日本語", 6, "日本語", "日本語"},
		{"日本語", 5, "日本…", "日本…"},
		{"日本語", 4, "日…", "日… "}, // half of a wide character is none
		{"e\u0301e\u0301", 3, "e\u0301e\u0301", "e\u0301e\u0301 "},
		{"\x1b[31mred\x1b[0m", 3, "\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"},
		{"abc", 0, "", ""},
		{"abc", -1, "", ""},
		{"", 2, "", "  "},
	} {
		assert.Equal(t, c.cut, terminal.Cut(c.text, c.columns), "%q in %d", c.text, c.columns)
		assert.Equal(t, c.fit, terminal.Fit(c.text, c.columns), "%q in %d", c.text, c.columns)
		assert.Equal(t, max(c.columns, 0), ansi.StringWidth(terminal.Fit(c.text, c.columns)))
	}
	assert.Equal(t, "abc..", terminal.Terminal{}.Cut("abcdef", 5), "the C locale has no ellipsis")
	assert.Equal(t, "abcd…", terminal.Terminal{Unicode: true}.Cut("abcdef", 5))
}

func TestLinesAreWrappedAtSpacesAndFlagsStayWhole(t *testing.T) {
	for _, c := range []struct {
		text    string
		columns int
		want    string
	}{
		{"write --kube to tap", 20, "write --kube to tap"},
		{"write --kube to tap", 9, "write\n--kube to\ntap"},
		{"write --kube", 8, "write\n--kube"},
		{"two lines\nstay two lines", 9, "two lines\nstay two\nlines"},
		{"  indented words", 10, "  indented\nwords"},
		{"abcdefghij", 4, "abcd\nefgh\nij"},
		{"日本語 日", 5, "日本\n語 日"},
		{"日本", 1, "日本"}, // a column holds neither
		{"a  b", 10, "a  b"},
		{"", 5, ""},
		{"a\n\nb", 0, "a\n\nb"},
	} {
		assert.Equal(t, c.want, terminal.Wrap(c.text, c.columns), "%q in %d", c.text, c.columns)
	}
}

func TestOnlyTheEndsOfLinesAreObeyedInWhatStrangersWrote(t *testing.T) {
	for text, want := range map[string]string{
		"one\ntwo\n":               "one\ntwo\n",
		"\x1b[2Jgone":              `\x1b[2Jgone`,
		"over\rwritten":            `over\rwritten`,
		"a\tb\x00\x07":             `a\tb\x00\x07`,
		"\u009b31mred":             `\u009b31mred`,
		"\u202eevil\nnext\u2066":   "\\u202eevil\nnext\\u2066",
		"\x1b]0;title\x07\nsecond": "\\x1b]0;title\\x07\nsecond",
		"größer 日本":                "größer 日本",
	} {
		assert.Equal(t, want, terminal.Lines(text))
	}
}

func TestTextIsPaintedOnlyWhereColoursAreWanted(t *testing.T) {
	colours := terminal.Terminal{Color: true}
	assert.Equal(t, "\x1b[31mfailed\x1b[0m", colours.Paint(terminal.Red, "failed"))
	assert.Equal(t, "as it is", colours.Paint(terminal.Plain, "as it is"))
	assert.Empty(t, colours.Paint(terminal.Red, ""))
	assert.Equal(t, "failed", terminal.Terminal{}.Paint(terminal.Red, "failed"))
}
