package e2e

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/remotetap/remotetapprocessor/tapclient"
)

// line leads a tapclient to where a collector listens, also after it has moved.
type line struct{ to atomic.Pointer[listening] }

func (l *line) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	to := l.to.Load()
	return new(net.Dialer).DialContext(ctx, to.network, to.address)
}

// tapLine leads to where the collector listens now.
func (c *collector) tapLine() *line {
	c.t.Helper()
	l := &line{}
	l.to.Store(new(c.server()))
	return l
}

// tapClient dials the collector's tap with tapclient.
func (c *collector) tapClient(options ...tapclient.Option) *tapclient.Client {
	c.t.Helper()
	if c.tls != nil {
		options = append(options, tapclient.WithTLSConfig(c.tls))
	}
	client, err := tapclient.Dial(context.Background(), c.address(), append(options, tapclient.WithDialer(c.tapLine().dial))...)
	require.NoError(c.t, err)
	c.t.Cleanup(client.Close)
	return client
}

// tapped is a stream of tapclient in a test.
type tapped struct {
	t testing.TB
	*tapclient.Stream
}

func tapWith(t testing.TB, client *tapclient.Client, selection tapclient.Selection) *tapped {
	t.Helper()
	stream, err := client.Tap(context.Background(), selection)
	require.NoError(t, err)
	return &tapped{t, stream}
}

// following is the next event of a type; others are passed over.
func following[E tapclient.Event](s *tapped) E {
	s.t.Helper()
	for {
		event, err := s.Next(patiently(s.t))
		require.NoError(s.t, err)
		if expected, ok := event.(E); ok {
			return expected
		}
	}
}

// collect reads n items of a signal.
func (s *tapped) collect(of signal, n int) []string {
	s.t.Helper()
	var got []string
	for len(got) < n {
		batch := following[*tapclient.Batch](s)
		require.Equal(s.t, "remote_tap", batch.Point)
		require.Equal(s.t, of.name, string(batch.Signal))
		require.WithinDuration(s.t, time.Now(), batch.Time, patience)
		found, err := of.itemsOfProto(batch.Proto())
		require.NoError(s.t, err)
		if of.name != "profiles" { // a document of which counts its samples
			require.EqualValues(s.t, len(found), batch.Items)
		}
		got = append(got, found...)
	}
	return got
}

// rest reads to the end and returns the events before it.
func (s *tapped) rest() (events []tapclient.Event, err error) {
	s.t.Helper()
	for {
		event, err := s.Next(patiently(s.t))
		if err != nil {
			return events, err
		}
		events = append(events, event)
	}
}

func requireBalanced(t testing.TB, l tapclient.Ledger) {
	t.Helper()
	require.Equal(t, l.Seen, l.Skipped+l.Unmatched+l.Matched, "%+v", l)
	require.Equal(t, l.Matched, l.Sent+l.Pending+l.Lost(), "%+v", l)
}

func TestTapclientGetsWhatIsSentItemForItem(t *testing.T) {
	for _, access := range accesses() {
		t.Run(access.name, func(t *testing.T) {
			c, header := access.start(t)
			var options []tapclient.Option
			if len(header) > 0 {
				options = append(options, tapclient.WithHeader(header[0], header[1]))
			}
			client := c.tapClient(append(options, tapclient.WithUserAgent("test of tapclient"))...)
			stream := tapWith(t, client, tapclient.Selection{})
			following[*tapclient.Up](stream)
			for _, s := range allSignals() {
				batch := s.generate("stock", 5)
				c.export(s, batch)
				want := items(t, s, batch)
				requireSame(t, want, stream.collect(s, len(want)), s.name)
			}
			list, err := client.ListPoints(patiently(t))
			require.NoError(t, err)
			require.Equal(t, "1.2.3", list[0].Version)
			require.Equal(t, "remote_tap", list[0].Points[0].ID)
			require.Len(t, list[0].Points[0].Signals, 4)
			require.Len(t, list[0].Taps, 1)
			require.Equal(t, "grpc", list[0].Taps[0].Transport)
			require.True(t, strings.HasPrefix(list[0].Taps[0].UserAgent, "test of tapclient"), list[0].Taps[0].UserAgent)
			requireBalanced(t, list[0].Taps[0].Ledger)
			stream.Close()
			c.awaitEnded(1)
		})
	}
}

func TestTapclientIsToldWhatTheServerRefuses(t *testing.T) {
	c := start(t, fourPipelines, "processors: {remote_tap: {limit: 1}}")
	for name, wrong := range map[string]struct {
		selection tapclient.Selection
		parameter string
	}{
		"a point that is not there":       {tapclient.Selection{Point: []string{"remote_tip"}}, "point"},
		"a severity that is none":         {tapclient.Selection{Severity: "loud"}, "severity"},
		"a condition that is none":        {tapclient.Selection{Where: []string{"true"}}, "where"},
		"a share above 1":                 {tapclient.Selection{Sample: 2}, "sample"},
		"accounts that are not asked for": {tapclient.Selection{Format: tapclient.FormatNone}, "format"},
		"the look-back":                   {tapclient.Selection{Since: time.Second}, "since"},
	} {
		t.Run(name, func(t *testing.T) {
			events, err := tapWith(t, c.tapClient(), wrong.selection).rest()
			require.Len(t, events, 1, "no Up before it: %v", events)
			require.Equal(t, tapclient.EndRefused, events[0].(*tapclient.End).Reason)
			var refused *tapclient.RefusedError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, codes.InvalidArgument, refused.Code)
			require.Equal(t, wrong.parameter, refused.Parameter, err)
			require.NotEmpty(t, refused.Hint)
		})
	}

	first := tapWith(t, c.tapClient(), tapclient.Selection{})
	following[*tapclient.Up](first)
	second := tapWith(t, c.tapClient(tapclient.WithBackoff(time.Millisecond, 10*time.Millisecond)), tapclient.Selection{})
	var full *tapclient.RefusedError
	require.ErrorAs(t, following[*tapclient.Down](second).Err, &full)
	require.Equal(t, codes.ResourceExhausted, full.Code)
	require.Len(t, full.Taps, 1)
	require.Contains(t, full.Taps[0].Remote, "127.0.0.1")
	first.Close()
	following[*tapclient.Up](second)
}

func TestTapclientWithoutWhatItNeedsIsTurnedAway(t *testing.T) {
	c, _ := accesses()[3].start(t) // with a name and a password
	for name, options := range map[string][]tapclient.Option{
		"no credentials":    nil,
		"a wrong password":  {tapclient.WithBasicAuth("ada", "byron")},
		"the wrong kind":    {tapclient.WithBearerToken("a-long-secret")},
		"a header with one": {tapclient.WithHeader("authorization", "nonsense")},
	} {
		t.Run(name, func(t *testing.T) {
			client := c.tapClient(options...)
			events, err := tapWith(t, client, tapclient.Selection{}).rest()
			require.Len(t, events, 1)
			_, listErr := client.ListPoints(patiently(t))
			for _, err := range []error{err, listErr} {
				var refused *tapclient.RefusedError
				require.ErrorAs(t, err, &refused)
				require.Equal(t, codes.Unauthenticated, refused.Code)
				require.Contains(t, refused.Hint, "Basic")
				require.NotContains(t, err.Error(), "byron")
			}
		})
	}
	following[*tapclient.Up](tapWith(t, c.tapClient(tapclient.WithBasicAuth("ada", "lovelace")), tapclient.Selection{}))

	secure, _ := startTLS(t)
	secure.tls = &tls.Config{InsecureSkipVerify: true}
	require.ErrorContains(t, following[*tapclient.Down](tapWith(t, secure.tapClient(), tapclient.Selection{})).Err, "certificate required")
	secure.tls = nil
	require.ErrorContains(t, following[*tapclient.Down](tapWith(t, secure.tapClient(), tapclient.Selection{})).Err, "write https://")
}

func TestTapclientCountsAndEndsAsTheServerDoes(t *testing.T) {
	c := start(t, fourPipelines)
	batch := plainTraces(4).generate("end", 10)
	stream := tapWith(t, c.tapClient(), tapclient.Selection{Count: 7, Stats: 100 * time.Millisecond})
	stats := following[*tapclient.Stats](stream)
	require.Equal(t, []string{"remote_tap"}, stats.Points)
	require.EqualValues(t, 100, stats.Limits.Taps)
	c.export(traces(), batch)
	events, err := stream.rest()
	require.ErrorIs(t, err, io.EOF)
	end := events[len(events)-1].(*tapclient.End)
	require.Equal(t, tapclient.EndCountReached, end.Reason)
	l := end.Totals.Ledger
	requireBalanced(t, l)
	require.EqualValues(t, 10, l.Seen)
	require.EqualValues(t, 7, l.Sent)
	require.Zero(t, l.Pending)
	require.Equal(t, l, stream.Totals().Ledger)
	require.EqualValues(t, 7, end.Totals.Received.Items)
	require.Equal(t, l.Bytes, end.Totals.Received.Bytes)

	counting := tapWith(t, c.tapClient(), tapclient.Selection{Format: tapclient.FormatNone, Stats: 100 * time.Millisecond, Duration: 2 * time.Second})
	following[*tapclient.Up](counting)
	c.export(traces(), batch)
	events, err = counting.rest()
	require.ErrorIs(t, err, io.EOF)
	require.Zero(t, counting.Totals().Received)
	require.EqualValues(t, 10, counting.Totals().Ledger.Matched)
	require.IsType(t, &tapclient.Stats{}, events[0])

	begin := time.Now()
	events, err = tapWith(t, c.tapClient(), tapclient.Selection{Duration: 300 * time.Millisecond}).rest()
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, tapclient.EndDurationReached, events[len(events)-1].(*tapclient.End).Reason)
	require.GreaterOrEqual(t, time.Since(begin), 300*time.Millisecond)
	require.False(t, events[len(events)-1].(*tapclient.End).Totals.Ledger.Now.IsZero(), "the server has told its account")
}

func TestTapclientComesBackAfterAReload(t *testing.T) {
	c := start(t, fourPipelines)
	l := c.tapLine()
	client, err := tapclient.Dial(context.Background(), c.address(), tapclient.WithDialer(l.dial), tapclient.WithBackoff(time.Millisecond, 50*time.Millisecond))
	require.NoError(t, err)
	defer client.Close()
	stream := tapWith(t, client, tapclient.Selection{Signal: []tapclient.Signal{tapclient.Logs}})
	following[*tapclient.Up](stream)
	batch := logs().generate("before", 3)
	c.export(logs(), batch)
	requireSame(t, items(t, logs(), batch), stream.collect(logs(), 3), "before")

	c.reload(fourPipelines)
	l.to.Store(new(c.server()))
	down := following[*tapclient.Down](stream)
	var ended *tapclient.EndedError
	require.ErrorAs(t, down.Err, &ended)
	require.Equal(t, tapclient.EndShutdown, ended.Reason)
	require.EqualValues(t, 3, down.Ledger.Sent)
	missed := following[*tapclient.Missed](stream)
	require.Positive(t, missed.Duration())
	require.Zero(t, missed.Items)

	batch = logs().generate("after", 4)
	c.export(logs(), batch)
	requireSame(t, items(t, logs(), batch), stream.collect(logs(), 4), "after")
	stream.Close()
	require.Equal(t, 2, stream.Totals().Connections)
	require.EqualValues(t, 7, stream.Totals().Received.Items)
}

func TestTapclientMergesCollectorsAndFollowsTheirName(t *testing.T) {
	collectors := map[string]*collector{"10.0.0.1:12001": start(t, fourPipelines), "10.0.0.2:12001": start(t, fourPipelines)}
	lines := map[string]*line{}
	for address, c := range collectors {
		lines[address] = c.tapLine()
	}
	client, err := tapclient.Dial(context.Background(), "dns:///otelcol",
		tapclient.WithResolver(resolver{"10.0.0.1", "10.0.0.2"}),
		tapclient.WithDialer(func(ctx context.Context, network, address string) (net.Conn, error) {
			return lines[address].dial(ctx, network, address)
		}))
	require.NoError(t, err)
	defer client.Close()
	stream := tapWith(t, client, tapclient.Selection{Count: 15})
	following[*tapclient.Up](stream)
	following[*tapclient.Up](stream)
	for address, c := range collectors {
		c.export(traces(), traces().generate(address, 10))
	}
	events, err := stream.rest()
	require.ErrorIs(t, err, io.EOF)
	var ends []string
	received := 0
	for _, event := range events {
		switch e := event.(type) {
		case *tapclient.Batch:
			found, err := traces().itemsOfProto(e.Proto())
			require.NoError(t, err)
			for _, item := range found {
				require.Contains(t, item, e.Address, "it is from there")
			}
			received += len(found)
		case *tapclient.End:
			ends = append(ends, e.Address)
		}
	}
	require.Equal(t, 15, received)
	slices.Sort(ends)
	require.Equal(t, []string{"10.0.0.1:12001", "10.0.0.2:12001"}, ends)
}

// resolver has the same addresses for every name.
type resolver []string

func (r resolver) LookupHost(context.Context, string) ([]string, error) { return r, nil }

func TestTapclientThatReadsTooLittleLosesOnlyWhatIsCounted(t *testing.T) {
	c := start(t, fourPipelines, "processors: {remote_tap: {per_tap: {queue_mib: 1, mib_per_second: 0}, max_overhead: 1}}")
	stream := tapWith(t, c.tapClient(), tapclient.Selection{Duration: 5 * time.Second, Stats: 100 * time.Millisecond, MaxMessage: 64 << 10})
	following[*tapclient.Up](stream)
	s := plainTraces(1000)
	sent := 0
	for until := time.Now().Add(3 * time.Second); time.Now().Before(until); sent += 100 {
		c.export(traces(), s.generate("flood", 100))
	}
	events, err := stream.rest()
	require.ErrorIs(t, err, io.EOF)
	end := events[len(events)-1].(*tapclient.End)
	require.Equal(t, tapclient.EndDurationReached, end.Reason)
	l := end.Totals.Ledger
	requireBalanced(t, l)
	require.EqualValues(t, sent, l.Seen)
	require.Positive(t, l.Dropped["queue_full"])
	require.Equal(t, l.Sent, end.Totals.Received.Items)
	require.Zero(t, l.Dropped[tapclient.DropConnectionLost])
}

func TestTapclientWhoseCollectorDiesAccountsForWhatItKnows(t *testing.T) {
	c := start(t, fourPipelines)
	cut := make(chan net.Conn, 1)
	client, err := tapclient.Dial(context.Background(), c.address(), tapclient.WithoutReconnect(),
		tapclient.WithDialer(func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := c.tapLine().dial(ctx, "", "")
			if err == nil {
				cut <- conn
			}
			return conn, err
		}))
	require.NoError(t, err)
	defer client.Close()
	stream := tapWith(t, client, tapclient.Selection{Stats: time.Hour})
	following[*tapclient.Stats](stream)
	batch := logs().generate("before", 3)
	c.export(logs(), batch)
	requireSame(t, items(t, logs(), batch), stream.collect(logs(), 3), "before")
	require.NoError(t, (<-cut).Close())
	events, err := stream.rest()
	require.NotErrorIs(t, err, io.EOF)
	var at *tapclient.OriginError
	require.ErrorAs(t, err, &at)
	end := events[0].(*tapclient.End)
	require.Equal(t, tapclient.EndConnectionLost, end.Reason)
	requireBalanced(t, end.Totals.Ledger)
	require.EqualValues(t, 3, end.Totals.Ledger.Sent)
}
