package forward

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/collectortest"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/otlpout/receivertest"
)

// words is a writer that a test reads while another goroutine writes.
type words struct {
	mu      sync.Mutex
	b       bytes.Buffer
	waiting string // until this is written
	written chan struct{}
}

// await blocks until a text was written.
func (w *words) await(text string) {
	w.mu.Lock()
	if strings.Contains(w.b.String(), text) {
		w.mu.Unlock()
		return
	}
	w.waiting, w.written = text, make(chan struct{})
	w.mu.Unlock()
	<-w.written
}

// Write writes.
func (w *words) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.b.Write(data)
	if w.waiting != "" && strings.Contains(w.b.String(), w.waiting) {
		w.waiting = ""
		close(w.written)
	}
	return n, err
}

// String is what was written.
func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// command is a forward that runs.
type command struct {
	words words
	over  chan error
}

func start(ctx context.Context, args ...string) *command {
	c := &command{over: make(chan error, 1)}
	a := app.New(app.System{In: strings.NewReader(""), Out: io.Discard, Err: &c.words, Getenv: func(string) string { return "" }, Version: "test"})
	cobra := Command(a)
	cobra.SilenceErrors, cobra.SilenceUsage = true, true
	cobra.SetArgs(args)
	go func() { c.over <- cobra.ExecuteContext(ctx) }()
	return c
}

// account reads the totals: everything that was received must be there.
func (c *command) account(t *testing.T) (received, taken, lost int) {
	t.Helper()
	text := strings.ReplaceAll(c.words.String(), ",", "")
	found := regexp.MustCompile(`(?s)taken (\d+) not taken (\d+).*received (\d+)`).FindStringSubmatch(text)
	require.NotNil(t, found, text)
	number := func(i int) int {
		n, err := strconv.Atoi(found[i])
		require.NoError(t, err)
		return n
	}
	received, taken, lost = number(3), number(1), number(2)
	assert.Equal(t, received, taken+lost, text)
	return received, taken, lost
}

// sendUntil sends orders, some at a time, until something is over, and returns how that ended. A collector
// under load may drop some, so nobody can say before how many it takes.
func sendUntil(t *testing.T, collector *collectortest.Collector, orders int, over <-chan error) error {
	t.Helper()
	for from := 0; ; from += orders {
		select {
		case err := <-over:
			return err
		default:
			require.NoError(t, collectortest.NewShop().Send(t.Context(), collector.OTLP(), from, from+orders))
		}
	}
}

func TestNothingIsLostThatIsNotCounted(t *testing.T) {
	collector := collectortest.Start(t, collectortest.Default)
	receiver := receivertest.Start(t)
	rejected := atomic.Int64{}
	receiver.Answer = func(request int) (int64, string, error) {
		switch {
		case request < 3:
			return 0, "", status.Error(codes.Unavailable, "starting")
		case request%5 == 4:
			return 0, "", status.Error(codes.InvalidArgument, "no such tenant")
		case request%5 == 0:
			rejected.Add(2)
			return 2, "too old", nil
		}
		return 0, "", nil
	}
	c := start(t.Context(), collector.Tap(), "--to", receiver.GRPC, "point=remote_tap", "--count", "700")
	collector.AwaitTaps(1)
	err := sendUntil(t, collector, 5, c.over)
	received, taken, lost := c.account(t)
	assert.Equal(t, 700, received)
	assert.Equal(t, receiver.Items()-int(rejected.Load()), taken)
	assert.Positive(t, lost)
	require.ErrorContains(t, err, "of 700 items were not taken")
	assert.Equal(t, app.CodeFailed, app.CodeOf(err))
	assert.Contains(t, c.words.String(), "starting (Unavailable); trying again")
	assert.Contains(t, c.words.String(), "it takes telemetry again")
}

func TestTheQueueGivesWayToASlowReceiver(t *testing.T) {
	collector := collectortest.Start(t, collectortest.Default)
	receiver := receivertest.Start(t)
	gate := make(chan struct{})
	receiver.OnRequest = func() { <-gate }
	c := start(t.Context(), collector.Tap(), "--to", receiver.GRPC, "point=remote_tap", "signal=traces", "--queue", "1MiB", "--count", "24000")
	collector.AwaitTaps(1)
	ended := make(chan error)
	go func() {
		defer close(ended)
		collector.AwaitEnds(1)
	}()
	require.NoError(t, sendUntil(t, collector, 200, ended))
	close(gate)
	require.ErrorContains(t, <-c.over, "were not taken")
	received, taken, lost := c.account(t)
	assert.Equal(t, 24000, received)
	assert.Equal(t, receiver.Items(), taken)
	assert.Positive(t, lost)
	assert.Contains(t, c.words.String(), "queue_full")
}

func TestCtrlCSendsWhatWaits(t *testing.T) {
	collector := collectortest.Start(t, collectortest.Default)
	receiver := receivertest.Start(t)
	ctx, cancel := context.WithCancel(t.Context())
	receiver.OnRequest = cancel
	c := start(ctx, collector.Tap(), "--to", receiver.GRPC, "point=remote_tap", "signal=traces")
	collector.AwaitTaps(1)
	require.NoError(t, collectortest.NewShop().Send(t.Context(), collector.OTLP(), 0, 5, "traces"))
	require.NoError(t, <-c.over)
	received, taken, lost := c.account(t)
	assert.Equal(t, [3]int{20, 20, 0}, [3]int{received, taken, lost})
}

func TestCtrlCDoesNotWaitForever(t *testing.T) {
	collector := collectortest.Start(t, collectortest.Default)
	receiver := receivertest.Start(t)
	ctx, cancel := context.WithCancel(t.Context())
	gate := make(chan struct{})
	receiver.OnRequest = func() {
		cancel()
		<-gate
	}
	c := start(ctx, collector.Tap(), "--to", receiver.GRPC, "point=remote_tap", "signal=traces", "--drain", "50ms")
	collector.AwaitTaps(1)
	require.NoError(t, collectortest.NewShop().Send(t.Context(), collector.OTLP(), 0, 5, "traces"))
	require.NoError(t, <-c.over)
	close(gate)
	_, _, lost := c.account(t)
	assert.Equal(t, 20, lost)
	assert.Contains(t, c.words.String(), "not taken 20: interrupted 20")
	assert.Contains(t, c.words.String(), "20 items wait for an answer; going on for up to 50ms (--drain)")
}

func TestAReceiverThatIsDownAtTheEndIsGivenUpAfterDrain(t *testing.T) {
	collector := collectortest.Start(t, collectortest.Default)
	receiver := receivertest.Start(t)
	receiver.Answer = func(int) (int64, string, error) { return 0, "", status.Error(codes.Unavailable, "starting") }
	c := start(t.Context(), collector.Tap(), "--to", receiver.GRPC, "point=remote_tap", "signal=traces", "--count", "20", "--drain", "50ms")
	collector.AwaitTaps(1)
	require.NoError(t, collectortest.NewShop().Send(t.Context(), collector.OTLP(), 0, 5, "traces"))
	err := <-c.over
	require.ErrorContains(t, err, "20 of 20 items were not taken")
	assert.Equal(t, app.CodeFailed, app.CodeOf(err))
	c.account(t)
	text := c.words.String()
	assert.Contains(t, text, "not taken 20: unavailable 20")
	assert.Equal(t, 1, strings.Count(text, "starting (Unavailable); trying again"), text)
	assert.Equal(t, 1, strings.Count(text, receiver.GRPC+": 20 items wait for an answer; going on for up to 50ms (--drain)"), text)
}

func TestCtrlCWhileTheRestIsSentEndsIt(t *testing.T) {
	collector := collectortest.Start(t, collectortest.Default)
	receiver := receivertest.Start(t)
	receiver.Answer = func(int) (int64, string, error) { return 0, "", status.Error(codes.Unavailable, "starting") }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := start(ctx, collector.Tap(), "--to", receiver.GRPC, "point=remote_tap", "signal=traces", "--count", "20", "--drain", "10m", "--to-retry", "10m")
	collector.AwaitTaps(1)
	require.NoError(t, collectortest.NewShop().Send(t.Context(), collector.OTLP(), 0, 5, "traces"))
	c.words.await("going on for up to 10m0s (--drain)")
	cancel()
	require.NoError(t, <-c.over)
	c.account(t)
	assert.Contains(t, c.words.String(), "not taken 20: interrupted 20")
}

func TestWrongCredentialsEndIt(t *testing.T) {
	collector := collectortest.Start(t, collectortest.Default)
	receiver := receivertest.Start(t)
	receiver.Answer = func(int) (int64, string, error) { return 0, "", status.Error(codes.Unauthenticated, "who are you?") }
	c := start(t.Context(), collector.Tap(), "--to", receiver.GRPC, "point=remote_tap", "signal=traces")
	collector.AwaitTaps(1)
	require.NoError(t, collectortest.NewShop().Send(t.Context(), collector.OTLP(), 0, 5, "traces"))
	err := <-c.over
	require.ErrorContains(t, err, "who are you?")
	assert.Equal(t, app.CodeRefused, app.CodeOf(err))
	c.account(t)
}

func TestAReceiverThatLeadsBackIsNoticed(t *testing.T) {
	collector := collectortest.Start(t, collectortest.Default)
	c := start(t.Context(), collector.Tap(), "--to", collector.OTLP(), "point=remote_tap", "signal=traces")
	collector.AwaitTaps(1)
	require.NoError(t, collectortest.NewShop().Send(t.Context(), collector.OTLP(), 0, 5, "traces"))
	err := <-c.over
	require.ErrorContains(t, err, "leads back to the tap")
	assert.Equal(t, app.CodeFailed, app.CodeOf(err))
	c.account(t)
}

func TestSeveralPointsAreSaid(t *testing.T) {
	collector := collectortest.Start(t, collectortest.Default)
	receiver := receivertest.Start(t)
	c := start(t.Context(), collector.Tap(), "--to", receiver.GRPC, "signal=logs,traces", "--count", "5")
	collector.AwaitTaps(1)
	require.NoError(t, collectortest.NewShop().Send(t.Context(), collector.OTLP(), 0, 5, "logs"))
	require.NoError(t, <-c.over)
	assert.Contains(t, c.words.String(), "items that pass several of its 2 tap points are sent once for each; choose one with --point remote_tap")
}

func TestWrongFlagsSayWhatToWrite(t *testing.T) {
	for args, says := range map[string]string{
		"":                       "--to is missing",
		"--to x --queue 5kB":     "--queue 5kB: write a size of at least 1MiB",
		"--to x --drain -1s":     "--drain -1s",
		"--to ftp://x":           "--to ftp://",
		"--to x --severity loud": "severity",
	} {
		err := <-start(t.Context(), strings.Fields(args)...).over
		require.ErrorContains(t, err, says, args)
		assert.Equal(t, app.CodeUsage, app.CodeOf(err), args)
	}
}
