package tapclient_test

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// inTurn plays one script for each call; the last one again and again.
func inTurn(scripts ...script) script {
	calls := make(chan script, len(scripts))
	for _, s := range scripts {
		calls <- s
	}
	return func(tap *served) error {
		select {
		case s := <-calls:
			return s(tap)
		default:
			return scripts[len(scripts)-1](tap)
		}
	}
}

func watched(tap *served) error {
	_ = tap.open()
	return tap.untilGone()
}

// greets is watched by a server that says something at once, so that nothing waits for it.
func greets(tap *served) error {
	_ = tap.stats(account(0, 0, nil))
	return tap.untilGone()
}

func TestTapIsOpenedAgainAfterWhatPasses(t *testing.T) {
	taken := &remotetapv1.Refusal{
		Error: "all 5 taps are taken", Hint: "wait until one ends",
		Taps: []*remotetapv1.Holder{{Remote: "10.0.0.9:4711", Since: timestamppb.New(time.Unix(1_700_000_000, 0))}},
	}
	for name, end := range map[string]script{
		"the collector shuts down":    func(tap *served) error { return tap.end("shutdown", account(0, 0, nil)) },
		"the server's time limit":     func(tap *served) error { return tap.end("max_duration", account(0, 0, nil)) },
		"the client was too slow":     func(tap *served) error { return tap.end("write_timeout", account(0, 0, nil)) },
		"a bug in the server":         func(tap *served) error { return tap.end("internal_error", account(0, 0, nil)) },
		"a reason of a later version": func(tap *served) error { return tap.end("tea_time", account(0, 0, nil)) },
		"an end without an account":   func(tap *served) error { return tap.end("shutdown", nil) },
		"an end without a word":       func(tap *served) error { return tap.open() },
		"all taps are taken":          func(*served) error { return refusal(codes.ResourceExhausted, taken) },
		"all taps are taken, said after a pause": func(tap *served) error {
			_ = tap.open()
			return refusal(codes.ResourceExhausted, taken)
		},
		"the collector is shutting down":     func(*served) error { return refusal(codes.Unavailable, &remotetapv1.Refusal{Error: "no"}) },
		"a proxy that finds no server":       func(*served) error { return status.Error(codes.Unavailable, "no upstream") },
		"a proxy that is overloaded":         func(*served) error { return status.Error(codes.ResourceExhausted, "overloaded") },
		"a proxy that cuts long connections": func(*served) error { return status.Error(codes.DeadlineExceeded, "timeout") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newInternet(t)
				n.start(home, &service{play: inTurn(end, watched)})
				r := n.tap(home, tapclient.Selection{})
				event, err := r.Next(t.Context())
				require.NoError(t, err)
				if _, ok := event.(*tapclient.Up); ok {
					event, err = r.Next(t.Context())
					require.NoError(t, err)
				}
				down, ok := event.(*tapclient.Down)
				require.True(t, ok, "%T", event)
				require.Error(t, down.Err)
				require.WithinRange(t, down.Retry, down.Time.Add(200*time.Millisecond), down.Time.Add(300*time.Millisecond))
				up := next[*tapclient.Up](r)
				require.Equal(t, 1, up.Attempt-down.Attempt)
				next[*tapclient.Missed](r)
				r.Close()
			})
		})
	}
}

func TestBackoffGrowsWithJitterAndBeginsAnewAfterALongConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		r := n.tap(home, tapclient.Selection{}, tapclient.WithBackoff(100*time.Millisecond, 2*time.Second))
		expect := func(wait time.Duration) {
			down := next[*tapclient.Down](r)
			require.ErrorIs(t, down.Err, syscall.ECONNREFUSED)
			require.WithinRange(t, down.Retry, down.Time.Add(wait*79/100), down.Time.Add(wait*121/100))
		}
		exact := 0
		for i, milliseconds := range []int{100, 160, 256, 409, 655, 1048, 1677, 2000, 2000} {
			down := next[*tapclient.Down](r)
			require.Equal(t, i+1, down.Attempt)
			wait := time.Duration(milliseconds) * time.Millisecond
			require.WithinRange(t, down.Retry, down.Time.Add(wait*79/100), down.Time.Add(wait*121/100))
			if down.Retry.Sub(down.Time).Round(wait/1000) == wait {
				exact++
			}
		}
		require.Less(t, exact, 4, "not all clients come at the same time")
		n.start(home, &service{play: watched})
		require.Equal(t, 10, next[*tapclient.Up](r).Attempt)
		next[*tapclient.Missed](r)
		<-time.After(time.Second)
		n.stop(home)
		require.Zero(t, next[*tapclient.Down](r).Attempt, "it was up for too short a time: as slow as before")
		expect(2 * time.Second)
		n.start(home, &service{play: watched})
		next[*tapclient.Up](r)
		next[*tapclient.Missed](r)
		<-time.After(3 * time.Second)
		n.stop(home)
		next[*tapclient.Down](r)
		expect(160 * time.Millisecond)
		r.Close()
	})
}

func TestServerThatAcceptsAndSaysNothingIsGivenUp(t *testing.T) {
	for name, play := range map[string]struct {
		options []tapclient.Option
		start   func(n *internet)
	}{
		"before gRPC speaks": {start: func(n *internet) {
			n.listen(home)
		}},
		"after gRPC has connected": {start: func(n *internet) {
			n.start(home, &service{play: func(tap *served) error { return tap.untilGone() }})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newInternet(t)
				play.start(n)
				r := n.tap(home, tapclient.Selection{Duration: 5 * time.Second}, tapclient.WithConnectTimeout(2*time.Second))
				begin := time.Now()
				down := next[*tapclient.Down](r)
				require.Equal(t, 2*time.Second, time.Since(begin))
				require.Contains(t, down.Err.Error(), "no answer within 2s")
				r.Close()
			})
		})
	}
}

func TestWithoutReconnectTheFirstFailureIsTheEnd(t *testing.T) {
	for name, server := range map[string]struct {
		start  func(n *internet)
		events int // before the End
		reason tapclient.EndReason
		check  func(t *testing.T, err error)
	}{
		"nothing is there": {
			func(*internet) {}, 0, tapclient.EndConnectionLost,
			func(t *testing.T, err error) {
				t.Helper()
				require.ErrorIs(t, err, syscall.ECONNREFUSED)
				var dialling *net.OpError
				require.ErrorAs(t, err, &dialling)
			},
		},
		"the server ends it": {
			func(n *internet) {
				n.start(home, &service{play: func(tap *served) error { return tap.end("max_duration", account(0, 0, nil)) }})
			}, 1, tapclient.EndMaxDuration,
			func(t *testing.T, err error) {
				t.Helper()
				require.Contains(t, err.Error(), "max_duration")
			},
		},
		"the connection breaks": {
			func(n *internet) {
				n.start(home, &service{play: func(tap *served) error {
					_ = tap.open()
					<-time.After(time.Second)
					go n.stop(home)
					return tap.untilGone()
				}})
			}, 1, tapclient.EndConnectionLost,
			func(t *testing.T, err error) {
				t.Helper()
				require.Equal(t, codes.Unavailable, status.Code(errors.Unwrap(errors.Unwrap(err))), err)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newInternet(t)
				server.start(n)
				r := n.tap(home, tapclient.Selection{}, tapclient.WithoutReconnect())
				for range server.events {
					next[*tapclient.Up](r)
				}
				end := next[*tapclient.End](r)
				require.Equal(t, server.reason, end.Reason)
				require.Equal(t, tapclient.StateEnded, r.Origins()[0].State)
				err := r.over()
				var failed *tapclient.OriginError
				require.ErrorAs(t, err, &failed)
				server.check(t, failed)
			})
		})
	}
}

func TestMessageThatIsTooLargeSaysWhatToRaise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		n.start(home, &service{play: func(tap *served) error {
			_ = tap.spans(string(make([]byte, 2000)))
			return tap.untilGone()
		}})
		r := n.tap(home, tapclient.Selection{}, tapclient.WithMaxMessageSize(1000))
		down := next[*tapclient.Down](r)
		require.Contains(t, down.Err.Error(), "WithMaxMessageSize")
		r.Close()
	})
}
