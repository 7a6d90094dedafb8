package doctor_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/collectortest"
	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// listed is what a tap has in these tests.
func listed(change func(*remotetapv1.ListPointsResponse)) *remotetapv1.ListPointsResponse {
	l := &remotetapv1.ListPointsResponse{
		Version: "1.2.3",
		Points:  []*remotetapv1.Point{{Point: "remote_tap", Signals: []string{"traces", "metrics", "logs"}, Rates: map[string]float64{"traces": 1234.4, "logs": 0.25}}},
		Limits:  &remotetapv1.Limits{Limit: 5, MaxOverhead: 0.1, MibPerSecond: 10},
	}
	if change != nil {
		change(l)
	}
	return l
}

// counted is an account.
func counted(change func(*remotetapv1.Stats)) *remotetapv1.Stats {
	s := &remotetapv1.Stats{Ledger: &remotetapv1.Ledger{Seen: 5000, Matched: 5000}}
	if change != nil {
		change(s)
	}
	return s
}

func TestFindings(t *testing.T) {
	t.Parallel()
	opened := timestamppb.New(time.Date(2026, 1, 2, 15, 4, 5, 0, time.Local))
	for name, c := range map[string]struct {
		points *remotetapv1.ListPointsResponse
		stats  *remotetapv1.Stats
		args   []string
		says   []string
		code   app.Code
		ahead  time.Duration // its clock
	}{
		"all is well": {
			listed(nil), counted(nil), nil,
			[]string{"✓ traffic   5,000 items passed in 1.50s", "            remote_tap: traces 1,234/s, logs 0.2/s", "✓ clock     the collector's agrees"},
			app.CodeDone, 0,
		},
		"a signal that is in no pipeline": {
			listed(func(l *remotetapv1.ListPointsResponse) { l.Points[0].Signals = []string{"traces"} }), counted(nil), nil,
			[]string{"– pipelines no point is in a pipeline of metrics or logs"},
			app.CodeDone, 0,
		},
		"a signal that is in no pipeline, and asked for": {
			listed(func(l *remotetapv1.ListPointsResponse) { l.Points[0].Signals = []string{"traces"} }), counted(nil),
			[]string{"logs"},
			[]string{"✗ pipelines no point is in a pipeline of logs"},
			app.CodeFailed, 0,
		},
		"no points": {
			listed(func(l *remotetapv1.ListPointsResponse) { l.Points = nil }), counted(nil), nil,
			[]string{"✗ points    there are none"},
			app.CodeFailed, 0,
		},
		"all taps taken": {
			listed(func(l *remotetapv1.ListPointsResponse) {
				l.Limits.Limit = 1
				l.Taps = []*remotetapv1.OpenTap{{Remote: "10.0.0.5:1234", Subject: "ada", UserAgent: "curl\x1b[31m", Ledger: &remotetapv1.Ledger{Since: opened}}}
			}), counted(nil), nil,
			[]string{`✗ taps      all 1 are taken, by ada at 10.0.0.5:1234 (curl\x1b[31m) since 15:04:05`, "raise limit"},
			app.CodeFailed, 0,
		},
		"another's losses": {
			listed(func(l *remotetapv1.ListPointsResponse) {
				l.Taps = []*remotetapv1.OpenTap{{Remote: "10.0.0.5:1234", Ledger: &remotetapv1.Ledger{
					Since: opened, Seen: 100000, Skipped: 7, Dropped: map[string]uint64{"queue_full": 1200, "byte_limit": 30, "rate_limit": 4, "overhead": 5},
				}}}
			}), counted(nil), nil,
			[]string{
				"– losses    the tap of 10.0.0.5:1234 since 15:04:05 loses: overhead 5, queue_full 1,200, byte_limit 30, rate_limit 4, skipped 7 of 100,000",
				"raise max_overhead, now 0.1 of a core", "slower than the telemetry", "per_tap::mib_per_second, now 10", "✓ taps      1 of 5 taken",
			},
			app.CodeDone, 0,
		},
		"skipped": {
			listed(nil), counted(func(s *remotetapv1.Stats) { s.Ledger.Skipped, s.Ledger.Matched = 1000, 4000 }), nil,
			[]string{"✗ losses    1,000 of 5,000 items passed unread"},
			app.CodeFailed, 0,
		},
		"one criterion that matches nothing, with the server's hint": {
			listed(nil), counted(func(s *remotetapv1.Stats) {
				s.Ledger.Matched, s.Ledger.Unmatched, s.Hints = 0, 5000, []string{"did you mean payment?"}
			}),
			[]string{"--service", "payemnt"},
			[]string{"✗ selection service=payemnt matches none of 5,000 items", "→ did you mean payment?"},
			app.CodeFailed, 0,
		},
		"a condition that fails": {
			listed(nil), counted(func(s *remotetapv1.Stats) {
				s.Ledger.Matched, s.Ledger.Unmatched, s.Ledger.EvalErrors = 0, 5000, 5000
			}),
			[]string{"--where", `span.name > 3`},
			[]string{"where failed on 5,000"},
			app.CodeFailed, 0,
		},
		"a selection that matches": {
			listed(nil), counted(func(s *remotetapv1.Stats) { s.Ledger.Matched, s.Ledger.Unmatched = 10, 4990 }),
			[]string{"http.route=/pay"},
			[]string{"✓ selection http.route=/pay matches 10 of 5,000 items"},
			app.CodeDone, 0,
		},
		"a clock that is ahead": {
			listed(nil), counted(nil), nil,
			[]string{"– clock     the collector's is ", " ahead of this machine's"},
			app.CodeDone, time.Hour,
		},
		"a clock that is behind": {
			listed(nil), counted(nil), nil,
			[]string{"behind this machine's"},
			app.CodeDone, -time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := serve(t, &fakeTap{points: c.points, stats: c.stats, ahead: c.ahead})
			text, code := run(t, wide(), append([]string{"--duration", "500ms", address}, c.args...)...)
			for _, says := range c.says {
				assert.Contains(t, text, says)
			}
			assert.Equal(t, c.code, code)
		})
	}
}

func TestServersSayWhatWasMeant(t *testing.T) {
	collector := collectortest.Start(t, collectortest.Default)
	ctx, cancel := context.WithCancel(t.Context())
	sent := make(chan error, 1)
	go func() { // telemetry, as long as the doctor looks
		shop := collectortest.NewShop()
		for ctx.Err() == nil {
			if err := shop.Send(ctx, collector.OTLP(), 0, 1); err != nil && ctx.Err() == nil {
				sent <- err
				return
			}
			select {
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
			}
		}
		sent <- nil
	}()
	text, code := run(t, wide(), collector.Tap(), "--service", "payemnt")
	cancel()
	require.NoError(t, <-sent)
	assert.Contains(t, text, "✗ selection service=payemnt matches none of")
	assert.Contains(t, text, "payment")
	assert.Contains(t, text, "remote_tap: traces ")
	assert.NotContains(t, text, "traces 0/s, metrics")
	assert.Equal(t, app.CodeFailed, code)
}

func TestSeveralEndpointsAreOneReportEach(t *testing.T) {
	one, two := serve(t, &fakeTap{points: listed(nil), stats: counted(nil)}), "127.0.0.1:1"
	text, code := run(t, wide(), "--duration", "500ms", "-o", "json", one, two)
	assert.Equal(t, app.CodeFailed, code)
	var document struct {
		Endpoints []struct {
			Endpoint string
			Healthy  bool
			Findings []struct{ Check, State, Text, Remedy string }
		}
	}
	require.NoError(t, json.NewDecoder(strings.NewReader(text)).Decode(&document))
	require.Len(t, document.Endpoints, 2)
	assert.Equal(t, one, document.Endpoints[0].Endpoint)
	assert.True(t, document.Endpoints[0].Healthy)
	assert.False(t, document.Endpoints[1].Healthy)
	assert.Equal(t, "connects", document.Endpoints[1].Findings[0].Check)
	assert.Equal(t, "problem", document.Endpoints[1].Findings[0].State)
	assert.Contains(t, text, "1 problem found, at 1 of 2 addresses")
}

func TestNarrowTerminalsGetWrappedTexts(t *testing.T) {
	text, _ := run(t, map[string]string{"COLUMNS": "50"}, "127.0.0.1:1")
	for line := range strings.Lines(text) {
		assert.LessOrEqual(t, len(strings.TrimSuffix(line, "\n")), 50, line)
	}
	assert.Contains(t, text, "\n                 remote_tap in a pipeline", "what hangs is indented")
}

func TestTheDoctorsTapsOnlyCount(t *testing.T) {
	tap := &fakeTap{points: listed(nil), stats: counted(nil)}
	run(t, wide(), "--duration", "500ms", serve(t, tap), "--error")
	tap.mu.Lock()
	defer tap.mu.Unlock()
	require.Len(t, tap.requests, 2)
	for _, r := range tap.requests {
		assert.Equal(t, string(tapclient.FormatNone), r.GetFormat())
	}
}
