package tapclient_test

import (
	"io"
	"math"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

func TestCountAndDurationKeepTheirMeaningOverReconnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		requests := make(chan *remotetapv1.TapRequest, 2)
		n.start(home, &service{play: inTurn(func(tap *served) error {
			requests <- tap.request
			_ = tap.spans("1", "2", "3")
			<-time.After(20 * time.Second)
			return tap.end("shutdown", account(3, 0, nil))
		}, func(tap *served) error {
			requests <- tap.request
			_ = tap.spans("4", "5")
			return tap.end("count_reached", account(2, 0, nil))
		})})
		r := n.tap(home, tapclient.Selection{Count: 5, Duration: time.Minute})
		next[*tapclient.Up](r)
		first := <-requests
		require.Equal(t, uint64(5), first.GetCount())
		require.Equal(t, time.Minute, first.GetDuration().AsDuration())
		require.Equal(t, []string{"1", "2", "3"}, r.names())
		next[*tapclient.Down](r)
		next[*tapclient.Up](r)
		second := <-requests
		require.Equal(t, uint64(2), second.GetCount())
		require.InDelta(t, 40*time.Second, second.GetDuration().AsDuration(), float64(time.Second))
		next[*tapclient.Missed](r)
		require.Equal(t, []string{"4", "5"}, r.names())
		end := next[*tapclient.End](r)
		require.Equal(t, tapclient.EndCountReached, end.Reason)
		require.Equal(t, uint64(5), end.Totals.Received.Items)
		require.Equal(t, uint64(5), end.Totals.Ledger.Sent)
		require.ErrorIs(t, r.over(), io.EOF)
	})
}

func TestDurationEndsAStreamWhoseServerDoesNotEndIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		n.start(home, &service{play: watched})
		begin := time.Now()
		r := n.tap(home, tapclient.Selection{Duration: time.Minute})
		next[*tapclient.Up](r)
		end := next[*tapclient.End](r)
		require.Equal(t, tapclient.EndDurationReached, end.Reason)
		require.Equal(t, time.Minute+time.Second, time.Since(begin))
		require.ErrorIs(t, r.over(), io.EOF)
	})
}

func TestDurationMayBeAnEternity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		n.start(home, &service{play: func(tap *served) error {
			_ = tap.open()
			<-time.After(time.Hour)
			_ = tap.spans("a")
			return tap.untilGone()
		}})
		r := n.tap(home, tapclient.Selection{Duration: math.MaxInt64})
		next[*tapclient.Up](r)
		require.Equal(t, []string{"a"}, r.names())
		r.Close()
	})
}

func TestCountEndsAStreamWhoseServerDoesNotEndIt(t *testing.T) {
	for name, server := range map[string]struct {
		more  []string // than was asked for
		waits time.Duration
	}{
		"it says nothing, and may yet": {nil, time.Second},
		"it sends more":                {[]string{"3"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newInternet(t)
				n.start(home, &service{play: func(tap *served) error {
					_ = tap.spans("1")
					_ = tap.spans("2")
					if len(server.more) > 0 {
						_ = tap.spans(server.more...)
					}
					return tap.untilGone()
				}})
				begin := time.Now()
				r := n.tap(home, tapclient.Selection{Count: 2})
				next[*tapclient.Up](r)
				require.Equal(t, []string{"1"}, r.names())
				require.Equal(t, []string{"2"}, r.names())
				require.Equal(t, tapclient.EndCountReached, next[*tapclient.End](r).Reason)
				require.ErrorIs(t, r.over(), io.EOF)
				require.Equal(t, server.waits, time.Since(begin))
			})
		})
	}
}

func TestDurationEndsWhileNothingIsReachedAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		begin := time.Now()
		r := n.tap(home, tapclient.Selection{Duration: 30 * time.Second})
		var missed *tapclient.Missed
		for missed == nil {
			event, err := r.Next(t.Context())
			require.NoError(t, err)
			missed, _ = event.(*tapclient.Missed)
		}
		require.Equal(t, 30*time.Second, missed.Duration())
		end := next[*tapclient.End](r)
		require.Equal(t, tapclient.EndDurationReached, end.Reason)
		require.Equal(t, 30*time.Second, time.Since(begin))
		err := r.over()
		require.NotErrorIs(t, err, io.EOF)
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		require.Contains(t, err.Error(), home)
	})
}

func TestStreamThatIsShorterThanItsFirstAttemptHasNotReachedTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		n.listen(home)
		r := n.tap(home, tapclient.Selection{Duration: time.Second})
		end := next[*tapclient.End](r)
		require.Equal(t, tapclient.EndDurationReached, end.Reason)
		require.Error(t, end.Err)
		require.NotErrorIs(t, r.over(), io.EOF)
	})
}
