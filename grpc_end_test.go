package remotetapprocessor

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/durationpb"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

func TestHowACallEnds(t *testing.T) {
	const ok = connect.Code(0)
	tests := []struct {
		name    string
		request *remotetapv1.TapRequest
		change  func(*Config)
		end     func(o *observed)
		code    connect.Code
		reason  string
	}{
		{
			"count_reached is OK", &remotetapv1.TapRequest{Count: new(uint64(2))}, nil,
			func(o *observed) { o.pass(5) }, ok, "count_reached",
		},
		{
			"duration_reached is OK", &remotetapv1.TapRequest{Duration: durationpb.New(30 * time.Second)}, nil,
			func(*observed) {}, ok, "duration_reached",
		},
		{
			"max_duration is DEADLINE_EXCEEDED", &remotetapv1.TapRequest{}, func(c *Config) { c.PerTap.MaxDuration = time.Minute },
			func(*observed) {}, connect.CodeDeadlineExceeded, "max_duration",
		},
		{
			"shutdown is UNAVAILABLE", &remotetapv1.TapRequest{}, nil,
			func(o *observed) { go o.shutdownDuration(o.t.Context()) }, connect.CodeUnavailable, "shutdown",
		},
		{
			"internal_error is INTERNAL", &remotetapv1.TapRequest{}, nil,
			func(o *observed) { viewOf(o).fail("a bug", nil, 0) }, connect.CodeInternal, "internal_error",
		},
	}
	for _, tt := range tests {
		for _, k := range rpcKinds() {
			t.Run(tt.name+" over "+k.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					if tt.change == nil {
						tt.change = func(*Config) {}
					}
					o := onMemory(t, tt.change)
					stream := o.rpcTap(k, tt.request)
					o.pass(2)
					synctest.Wait()
					tt.end(o)
					responses, err := stream.rest()
					if tt.code == ok {
						require.NoError(t, err)
					} else {
						assertCode(t, tt.code, err)
						assert.ErrorContains(t, err, "tap ended: "+tt.reason)
					}
					end := ending(t, responses)
					assert.Equal(t, tt.reason, end.GetReason())
					assert.Zero(t, end.GetLedger().GetPending())
					requireHonest(t, end.GetLedger())
					ended := o.ended()
					assert.Equal(t, tt.reason, ended["reason"])
					assert.Equal(t, ended["sent"], end.GetLedger().GetSent())
					synctest.Wait()
				})
			})
		}
	}
}

func TestClientThatCancelsHasLeft(t *testing.T) {
	for _, k := range rpcKinds() {
		t.Run(k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				stream := o.rpcTap(k, &remotetapv1.TapRequest{})
				stream.leave()
				responses, err := stream.rest()
				assert.Empty(t, responses)
				assertCode(t, connect.CodeCanceled, err)
				assert.Equal(t, "client_closed", o.reason())
				assert.Zero(t, o.open())
			})
		})
	}
}

// inFiveSeconds is the header that gives a call a deadline.
func inFiveSeconds(k rpcKind) []string {
	if k.transport == "connect" {
		return []string{"Connect-Timeout-Ms", "5000"}
	}
	return []string{"Grpc-Timeout", "5S"}
}

func TestDeadlineOfACallEndsTheTap(t *testing.T) {
	tests := []struct {
		name    string
		disturb func(o *observed)
		within  time.Duration // after the deadline
	}{
		{"while nothing passes", func(*observed) {}, 0},
		{"while the client reads nothing", func(o *observed) { o.flood() }, farewell},
	}
	for _, tt := range tests {
		for _, k := range rpcKinds() {
			t.Run(tt.name+" over "+k.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := onMemory(t)
					// The client does not look at the clock itself.
					stream := o.rpcTap(k, &remotetapv1.TapRequest{}, inFiveSeconds(k)...)
					start := time.Now()
					tt.disturb(o)
					assert.Equal(t, "client_closed", o.reason())
					assert.Equal(t, 5*time.Second+tt.within, time.Since(start))
					assert.Zero(t, o.open())
					responses, err := stream.rest()
					require.Error(t, err)
					if tt.within == 0 {
						assert.Empty(t, responses)
						assertCode(t, connect.CodeDeadlineExceeded, err)
					}
				})
			})
		}
	}
}

func TestCallerThatStopsReadingIsEndedAfterItsWriteTimeout(t *testing.T) {
	for _, k := range rpcKinds() {
		t.Run(k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				stream := o.rpcTap(k, &remotetapv1.TapRequest{MaxMessage: new(uint64(4096))})
				o.flood()
				start := time.Now()
				ended := o.ended()
				assert.Equal(t, "write_timeout", ended["reason"])
				assert.Equal(t, 10*time.Second, time.Since(start))
				synctest.Wait()
				responses, err := stream.rest()
				require.Error(t, err, "the stream is cut, not finished")
				if k.over == h2c {
					assertCode(t, connect.CodeInternal, err) // which is what gRPC makes of a stream that is reset
				}
				received := 0
				for _, r := range responses {
					received += len(spansOf(t, r))
				}
				assert.EqualValues(t, ended["sent"], received)
			})
		})
	}
}

func TestConnectionOfACallOverHTTP1IsNotUsedAgain(t *testing.T) {
	for _, k := range rpcKinds() {
		t.Run(k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t, func(c *Config) { c.Server.WriteTimeout = 0 })
				client := rpcClient[remotetapv1.TapRequest, remotetapv1.TapResponse](o, k, tapMethod)
				remotes := map[any]bool{}
				for range 2 {
					stream, err := client.CallServerStream(t.Context(), connect.NewRequest(&remotetapv1.TapRequest{Duration: durationpb.New(time.Minute)}))
					require.NoError(t, err)
					responses, err := (&rpcStream[remotetapv1.TapResponse]{t: t, stream: stream}).rest()
					require.NoError(t, err)
					assert.Equal(t, "duration_reached", ending(t, responses).GetReason())
					require.NoError(t, stream.Close())
					remotes[o.ended()["remote"]] = true
				}
				want := 1
				if k.over == http1 {
					want = 2
				}
				assert.Len(t, remotes, want)
			})
		})
	}
}

func TestBugWhileAMessageIsWrittenStillEndsTheCallProperly(t *testing.T) {
	for _, k := range rpcKinds() {
		t.Run(k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				stream := o.rpcTap(k, &remotetapv1.TapRequest{})
				o.flood()
				synctest.Wait() // the session hangs in a write
				viewOf(o).fail("a bug", nil, 0)
				responses, err := stream.rest()
				assertCode(t, connect.CodeInternal, err)
				assert.ErrorContains(t, err, "tap ended: internal_error")
				end := ending(t, responses)
				assert.Equal(t, "internal_error", end.GetReason())
				assert.EqualValues(t, 20_000, requireHonest(t, end.GetLedger()))
				assert.Equal(t, "internal_error", o.reason())
				assert.Equal(t, 1, o.logs.FilterMessageSnippet("remote_tap has a bug").Len(), "there is no second one")
			})
		})
	}
}

func TestConnectionServesCallsOneAfterAnother(t *testing.T) {
	for _, k := range pointsKinds() {
		t.Run(k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				dialed := 0
				dial := o.connect
				o.connect = func(ctx context.Context, network, address string) (net.Conn, error) {
					dialed++
					return dial(ctx, network, address)
				}
				client := rpcClient[remotetapv1.ListPointsRequest, remotetapv1.ListPointsResponse](o, k, pointsMethod)
				for range 5 {
					_, err := client.CallUnary(t.Context(), connect.NewRequest(&remotetapv1.ListPointsRequest{}))
					require.NoError(t, err)
					<-time.After(requestTimeout + time.Second)
				}
				assert.Equal(t, 1, dialed, "the time that a request may take does not outlive it")
			})
		})
	}
}

func TestLeaveIsTakenOfAClientThatDoesNotReadIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		o.rpcTap(plainGRPC(), &remotetapv1.TapRequest{Count: new(uint64(1))})
		// The only message fills the window that the client has opened (RFC 9113 section 6.9.2) but for
		// a few bytes: the End has no room.
		const window, few = 65_535, 10
		batch := spans(1)
		attributes := batch.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Attributes()
		attributes.PutStr("payload", strings.Repeat("x", window-500))
		e := &entry{source: o.s.broadcaster.snapshot().sources[0], items: 1, time: time.Now(), line: append(bytesOf(t)(traceOps().marshal(batch)), '\n')}
		missing := window - few - len(appendHead(nil, e)) - len(e.message())
		attributes.PutStr("payload", strings.Repeat("x", window-500+missing))
		start := time.Now()
		o.passTraces(batch)
		assert.Equal(t, "count_reached", o.reason())
		assert.Equal(t, farewell, time.Since(start))
		assert.Zero(t, o.open())
	})
}
