package tail

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

func TestALineShowsTheMostTellingThatFits(t *testing.T) {
	s := today()
	failed, fine := s.Traces(4, 5), s.Traces(5, 6)
	for _, test := range []struct {
		name  string
		data  any
		width int
		lines []string
	}{
		{"a wide terminal has attributes", failed, 120, []string{
			`15:04:05.400 span   frontend -      140ms GET /checkout  http.route=/checkout  http.response.status_code=500`,
			`15:04:05.410 span   checkout -      120ms charge  user.tier=gold  order.number=4  service.version=1.4.2`,
			`15:04:05.420 span   payment  error  100ms POST /pay  status="card declined"  http.route=/pay  order.number=4`,
			`15:04:05.430 span   payment  error 80.0ms SELECT card  status="card declined"  db.system.name=postgresql  order.number=4`,
		}},
		{"a terminal of 80 columns goes without milliseconds", fine, 80, []string{
			`15:04:05 span frontend -      150ms GET /checkout  http.route=/checkout`,
			`15:04:05 span checkout -      130ms charge  user.tier=gold  order.number=5`,
			`15:04:05 span payment  -      110ms POST /pay  http.route=/pay  order.number=5`,
			`15:04:05 span payment  -     90.0ms SELECT card  db.system.name=postgresql`,
		}},
		{"one of 50 columns has a letter for the signal", failed, 50, []string{
			`15:04:05 s frontend -      140ms GET /checkout`,
			`15:04:05 s checkout -      120ms charge`,
			`15:04:05 s payment  error  100ms POST /pay`,
			`15:04:05 s payment  error 80.0ms SELECT card`,
		}},
		{"one of 30 columns shows how it went", failed, 30, []string{
			`15:04:05 s frontend -      14…`,
			`15:04:05 s checkout -      12…`,
			`15:04:05 s payment  error  10…`,
			`15:04:05 s payment  error 80.…`,
		}},
		{"records have a severity and no duration", s.Logs(4, 6), 120, []string{
			`15:04:05.450 log    payment  error card declined  order.number=4  trace_id=5b8efff7980381031715609f7c746c69`,
			`15:04:05.550 log    payment  info  paid  order.number=5  trace_id=5b8efff798038103b54cda58fbbee87e`,
		}},
		{"data points have a type and a value with its unit", s.Metrics(4, 5), 120, []string{
			`15:04:05.400 metric checkout sum   orders.total 5 {order}  service.version=1.4.2  k8s.pod.name=checkout-0`,
			`15:04:05.400 metric checkout gauge queue.length 2 {order}  service.version=1.4.2  k8s.pod.name=checkout-0`,
		}},
		{"a pipe gets lines that are not cut", s.Logs(4, 5), 0, []string{
			`15:04:05.450 log    payment  error card declined  order.number=4  trace_id=5b8efff7980381031715609f7c746c69` +
				`  service.version=1.4.2  k8s.pod.name=payment-0`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLines(terminal.Terminal{}, func() int { return test.width }, false)
			out, err := l.print(nil, batch(t, test.data))
			require.NoError(t, err)
			assert.Equal(t, test.lines, trimmed(out))
		})
	}
}

// trimmed are the lines without spaces at their ends.
func trimmed(out []byte) []string {
	var lines []string
	for line := range strings.Lines(string(out)) {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	return lines
}

func TestOriginsAndPointsHaveColumnsOnceThereAreSeveral(t *testing.T) {
	l := newLines(terminal.Terminal{}, func() int { return 100 }, false)
	record := batch(t, today().Logs(5, 6))
	line := func() string {
		out, err := l.print(nil, record)
		require.NoError(t, err)
		return strings.Join(trimmed(out), "\n")
	}
	assert.True(t, strings.HasPrefix(line(), "15:04:05.550 log    payment  info  paid"))
	l.hear(&tapclient.Stats{Points: []string{"remote_tap", "remote_tap/after"}})
	assert.True(t, strings.HasPrefix(line(), "15:04:05.550 remote_tap log    payment  info  paid"))
	record.Point = "remote_tap/after"
	assert.True(t, strings.HasPrefix(line(), "15:04:05.550 after      log    payment  info  paid"))
	l.hear(&tapclient.Up{Origin: tapclient.Origin{Endpoint: "gateway-1:12001"}})
	assert.True(t, strings.HasPrefix(line(), "15:04:05.550 localhost after      log    payment  info  paid"))
	record.From = "gateway-1:4711"
	assert.True(t, strings.HasPrefix(line(), "15:04:05.550 gateway-1:4711 after      log    payment  info  paid"))
}

func TestWhatNobodySaidIsADash(t *testing.T) {
	td := ptrace.NewTraces()
	td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty().SetEndTimestamp(0)
	ld := plog.NewLogs()
	ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	md := pmetric.NewMetrics()
	md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty()
	for want, data := range map[string]any{
		"--:--:--.--- span   -        -        0ns -": td,
		"--:--:--.--- log    -        -     -":        ld,
		"--:--:--.--- metric -        gauge - 0":      md,
	} {
		l := newLines(terminal.Terminal{}, func() int { return 120 }, false)
		out, err := l.print(nil, batch(t, data))
		require.NoError(t, err)
		assert.Equal(t, []string{want}, trimmed(out))
	}
}

func TestColoursAreFewAndTakeNoRoom(t *testing.T) {
	data := batch(t, today().Traces(4, 5))
	plain, err := newLines(terminal.Terminal{}, func() int { return 90 }, false).print(nil, data)
	require.NoError(t, err)
	coloured, err := newLines(terminal.Terminal{Color: true}, func() int { return 90 }, false).print(nil, data)
	require.NoError(t, err)
	assert.NotEqual(t, string(plain), string(coloured))
	assert.Equal(t, string(plain), ansi.Strip(string(coloured)))
	assert.Contains(t, string(coloured), "\x1b[31merror\x1b[0m")
}
