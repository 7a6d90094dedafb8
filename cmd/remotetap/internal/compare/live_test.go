package compare

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/collectortest"
)

// screen is what a program writes to a terminal of some size.
type screen struct {
	tty     *os.File
	written chan []byte
	all     bytes.Buffer
}

func newScreen(t *testing.T, rows, columns uint16) *screen {
	t.Helper()
	master, tty, err := pty.Open()
	require.NoError(t, err)
	require.NoError(t, pty.Setsize(tty, &pty.Winsize{Rows: rows, Cols: columns}))
	s := &screen{tty: tty, written: make(chan []byte)}
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer close(s.written)
		for {
			buffer := make([]byte, 4096)
			n, err := master.Read(buffer)
			if err != nil {
				return
			}
			s.written <- buffer[:n]
		}
	}()
	t.Cleanup(func() {
		assert.NoError(t, tty.Close())
		for range s.written {
			continue // to the end
		}
		<-over
		assert.NoError(t, master.Close())
	})
	return s
}

// await reads until a pattern has appeared.
func (s *screen) await(t *testing.T, pattern string) {
	t.Helper()
	late := time.After(time.Minute)
	for wanted := regexp.MustCompile(pattern); !wanted.Match(s.all.Bytes()); {
		select {
		case part, ok := <-s.written:
			require.True(t, ok, "%s", s.all.String())
			s.all.Write(part)
		case <-late:
			require.Fail(t, "it does not appear", "%s in\n%s", pattern, s.all.String())
		}
	}
}

// On a terminal the table is there while it counts, in one place, and Ctrl-C ends with what is known.
func TestTheTableIsLiveAndCtrlCEndsWithIt(t *testing.T) {
	collector := collectortest.Start(t, collectortest.Default)
	screen := newScreen(t, 12, 60)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	a := app.New(app.System{
		In: screen.tty, Out: screen.tty, Err: screen.tty, Version: "test",
		Getenv: func(name string) string { return map[string]string{"LC_ALL": "C.UTF-8", "NO_COLOR": "1"}[name] },
	})
	command := Command(a)
	command.SetArgs([]string{"remote_tap", "after_sampling", "--duration", "1h", "--grace", "0s", collector.Tap()})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error)
	go func() { ended <- command.ExecuteContext(ctx) }()

	collector.AwaitTaps(3)
	screen.await(t, `counting, 1h0m0s left|counting, 59m59s left`)
	require.NoError(t, collectortest.NewShop().Send(ctx, collector.OTLP(), 0, 100, "traces"))
	screen.await(t, `remote_tap/after_sampling +120 [^\0]*left`)
	screen.all.Reset()
	screen.await(t, `\x1b\[\d+A\x1b\[J[^\0]*left`)
	drawn := screen.all.String()
	assert.LessOrEqual(t, strings.Count(drawn[strings.LastIndex(drawn, "\x1b[J"):], "\n"), 11, "no more than there are lines")
	screen.all.Reset()
	cancel()
	screen.await(t, `no difference\.`)
	final := screen.all.String()
	final = final[strings.LastIndex(final, "\x1b[J"):]
	for line := range strings.Lines(final) {
		assert.LessOrEqual(t, len([]rune(strings.TrimSpace(line))), 60)
	}
	assert.Contains(t, final, "Kept: 30.0 %")
	assert.Contains(t, final, "vanished: 280 spans")
	require.NoError(t, <-ended)
}
