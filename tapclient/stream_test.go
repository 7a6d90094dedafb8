package tapclient_test

import (
	"context"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

const home = "localhost:12001"

func TestStreamDeliversBatchesAccountsAndTheEndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		n.start(home, &service{play: func(tap *served) error {
			_ = tap.stats(account(0, 0, nil))
			_ = tap.spans("a", "b")
			_ = tap.spans("c")
			_ = tap.stats(account(3, 0, nil))
			return tap.end("duration_reached", account(3, 0, map[string]uint64{"queue_full": 2}))
		}})
		r := n.tap(home, tapclient.Selection{Duration: time.Minute, Stats: time.Second})
		origin := tapclient.Origin{Endpoint: home, Address: home}

		assert.Equal(t, &tapclient.Up{Origin: origin, Time: time.Now(), Attempt: 1}, next[*tapclient.Up](r))
		stats := next[*tapclient.Stats](r)
		assert.Equal(t, uint64(5), stats.Ledger.Unmatched)
		assert.Equal(t, []string{"remote_tap"}, stats.Points)
		first := next[*tapclient.Batch](r)
		assert.Equal(t, []string{"a", "b"}, spanNames(t, first))
		assert.Equal(t, origin, first.Origin)
		assert.Equal(t, "remote_tap", first.Point)
		assert.Equal(t, tapclient.Traces, first.Signal)
		assert.Equal(t, time.Unix(1_700_000_000, 5), first.Time)
		assert.Equal(t, []string{"c"}, r.names())
		assert.Equal(t, []string{"a", "b"}, spanNames(t, first), "a later message does not change an earlier one")
		assert.Equal(t, uint64(3), next[*tapclient.Stats](r).Ledger.Sent)
		end := next[*tapclient.End](r)
		assert.Equal(t, tapclient.EndDurationReached, end.Reason)
		assert.NoError(t, end.Err)
		assert.Equal(t, uint64(2), end.Totals.Ledger.Dropped["queue_full"])
		assert.Equal(t, uint64(3), end.Totals.Received.Items)
		assert.Equal(t, uint64(2), end.Totals.Received.Batches)
		assert.Equal(t, end.Totals, r.Totals())
		assert.ErrorIs(t, r.over(), io.EOF)
		assert.ErrorIs(t, r.over(), io.EOF, "it stays over")
	})
}

func TestEventsRangesOverTheStreamAndTellsItsError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		n.start(home, &service{play: func(tap *served) error {
			_ = tap.spans("a")
			return tap.end("shutdown", account(1, 0, nil))
		}})
		r := n.tap(home, tapclient.Selection{}, tapclient.WithoutReconnect())
		events, failure := 0, error(nil)
		for event, err := range r.Events(t.Context()) {
			if err != nil {
				assert.Nil(t, event)
				failure = err
				continue
			}
			events++
		}
		assert.Equal(t, 3, events, "up, batch, end")
		var ended *tapclient.EndedError
		require.ErrorAs(t, failure, &ended)
		assert.Equal(t, tapclient.EndShutdown, ended.Reason)
	})
}

func TestEventsEndsWithoutAnErrorWhenAllIsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		n.start(home, &service{play: func(tap *served) error { return tap.end("duration_reached", account(0, 0, nil)) }})
		r := n.tap(home, tapclient.Selection{Duration: time.Second})
		for _, err := range r.Events(t.Context()) {
			assert.NoError(t, err)
		}
	})
}

func TestNextObeysItsOwnContextAndTheStreamGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		n.start(home, &service{play: func(tap *served) error {
			_ = tap.open()
			<-time.After(time.Minute)
			_ = tap.spans("late")
			return tap.untilGone()
		}})
		r := n.tap(home, tapclient.Selection{})
		next[*tapclient.Up](r)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := r.Next(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, []string{"late"}, r.names())
	})
}

func TestStreamEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		n.start(home, &service{play: func(tap *served) error {
			_ = tap.open()
			return tap.untilGone()
		}})
		ctx, cancel := context.WithCancel(t.Context())
		s, err := n.client(home).Tap(ctx, tapclient.Selection{})
		require.NoError(t, err)
		r := &reader{t, s}
		next[*tapclient.Up](r)
		cancel()
		require.ErrorIs(t, r.over(), context.Canceled)
		s.Close()
		require.ErrorIs(t, r.over(), context.Canceled)
	})
}

func TestCloseEndsStreamsAndEverythingAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		gone := make(chan struct{})
		n.start(home, &service{play: func(tap *served) error {
			_ = tap.spans("unread")
			err := tap.untilGone()
			close(gone)
			return err
		}})
		dns := &names{}
		dns.set("10.0.0.1")
		c := n.client(home+",down.example:1,"+pods, tapclient.WithResolver(dns))
		s, err := c.Tap(t.Context(), tapclient.Selection{})
		require.NoError(t, err)
		synctest.Wait()
		require.NotEmpty(t, ownGoroutines())
		c.Close()
		synctest.Wait()
		require.Empty(t, ownGoroutines())
		<-gone
		_, err = s.Next(t.Context())
		require.ErrorIs(t, err, tapclient.ErrClosed)
		_, err = c.Tap(t.Context(), tapclient.Selection{})
		require.ErrorIs(t, err, tapclient.ErrClosed)
		_, err = c.ListPoints(t.Context())
		require.ErrorIs(t, err, tapclient.ErrClosed)
		c.Close()
		s.Close()
	})
}

// ownGoroutines are the stacks of goroutines that run code of the package.
func ownGoroutines() []string {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	return slices.DeleteFunc(strings.Split(string(stacks), "\n\n"), func(stack string) bool {
		return !strings.Contains(stack, "remotetapprocessor/tapclient.")
	})
}

func TestClosedStreamAccountsForWhatItDidNotTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		n.start(home, &service{play: func(tap *served) error {
			_ = tap.spans("taken")
			_ = tap.stats(account(4, 3, nil))
			_ = tap.spans("left", "left")
			return tap.untilGone()
		}})
		r := n.tap(home, tapclient.Selection{Stats: time.Second})
		next[*tapclient.Up](r)
		assert.Equal(t, []string{"taken"}, r.names())
		next[*tapclient.Stats](r)
		synctest.Wait()
		r.Close()
		totals := r.Totals()
		assert.Equal(t, uint64(1), totals.Received.Items)
		assert.Equal(t, uint64(1), totals.Ledger.Sent)
		assert.Equal(t, uint64(7), totals.Ledger.Matched)
		assert.Equal(t, map[string]uint64{tapclient.DropTapEnded: 6}, totals.Ledger.Dropped)
		assert.Zero(t, totals.Ledger.Pending)
	})
}

func TestReaderThatDoesNotReadHoldsTheServerBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		var sent atomic.Int64
		name := strings.Repeat("x", 64<<10)
		n.start(home, &service{play: func(tap *served) error {
			for {
				if err := tap.spans(name); err != nil {
					return err
				}
				sent.Add(1)
			}
		}})
		r := n.tap(home, tapclient.Selection{})
		synctest.Wait()
		standing := sent.Load()
		require.Positive(t, standing)
		require.Less(t, standing, int64(30), "1 MiB are 16 of these, and there are the sockets' buffers")
		next[*tapclient.Up](r)
		for range 3 * standing {
			next[*tapclient.Batch](r)
		}
		synctest.Wait()
		require.Greater(t, sent.Load(), 3*standing, "it goes on")
		require.Less(t, sent.Load(), 3*standing+30)
	})
}

func TestMessageLargerThanTheWindowArrivesWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		name := strings.Repeat("x", 9<<20)
		n.start(home, &service{play: func(tap *served) error {
			_ = tap.spans(name)
			_ = tap.spans("and then")
			return tap.untilGone()
		}})
		r := n.tap(home, tapclient.Selection{})
		next[*tapclient.Up](r)
		require.Equal(t, []string{name}, r.names())
		require.Equal(t, []string{"and then"}, r.names())
	})
}

func TestOriginsListsWhatIsUpAndWhatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		n.start("b.example:12001", &service{play: func(tap *served) error {
			_ = tap.spans("a", "b")
			return tap.untilGone()
		}})
		r := n.tap("http://a.example:1,b.example", tapclient.Selection{})
		require.Len(t, r.Origins(), 2, "also those that nothing is known of yet")
		begin := time.Now()
		for range 3 { // Down of the one; Up and Batch of the other
			_, err := r.Next(t.Context())
			require.NoError(t, err)
		}
		synctest.Wait()
		origins := r.Origins()
		require.Len(t, origins, 2)
		assert.Equal(t, tapclient.Origin{Endpoint: "http://a.example:1", Address: "a.example:1"}, origins[0].Origin)
		assert.Equal(t, tapclient.StateDown, origins[0].State)
		assert.ErrorIs(t, origins[0].Err, syscall.ECONNREFUSED)
		assert.Equal(t, begin, origins[0].Since)
		assert.True(t, origins[0].Retry.After(begin))
		assert.Equal(t, tapclient.Origin{Endpoint: "b.example", Address: "b.example:12001"}, origins[1].Origin)
		assert.Equal(t, tapclient.StateUp, origins[1].State)
		assert.NoError(t, origins[1].Err)
		assert.Equal(t, uint64(2), origins[1].Totals.Received.Items)
		assert.Equal(t, 1, origins[1].Totals.Connections)
		r.Close()
	})
}

func TestResponsesOfALaterVersionAreIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		n.start(home, &service{play: func(tap *served) error {
			_ = tap.stream.Send(&remotetapv1.TapResponse{})
			_ = tap.spans("a")
			return tap.untilGone()
		}})
		r := n.tap(home, tapclient.Selection{})
		next[*tapclient.Up](r)
		require.Equal(t, []string{"a"}, r.names())
	})
}
