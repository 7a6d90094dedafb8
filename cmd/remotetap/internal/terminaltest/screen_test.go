package terminaltest

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTheScreenShowsWhatATerminalWould(t *testing.T) {
	for _, c := range []struct {
		name, written, shown string
	}{
		{"text, lines and colours", "one\r\n\x1b[31mtwo\x1b[0m", "one\ntwo"},
		{"a line that is too long goes on below", "0123456789ab", "0123456789\nab"},
		{"the last column waits for more", "0123456789\r\nab", "0123456789\nab"},
		{"wide characters take two columns", "日本語日本語", "日本語日本\n語"},
		{"the lines scroll", "1\r\n2\r\n3\r\n4\r\n5", "2\n3\n4\n5"},
		{"the cursor goes anywhere", "\x1b[2;3Hx\x1b[Ay\x1b[5Dz\x1b[4dend", "z  y\n  x\n\n end"},
		{"what is erased is gone", "hello\x1b[3D\x1b[Kp\r\nabc\x1b[1K\r\nabcdef\x1b[4G\x1b[2X", "hep\n\nabc  f"},
		{"all is erased", "hello\r\nyou\x1b[2J\x1b[Hhi", "hi"},
		{"from here on is erased", "one\r\ntwo\r\nthree\x1b[2;2H\x1b[J", "one\nt"},
		{"characters are put in and taken out", "abcdef\x1b[2G\x1b[2P\x1b[1@", "a def"},
		{"lines are put in and taken out", "1\r\n2\r\n3\x1b[2H\x1b[L\x1b[H\x1b[M", "\n2\n3"},
		{"one is repeated", "a\x1b[4bc", "aaaaac"},
		{"only a part scrolls", "1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[S", "1\n3\n\n4"},
		{"the other screen is another", "first\x1b[?1049hsecond", "second"},
		{"and goes again", "first\x1b[?1049h\x1b[Hsecond\x1b[?1049l.", "first."},
		{"questions and titles show nothing", "\x1b[>1u\x1b[?2026$p\x1b]2;title\x07\x1b[c-", "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScreen(10, 4)
			s.write([]byte(c.written))
			assert.Equal(t, c.shown, s.String())
		})
	}
}

func TestACommandRunsInATerminal(t *testing.T) {
	term := Start(t, 40, 5, exec.CommandContext(t.Context(), "sh", "-c", "stty size; read -r line; echo \"got $line\"; stty size; exit 3"))
	term.AwaitText("5 40")
	term.Resize(30, 6)
	term.Press("x\r")
	term.AwaitText("got x", "6 30")
	assert.Equal(t, 3, term.Wait())
}
