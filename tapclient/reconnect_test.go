package tapclient_test

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
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

func TestTapThatIsRefusedForGoodEndsWithTheRefusal(t *testing.T) {
	for name, answer := range map[string]struct {
		err       error
		code      codes.Code
		message   string
		parameter string
		hint      string
	}{
		"a bad selection": {
			refusal(codes.InvalidArgument, &remotetapv1.Refusal{Error: "severity: loud is none", Parameter: "severity", Hint: "write warn"}),
			codes.InvalidArgument, "severity: loud is none", "severity", "write warn",
		},
		"a request that is too large": {
			refusal(codes.ResourceExhausted, &remotetapv1.Refusal{Error: "too large", Hint: "ask for less"}),
			codes.ResourceExhausted, "too large", "", "ask for less",
		},
		"no credentials":     {status.Error(codes.Unauthenticated, "who?"), codes.Unauthenticated, "who?", "", "give credentials, or check those that are given"},
		"a foreign page":     {status.Error(codes.PermissionDenied, "no"), codes.PermissionDenied, "no", "", "the credentials, or the name that the server is called by, are not enough"},
		"another service":    {status.Error(codes.Unimplemented, "unknown service"), codes.Unimplemented, "unknown service", "", "is this remote_tap's port, and does its version have gRPC? The service is remotetap.v1.TapService"},
		"not found by a way": {status.Error(codes.NotFound, "nothing"), codes.NotFound, "nothing", "", ""},
	} {
		for when, opens := range map[string]bool{"at once": false, "after its headers": true} {
			t.Run(name+", "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := newInternet(t)
					n.start(home, &service{play: func(tap *served) error {
						if opens {
							_ = tap.open()
						}
						return answer.err
					}})
					r := n.tap(home, tapclient.Selection{})
					end := next[*tapclient.End](r)
					assert.Equal(t, tapclient.EndRefused, end.Reason)
					assert.Zero(t, end.Totals.Connections)
					err := r.over()
					for _, err := range []error{end.Err, err} {
						var refused *tapclient.RefusedError
						require.ErrorAs(t, err, &refused)
						assert.Equal(t, answer.code, refused.Code)
						assert.Equal(t, answer.message, refused.Message)
						assert.Equal(t, answer.parameter, refused.Parameter)
						assert.Equal(t, answer.hint, refused.Hint)
						assert.Contains(t, err.Error(), answer.message)
						assert.Contains(t, err.Error(), answer.hint)
						assert.Equal(t, answer.code, status.Code(refused))
					}
					var at *tapclient.OriginError
					require.ErrorAs(t, err, &at)
					assert.Equal(t, end.Origin, at.Origin)
					assert.Equal(t, 1, n.attempts(home))
				})
			})
		}
	}
}

func TestRefusalNamesTheHoldersOfTheTaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		n.start(home, &service{play: func(*served) error {
			return refusal(codes.ResourceExhausted, &remotetapv1.Refusal{
				Error: "all 2 taps are taken", Hint: "wait",
				Taps: []*remotetapv1.Holder{{Remote: "10.0.0.9:4711", Since: timestamppb.New(time.Unix(1_700_000_000, 0))}, {Remote: "10.0.0.8:1"}},
			})
		}})
		r := n.tap(home, tapclient.Selection{}, tapclient.WithoutReconnect())
		next[*tapclient.End](r)
		err := r.over()
		var refused *tapclient.RefusedError
		require.ErrorAs(t, err, &refused)
		require.Len(t, refused.Taps, 2)
		require.Equal(t, "10.0.0.9:4711", refused.Taps[0].Remote)
		require.True(t, refused.Taps[0].Since.Equal(time.Unix(1_700_000_000, 0)))
		require.Contains(t, err.Error(), "held by 10.0.0.9:4711 since ")
		require.Contains(t, err.Error(), ", 10.0.0.8:1")
	})
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

func TestMissedSaysForHowLongAndHowManyItems(t *testing.T) {
	for name, connection := range map[string]struct {
		lose  func(n *internet, tap *served) error
		since time.Duration // from the connection's beginning
		items uint64
		sent  uint64
	}{
		"an orderly end": {
			func(_ *internet, tap *served) error {
				return tap.end("shutdown", account(9, 0, map[string]uint64{"tap_ended": 7, "rate_limit": 3}))
			}, 20 * time.Second, 7, 9, // the server's last word is not doubted
		},
		"a connection that breaks, with a last account from before": {
			func(n *internet, tap *served) error {
				_ = tap.stats(account(1, 5, map[string]uint64{"rate_limit": 3}))
				<-time.After(5 * time.Second)
				_ = tap.spans("one of the five")
				<-time.After(2 * time.Second)
				go n.stop(home)
				return tap.untilGone()
			}, 25 * time.Second, 4, 2,
		},
		"a connection that breaks, without any account": {
			func(n *internet, tap *served) error {
				_ = tap.spans("another")
				<-time.After(100 * time.Second)
				go n.stop(home)
				return tap.untilGone()
			}, 80 * time.Second, 0, 0, // 20 and 100 less the 40 that it may take to notice
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newInternet(t)
				n.start(home, &service{play: inTurn(func(tap *served) error {
					_ = tap.spans("first")
					<-time.After(20 * time.Second)
					return connection.lose(n, tap)
				}, watched)})
				r := n.tap(home, tapclient.Selection{Stats: time.Second})
				begin := next[*tapclient.Up](r).Time
				var down *tapclient.Down
				for down == nil {
					event, err := r.Next(t.Context())
					require.NoError(t, err)
					down, _ = event.(*tapclient.Down)
				}
				if connection.sent == 0 {
					require.Nil(t, down.Ledger)
				} else {
					require.Equal(t, connection.sent, down.Ledger.Sent)
					requireBalanced(t, *down.Ledger)
				}
				n.stop(home)
				n.start(home, &service{play: watched})
				up := next[*tapclient.Up](r)
				missed := next[*tapclient.Missed](r)
				require.Equal(t, begin.Add(connection.since), missed.Since)
				require.Equal(t, up.Time, missed.Until)
				require.Equal(t, up.Time.Sub(begin)-connection.since, missed.Duration())
				require.Equal(t, connection.items, missed.Items)
				r.Close()
				totals := r.Totals()
				require.Equal(t, missed.Duration(), totals.Missed)
				require.Equal(t, 2, totals.Connections)
				requireBalanced(t, totals.Ledger)
			})
		})
	}
}

func TestConnectionThatOnlyCountsHasNothingToLose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		n.start(home, &service{play: func(tap *served) error {
			_ = tap.stats(account(1000, 0, nil))
			<-time.After(time.Second)
			go n.stop(home)
			return tap.untilGone()
		}})
		r := n.tap(home, tapclient.Selection{Format: tapclient.FormatNone, Stats: time.Second})
		next[*tapclient.Up](r)
		next[*tapclient.Stats](r)
		ledger := next[*tapclient.Down](r).Ledger
		require.Equal(t, uint64(1000), ledger.Sent)
		require.Zero(t, ledger.Lost())
		r.Close()
	})
}

func TestConnectionThatDiesWithoutAWordIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		n.start(home, &service{play: greets})
		dead := make(chan struct{})
		r := n.tap(home, tapclient.Selection{Stats: time.Second}, tapclient.WithDialer(func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := n.dial(ctx, network, address)
			return &mortal{Conn: conn, dead: dead}, err
		}))
		next[*tapclient.Up](r)
		next[*tapclient.Stats](r)
		died := time.Now()
		close(dead)
		down := next[*tapclient.Down](r)
		require.LessOrEqual(t, time.Since(died), 40*time.Second)
		n.stop(home)
		n.start(home, &service{play: greets})
		require.ErrorContains(t, down.Err, "keepalive")
		r.Close()
	})
}

// mortal is a connection over which nothing comes or goes when it is dead.
type mortal struct {
	net.Conn
	dead chan struct{}
}

func (c *mortal) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	select {
	case <-c.dead:
		if err == nil {
			return c.Read(b) // what came is lost on the way
		}
	default:
	}
	return n, err
}

func (c *mortal) Write(b []byte) (int, error) {
	select {
	case <-c.dead:
		return len(b), nil
	default:
		return c.Conn.Write(b)
	}
}

func requireBalanced(t *testing.T, l tapclient.Ledger) {
	t.Helper()
	require.Equal(t, l.Seen, l.Skipped+l.Unmatched+l.Matched, "%+v", l)
	require.Equal(t, l.Matched, l.Sent+l.Pending+l.Lost(), "%+v", l)
}

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
