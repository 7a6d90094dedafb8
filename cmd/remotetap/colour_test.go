package main

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/collectortest"
)

func TestColoursOnATerminalAreTakenAwayByTheEnvironment(t *testing.T) {
	c := collectortest.Start(t, collectortest.Default)
	taps := 0
	for name, command := range map[string][]string{
		"tail":       {"tail", "--count", "4", "traces", "point=remote_tap", c.Tap()},
		"top --once": {"top", "--once", "--count", "4", "traces", "point=remote_tap", c.Tap()},
	} {
		for setting, coloured := range map[string]bool{"NO_COLOR=": true, "NO_COLOR=1": false, "TERM=dumb": false} {
			t.Run(name+" with "+setting, func(t *testing.T) {
				taps++
				bytes := written(t, setting, command, func() {
					c.AwaitTaps(taps)
					send(t, c, 4, 5) // one that fails, which is red
				})
				assert.Contains(t, bytes, "payment")
				sgr := regexp.MustCompile(`\x1b\[[0-9;:]*m`).FindAllString(bytes, -1)
				if coloured {
					assert.NotEmpty(t, sgr, "%q", bytes)
				} else {
					assert.Empty(t, sgr, "%q", bytes)
				}
			})
		}
	}
}

// written runs a command on a pseudo-terminal to its end, and returns the very bytes that it has written
// there.
func written(t *testing.T, setting string, args []string, meanwhile func()) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "remotetap", args...)
	command.Env = append(os.Environ(), "HOME="+t.TempDir(), "TERM=xterm-256color", "NO_COLOR=", "FORCE_COLOR=",
		"REMOTETAP_CONFIG=", "REMOTETAP_CONTEXT=", setting)
	file, err := pty.StartWithSize(command, &pty.Winsize{Cols: 120, Rows: 24})
	require.NoError(t, err)
	defer func() { assert.NoError(t, file.Close()) }()
	var read bytes.Buffer
	over := make(chan struct{})
	go func() {
		defer close(over)
		_, _ = read.ReadFrom(file) // Linux says EIO when nobody has the terminal open any more
	}()
	meanwhile()
	<-over
	require.NoError(t, command.Wait(), "%s", read.String())
	return strings.ToValidUTF8(read.String(), "?")
}
