package app

import (
	"io"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestThePasswordIsAskedForOnceAndNotShown(t *testing.T) {
	screen, tty, err := pty.Open()
	require.NoError(t, err)
	defer func() { _ = screen.Close() }()
	a := New(System{In: tty, Out: io.Discard, Err: tty, Getenv: func(string) string { return "" }})
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	a.ConnectionFlags(flags)
	require.NoError(t, flags.Parse([]string{"--user", "alice\x1b[31m"}))
	connected := make(chan error, 1)
	go func() {
		for range 2 { // the second does not ask
			if _, err := a.Connect(t.Context(), nil); err != nil {
				connected <- err
				return
			}
		}
		connected <- tty.Close()
	}()
	const question = `Password of alice\x1b[31m: `
	asked := make([]byte, len(question))
	_, err = io.ReadFull(screen, asked)
	require.NoError(t, err)
	require.Equal(t, question, string(asked), "what is no letter stays harmless")
	_, err = io.WriteString(screen, "hush\r")
	require.NoError(t, err)
	require.NoError(t, <-connected)
	rest, _ := io.ReadAll(screen) // a terminal that nobody has open any more is an error
	assert.Empty(t, strings.TrimSpace(string(rest)))
}
