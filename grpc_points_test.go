package remotetapprocessor

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

// listPoints calls ListPoints.
func (o *observed) listPoints(k rpcKind, header ...string) (*remotetapv1.ListPointsResponse, error) {
	o.t.Helper()
	client := rpcClient[remotetapv1.ListPointsRequest, remotetapv1.ListPointsResponse](o, k, pointsMethod)
	response, err := client.CallUnary(o.t.Context(), newRequest(&remotetapv1.ListPointsRequest{}, header))
	if err != nil {
		return nil, err
	}
	return response.Msg, nil
}

// pointsKinds are the ways to call ListPoints: those with protobuf, and those with JSON.
func pointsKinds() []rpcKind {
	kinds := rpcKinds()
	for _, k := range rpcKinds() {
		k.name += " with JSON"
		kinds = append(kinds, k.with(connect.WithProtoJSON()))
	}
	return kinds
}

// asJSON is an answer of ListPoints in the form of GET /v1/points.
func asJSON(points *remotetapv1.ListPointsResponse) pointsJSON {
	limits := points.GetLimits()
	answer := pointsJSON{
		Version: points.GetVersion(),
		Points:  []pointJSON{},
		Taps:    []tapJSON{},
		Limits: limitsJSON{
			Limit: int(limits.GetLimit()), ItemsPerSecond: limits.GetItemsPerSecond(), MiBPerSecond: limits.GetMibPerSecond(),
			QueueMiB: int(limits.GetQueueMib()), MaxDuration: limits.GetMaxDuration().AsDuration().String(), MaxOverhead: limits.GetMaxOverhead(),
		},
	}
	for _, p := range points.GetPoints() {
		point := pointJSON{Point: p.GetPoint(), Signals: p.GetSignals()}
		for signal, rate := range p.GetRates() {
			if point.Rates == nil {
				point.Rates = map[string]*float64{"traces": nil, "metrics": nil, "logs": nil, "profiles": nil}
			}
			point.Rates[signal] = new(rate)
		}
		answer.Points = append(answer.Points, point)
	}
	for _, tap := range points.GetTaps() {
		l := tap.GetLedger()
		dropped := l.GetDropped()
		if dropped == nil {
			dropped = map[string]uint64{}
		}
		answer.Taps = append(answer.Taps, tapJSON{
			ID: tap.GetId(), Remote: tap.GetRemote(), Subject: tap.GetSubject(), UserAgent: tap.GetUserAgent(),
			Transport: tap.GetTransport(), Selection: tap.GetSelection(),
			Ledger: ledgerJSON{
				Since: l.GetSince().AsTime(), Now: l.GetNow().AsTime(), Seen: l.GetSeen(), Skipped: l.GetSkipped(),
				Unmatched: l.GetUnmatched(), Matched: l.GetMatched(), Sent: l.GetSent(), Pending: l.GetPending(),
				Dropped: dropped, EvalErrors: l.GetEvalErrors(), Bytes: l.GetBytes(),
			},
		})
	}
	return answer
}

func TestListPointsSaysWhatTheJSONSays(t *testing.T) {
	tests := []struct {
		name  string
		watch func(o *observed)
		taps  int
	}{
		{"while nobody watches", func(*observed) {}, 0},
		{"while some signals are watched", func(o *observed) {
			conn := o.webSocket("/v1/tap?signal=traces,logs&name=span+1", "User-Agent", "websocat/1.0", "Authorization", "username ada")
			o.rpcTap(plainGRPC(), &remotetapv1.TapRequest{Signal: []string{"traces"}, Stats: nil}, "Authorization", "username grace")
			for range 5 {
				o.pass(30)
				nextSpans(o.t, conn)
				<-time.After(time.Second)
			}
		}, 2},
	}
	for _, tt := range tests {
		for _, k := range pointsKinds() {
			t.Run(tt.name+" over "+k.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := onMemory(t, withAuth("basicauth"), func(c *Config) {
						c.Limit = 3
						c.PerTap = PerTapConfig{ItemsPerSecond: 20, MiBPerSecond: 1.5, QueueMiB: 8, MaxDuration: time.Hour}
					})
					tt.watch(o)
					synctest.Wait()
					as := []string{"Authorization", "username linus"}
					_, body := o.answer(http.MethodGet, "/v1/points", as...)
					var want pointsJSON
					require.NoError(t, json.Unmarshal([]byte(body), &want))
					require.Len(t, want.Taps, tt.taps)
					points, err := o.listPoints(k, as...)
					require.NoError(t, err)
					assert.Equal(t, want, asJSON(points))
				})
			})
		}
	}
}

func TestTapsOfCallsAreListedWithTheirTransport(t *testing.T) {
	for _, k := range rpcKinds() {
		t.Run(k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				o.rpcTap(k, &remotetapv1.TapRequest{NotService: []string{"health*"}})
				points, err := o.listPoints(k)
				require.NoError(t, err)
				require.Len(t, points.GetTaps(), 1)
				tap := points.GetTaps()[0]
				assert.Equal(t, k.transport, tap.GetTransport())
				assert.Contains(t, tap.GetUserAgent(), "connect", "what the client calls itself")
				assert.Equal(t, "service!=health*&format=otlp_proto&max_message=1048576", tap.GetSelection())
			})
		})
	}
}

func TestUserAgentThatIsNoTextDoesNotBreakTheList(t *testing.T) {
	for name, agent := range map[string]string{
		"bytes that are no UTF-8":            "caf\xe9",
		"a letter where the name is cut off": strings.Repeat("x", maxUserAgent-1) + "é",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				o.stream("/v1/tap", "User-Agent", agent)
				for _, k := range pointsKinds() {
					points, err := o.listPoints(k)
					require.NoError(t, err)
					require.Len(t, points.GetTaps(), 1)
				}
			})
		})
	}
}

func TestListPointsIsJSONForCurl(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		for _, p := range []protocol{http1, h2c} {
			response, body := o.post(p, pointsMethod, "{}", "Content-Type", "application/json")
			assert.Equal(t, http.StatusOK, response.StatusCode)
			points := new(remotetapv1.ListPointsResponse)
			require.NoError(t, protojson.Unmarshal([]byte(body), points))
			assert.Equal(t, "1.2.3", points.GetVersion())
			assert.Equal(t, []string{"traces", "metrics", "logs", "profiles"}, points.GetPoints()[0].GetSignals())
		}
	})
}
