package replay

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/otlpout/receivertest"
)

// onScreen runs the command on a terminal with some columns, and returns each state of its last line
// and the lines that stay.
func onScreen(t *testing.T, columns uint16, args ...string) (states []string, lines []string) {
	t.Helper()
	master, terminal, err := pty.Open()
	require.NoError(t, err)
	require.NoError(t, pty.Setsize(terminal, &pty.Winsize{Rows: 24, Cols: columns}))
	shown := make(chan string)
	go func() {
		content, _ := io.ReadAll(master) // it ends with an error when the other side is closed
		shown <- string(content)
	}()
	environment := map[string]string{"TERM": "xterm", "LANG": "C.UTF-8"}
	a := app.New(app.System{
		In: strings.NewReader(""), Out: io.Discard, Err: terminal, Version: "test",
		Getenv: func(name string) string { return environment[name] },
	})
	command := Command(a)
	command.SetArgs(args)
	err = command.ExecuteContext(t.Context())
	require.NoError(t, terminal.Close())
	text := <-shown
	require.NoError(t, master.Close())
	require.NoError(t, err, text)
	for line := range strings.SplitSeq(text, "\n") {
		parts := strings.Split(line, "\r\x1b[2K")
		states = append(states, parts[:len(parts)-1]...)
		lines = append(lines, strings.TrimRight(parts[len(parts)-1], "\r"))
	}
	return states, lines
}

func TestTheProgressIsShown(t *testing.T) {
	receiver := receivertest.Start(t)
	var content bytes.Buffer
	for i := range 40 {
		fmt.Fprintf(&content, `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"%d","body":{"stringValue":"%s"}}]}]}]}`+"\n",
			1767366245000000000+i*1e9, strings.Repeat("x", 4000))
	}
	path := filepath.Join(t.TempDir(), "long.jsonl")
	require.NoError(t, os.WriteFile(path, content.Bytes(), 0o600))
	states, lines := onScreen(t, 100, path, "--to", receiver.GRPC, "--speed", "40x")
	require.NotEmpty(t, states)
	percents := regexp.MustCompile(`^ *\d+% [█░]{20}  \d+ taken(, \d+s left)?$`)
	for _, state := range states {
		assert.Regexp(t, percents, state)
	}
	assert.Contains(t, states[0], "  1 taken")
	assert.NotContains(t, states[0], "100%", "what is read ahead does not count")
	assert.Regexp(t, `long.jsonl: matched 40 of 40, sent in .*: taken 40, not taken 0$`, lines[0])

	states, _ = onScreen(t, 20, path, "--to", receiver.GRPC, "--speed", "max")
	for _, state := range states {
		assert.Less(t, len([]rune(state)), 20)
	}
}

func TestWhatIsLeftIsInWords(t *testing.T) {
	assert.Equal(t, ", 2m12s left", left(132.7))
	assert.Empty(t, left(0.7), "that is not worth a word")
}
