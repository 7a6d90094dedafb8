package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/remotetap/remotetapprocessor/internal/selection"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

func noEnvironment(string) string { return "" }

func TestTheExitCodeTellsWhatKindOfFailureItWas(t *testing.T) {
	refused := func(code codes.Code) error {
		return &tapclient.OriginError{Err: &tapclient.RefusedError{Code: code, Message: "no"}}
	}
	for _, test := range []struct {
		name string
		err  error
		want Code
	}{
		{"nothing is wrong", nil, 0},
		{"the reader of a pipe has left", &os.PathError{Op: "write", Err: syscall.EPIPE}, 0},
		{"the reader of a pipe in this process has left", io.ErrClosedPipe, 0},
		{"Ctrl-C", fmt.Errorf("dial: %w", context.Canceled), 0},
		{"a disk is full", &os.PathError{Op: "write", Err: syscall.ENOSPC}, 1},
		{"nobody listens", &tapclient.OriginError{Err: syscall.ECONNREFUSED}, 1},
		{"wrong arguments", Usage("no"), 2},
		{"a selection that means nothing", &selection.Error{Message: "no"}, 2},
		{"a server finds the selection wrong", refused(codes.InvalidArgument), 2},
		{"no credentials", refused(codes.Unauthenticated), 3},
		{"all taps are taken", refused(codes.ResourceExhausted), 3},
		{"a foreign Host", refused(codes.PermissionDenied), 3},
		{"a condition does not hold", Unproved("no"), 4},
		{"an error that carries its code within others", fmt.Errorf("a: %w", Unproved("no")), 4},
	} {
		assert.Equal(t, test.want, CodeOf(test.err), test.name)
	}
}

func TestTotalsSayWhatWasLost(t *testing.T) {
	received := func(n uint64) tapclient.Received { return tapclient.Received{Items: n} }
	for _, test := range []struct {
		totals tapclient.Totals
		want   string
	}{
		{tapclient.Totals{}, "matched 0, received 0, dropped 0"},
		{tapclient.Totals{Received: received(1204), Ledger: tapclient.Ledger{Matched: 1204}}, "matched 1,204, received 1,204, dropped 0"},
		{
			tapclient.Totals{Received: received(1180), Ledger: tapclient.Ledger{Matched: 1204, Dropped: map[string]uint64{"rate_limit": 4, "queue_full": 20, "overhead": 0}}},
			"matched 1,204, received 1,180, dropped 24: queue_full 20, rate_limit 4",
		},
		{
			tapclient.Totals{Ledger: tapclient.Ledger{Skipped: 5, EvalErrors: 6}, Missed: 90 * time.Second},
			"matched 0, received 0, dropped 0; 5 passed unread (skipped, since taps may take only max_overhead of the collector's time); " +
				"where failed on 6; not connected for 1m30s",
		},
	} {
		assert.Equal(t, test.want, TotalsWords(test.totals))
	}
}

func TestTheStatusSaysWhatIsLostOrWhyNothingComes(t *testing.T) {
	for _, test := range []struct {
		totals tapclient.Totals
		want   string
	}{
		{tapclient.Totals{}, "waiting: nothing has passed yet"},
		{tapclient.Totals{Ledger: tapclient.Ledger{Seen: 1234, Unmatched: 1234}}, "waiting: 1,234 passed, none of it is selected"},
		{tapclient.Totals{Ledger: tapclient.Ledger{Seen: 10, Matched: 1}}, ""},
		{tapclient.Totals{Received: tapclient.Received{Items: 1}}, ""},
		{
			tapclient.Totals{Ledger: tapclient.Ledger{Seen: 20, Skipped: 3, Matched: 10, Dropped: map[string]uint64{"rate_limit": 2}}},
			"dropped 2 of 10: rate_limit 2; skipped 3 of 20 (max_overhead)",
		},
	} {
		assert.Equal(t, test.want, statusWords(test.totals))
	}
}

func TestWordsOnNoTerminalAreLinesAndNothingElse(t *testing.T) {
	var words, data bytes.Buffer
	a := New(System{Out: &data, Err: &words, Getenv: noEnvironment})
	a.Status("dropped 1 of 2")
	a.Say("hello %s", "\x1b[2Jyou\nthere")
	require.NoError(t, a.Print([]byte("item\n")))
	a.Status("")
	assert.Equal(t, "hello \\x1b[2Jyou\nthere\n", words.String())
	assert.Equal(t, "item\n", data.String())
}

// onTerminal is an App on a terminal of so many columns, and what has been written there.
func onTerminal(t *testing.T, columns uint16) (a *App, written func() string) {
	t.Helper()
	theirs, ours, err := pty.Open()
	require.NoError(t, err)
	require.NoError(t, pty.Setsize(theirs, &pty.Winsize{Cols: columns, Rows: 24}))
	read := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(theirs) // ends with EIO when the last one closes the other side
		read <- string(text)
	}()
	t.Cleanup(func() { assert.NoError(t, theirs.Close()) })
	return New(System{Out: ours, Err: ours, Getenv: noEnvironment}), func() string {
		require.NoError(t, ours.Close())
		return strings.ReplaceAll(<-read, "\r\n", "\n")
	}
}

func TestTheStatusLineStepsAsideForDataAndWords(t *testing.T) {
	a, written := onTerminal(t, 80)
	a.Status("lost 1")
	a.Status("lost 1")
	require.NoError(t, a.Print([]byte("item\n")))
	a.Say("words")
	a.Status("")
	const wipe = "\r\x1b[2K"
	assert.Equal(t, "lost 1"+wipe+"item\nlost 1"+wipe+"words\nlost 1"+wipe, written())
}

func TestALongStatusLineIsCutSoThatItNeverWraps(t *testing.T) {
	a, written := onTerminal(t, 20)
	a.Status("dropped 1,234 of 9,999: \x1b[31mrate_limit")
	assert.Equal(t, "dropped 1,234 of …", written())
}

func TestFlagsAreGroupedByWhatTheyAreAbout(t *testing.T) {
	command := &cobra.Command{Use: "test"}
	flags := command.Flags()
	flags.SortFlags = false
	flags.Bool("own", false, "")
	flags.Duration("count-down", 0, "")
	New(System{Getenv: noEnvironment}).ConnectionFlags(flags)
	SelectionFlags(flags, OptionCount)
	command.InitDefaultHelpFlag()
	var names [][]string
	for _, group := range FlagGroups(flags) {
		var in []string
		group.Flags.VisitAll(func(f *pflag.Flag) { in = append(in, f.Name) })
		names = append(names, in)
	}
	require.Len(t, names, 5)
	assert.Equal(t, []string{"own", "count-down"}, names[0])
	assert.Equal(t, []string{"point", "not-point", "signal", "service"}, names[1][:4])
	assert.Equal(t, []string{"count"}, names[2])
	assert.Contains(t, names[3], "cacert")
	assert.Equal(t, []string{"help"}, names[4])
}

func TestAnErrorIsItsMessage(t *testing.T) {
	cause := errors.New("cause")
	err := &Error{Code: CodeFailed, Err: cause}
	assert.Equal(t, "cause", err.Error())
	assert.ErrorIs(t, err, cause)
}
