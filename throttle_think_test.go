package remotetapprocessor

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

// takes is the parsing of a selection that takes its time.
func takes(d time.Duration) func() error {
	return func() error {
		time.Sleep(d) //nolint:forbidigo // of fake time
		return nil
	}
}

const longSelection = 32 * kib

func TestSelectionsAreParsedOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		throttle, at, most := newThrottle(), 0, 0
		var clients sync.WaitGroup
		for i := range 20 {
			clients.Go(func() {
				assert.NoError(t, throttle.think(requestFrom(t.Context(), fmt.Sprintf("192.0.2.%d:1", i)), longSelection, func() error {
					at++ // the race detector would see if they were not alone
					most = max(most, at)
					err := takes(5 * time.Millisecond)()
					at--
					return err
				}))
			})
		}
		clients.Wait()
		assert.Equal(t, 1, most)
	})
}

func TestTimeForSelectionsIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		addresses int
		perSecond float64
		burst     float64
	}{
		"of one address":              {1, thoughtPerSecond, thoughtBurst},
		"of two addresses":            {2, 2 * thoughtPerSecond, 2 * thoughtBurst},
		"of twenty addresses, in all": {20, 1. / (thoughtRest + 1), 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				throttle, spent := newThrottle(), time.Duration(0)
				const watched, once = 200 * time.Second, 100 * time.Millisecond
				ctx, cancel := context.WithTimeout(t.Context(), watched)
				defer cancel()
				var clients sync.WaitGroup
				for i := range c.addresses {
					for range 2 {
						clients.Go(func() {
							for ctx.Err() == nil {
								_ = throttle.think(requestFrom(ctx, fmt.Sprintf("192.0.2.%d:1", i)), longSelection, func() error {
									spent += once
									return takes(once)()
								})
							}
						})
					}
				}
				clients.Wait()
				want := c.perSecond*watched.Seconds() + c.burst
				// What is parsed is charged twice, because it is then compiled.
				assert.InDelta(t, want, 2*spent.Seconds(), want/5)
			})
		})
	}
}

func TestWhoAsksForTooLongSelectionsIsRefusedAndOthersAreNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		throttle := newThrottle()
		require.NoError(t, throttle.think(requestFrom(t.Context(), "192.0.2.1:1"), longSelection, takes(time.Second)))
		begin := time.Now()
		err := throttle.think(requestFrom(t.Context(), "192.0.2.1:1"), 100, takes(0))
		assert.Equal(t, longestTurn, time.Since(begin))
		assert.ErrorContains(t, err, tooManyRequests().Message)
		require.NoError(t, throttle.think(requestFrom(t.Context(), "192.0.2.20:1"), 100, takes(0)))
	})
}

func TestShortSelectionCountsLittleHoweverLongABusyMachineTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		throttle := newThrottle()
		require.NoError(t, throttle.think(requestFrom(t.Context(), "192.0.2.1:1"), 100, takes(time.Minute)))
		account := throttle.account("192.0.2.1", time.Now())
		assert.InDelta(t, 0.011, account.thoughts.taken(time.Now()), 1e-9)
	})
}

func TestClientThatLeavesDoesNotWaitForItsSelection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		throttle := newThrottle()
		require.NoError(t, throttle.think(requestFrom(t.Context(), "192.0.2.1:1"), longSelection, takes(time.Second)))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		parse := func() error { t.Error("it is parsed"); return nil }
		assert.ErrorIs(t, throttle.think(requestFrom(ctx, "192.0.2.1:1"), 100, parse), context.DeadlineExceeded)
	})
}

func TestSelectionThatPanicsEndsItsTurn(t *testing.T) {
	throttle := newThrottle()
	assert.Panics(t, func() {
		_ = throttle.think(requestFrom(t.Context(), "192.0.2.1:1"), 100, func() error { panic("a bug") })
	})
	assert.NoError(t, throttle.think(requestFrom(t.Context(), "192.0.2.1:1"), 100, func() error { return nil }))
}

func TestTooManyRequestsAreRefusedOnEveryTransport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		overdraw := func(bucketOf func(*account) *bucket) {
			o.s.throttle.mu.Lock()
			defer o.s.throttle.mu.Unlock()
			for _, a := range o.s.throttle.accounts {
				bucketOf(a).take(1000, time.Now())
			}
		}
		o.answer(http.MethodGet, "/v1/points") // makes the account
		for _, bucketOf := range []func(*account) *bucket{
			func(a *account) *bucket { return &a.thoughts },
			func(a *account) *bucket { return &a.turns },
		} {
			overdraw(bucketOf)
			reply, body := o.answer(http.MethodGet, "/v1/traces")
			assert.Equal(t, http.StatusServiceUnavailable, reply.StatusCode)
			assert.Equal(t, "5", reply.Header.Get("Retry-After"))
			assert.Contains(t, body, "too many requests are waiting for their turn")
			_, reply, err := o.handshake("/v1/traces", false)
			require.Error(t, err)
			assert.Equal(t, http.StatusServiceUnavailable, reply.StatusCode)
			stream := o.rpcTap(plainGRPC(), &remotetapv1.TapRequest{})
			refused, _ := stream.refused()
			assert.Equal(t, connect.CodeUnavailable, refused.Code())
		}
		assertRefused(t, o, "too_many_requests", 6)
	})
}
