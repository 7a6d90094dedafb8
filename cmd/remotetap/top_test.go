package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/collectortest"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminaltest"
)

// inTerminal starts this command in a terminal.
func inTerminal(t *testing.T, width, height int, args ...string) *terminaltest.Terminal {
	t.Helper()
	command := exec.CommandContext(t.Context(), "remotetap", args...)
	command.Env = append(os.Environ(), "HOME="+t.TempDir(), "TERM=xterm-256color", "TZ=UTC", "NO_COLOR=", "REMOTETAP_CONFIG=", "REMOTETAP_CONTEXT=")
	return terminaltest.Start(t, width, height, command)
}

// watchTop starts top in a terminal, and has 50 orders pass.
func watchTop(t *testing.T, width, height int) (*collectortest.Collector, *terminaltest.Terminal) {
	t.Helper()
	c := collectortest.Start(t, collectortest.Default)
	term := inTerminal(t, width, height, "top", c.Tap(), "point=remote_tap")
	c.AwaitTaps(1)
	term.AwaitText("Waiting for telemetry")
	send(t, c, 0, 50)
	term.AwaitText("350 of 350 items matched, and are counted")
	return c, term
}

func send(t *testing.T, c *collectortest.Collector, from, to int) {
	t.Helper()
	require.NoError(t, collectortest.NewShop().Send(t.Context(), c.OTLP(), from, to))
}

// lineWith is the line of a screen that has a text in it; "" if there is none.
func lineWith(screen, text string) string {
	for line := range strings.Lines(screen) {
		if strings.Contains(line, text) {
			return strings.TrimRight(line, "\n")
		}
	}
	return ""
}

func TestTopShowsWhatPassesAndEndsWithTheAccount(t *testing.T) {
	_, term := watchTop(t, 120, 30)
	term.Press("w")
	screen := term.AwaitText("since ", "SELECT card", "orders.total")
	t.Log("\n" + screen)
	assert.Regexp(t, `^payment  +POST /pay +[\d.]+ +10 +20.0% +(9|10)\d(\.\d)?ms +1\d\dms +1\d\dms +50$`, lineWith(screen, "POST /pay"))
	_, logs, _ := strings.Cut(screen, "LOGS")
	assert.Regexp(t, `^payment +[\d.]+ +10 +0 +40 +50$`, lineWith(logs, "payment"))
	assert.Regexp(t, `^queue.length +checkout +[\d.]+ +0 \{order\} +50$`, lineWith(screen, "queue.length"))

	term.Press("\x03") // Ctrl-C
	assert.Equal(t, 0, term.Wait())
	assert.Equal(t, "matched 350, received 350, dropped 0", term.Screen())
}

func TestTopObeysItsKeys(t *testing.T) {
	c, term := watchTop(t, 120, 30)

	term.Press("s")
	screen := term.AwaitText("sorted by errors", "ERRORS↓")
	assert.Less(t, strings.Index(screen, "POST /pay"), strings.Index(screen, "GET /checkout"), "failures come first")

	term.Press("/Select\r")
	screen = term.AwaitText("only Select")
	assert.Contains(t, screen, "SELECT card")
	assert.NotContains(t, screen, "POST /pay")
	term.Press("\x1b")
	term.AwaitText("POST /pay")

	term.Press(" ")
	term.AwaitText("PAUSED")
	send(t, c, 50, 60)
	screen = term.AwaitText("70 more counted")
	assert.Regexp(t, ` 50$`, lineWith(screen, "POST /pay"), "the table stands still")
	term.Press(" ")
	term.Await("what was counted meanwhile", func(screen string) bool {
		return strings.HasSuffix(lineWith(screen, "POST /pay"), " 60")
	})

	term.Press("\t")
	term.Await("spans only", func(screen string) bool {
		return strings.Contains(screen, "SPANS") && !strings.Contains(screen, "LOGS") && !strings.Contains(screen, "METRICS")
	})
	term.Press("?")
	term.AwaitText("hold the screen still", "any key: back")
	term.Press("x")
	term.AwaitText("SPANS")
	term.Press("r")
	term.AwaitText("Waiting for telemetry", "Nothing is lost: 0 of 0")

	term.Press("q")
	assert.Equal(t, 0, term.Wait())
	assert.Contains(t, term.Screen(), "matched 420, received 420, dropped 0", "the account is of everything")
}

func TestTopFollowsTheWindow(t *testing.T) {
	_, term := watchTop(t, 120, 30)
	term.AwaitText("METRICS", "P50")
	for _, size := range [][2]int{{60, 20}, {40, 12}, {100, 24}} {
		term.Resize(size[0], size[1])
		screen := term.Await("everything within the window", func(screen string) bool {
			lines := strings.Split(screen, "\n")
			return len(lines) == size[1] && strings.HasPrefix(lines[0], "remotetap top") && strings.HasPrefix(lines[size[1]-1], "q quit")
		})
		t.Log("\n" + screen)
		for line := range strings.Lines(screen) {
			assert.LessOrEqual(t, ansi.StringWidth(strings.TrimRight(line, "\n")), size[0])
		}
		assert.Contains(t, screen, "SPANS")
		assert.Contains(t, screen, "payment")
	}
	term.Press("q")
	assert.Equal(t, 0, term.Wait())
}
