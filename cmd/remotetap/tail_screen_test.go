package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/collectortest"
)

// ctrlC is what the terminal makes an interrupt of.
const ctrlC = "\x03"

func TestTailFitsItsLinesToTheWindowAndEndsWithTotals(t *testing.T) {
	c := collectortest.Start(t, collectortest.Default)
	term := inTerminal(t, 120, 24, "tail", "point=remote_tap", c.Tap())
	c.AwaitTaps(1)
	term.AwaitText("waiting: nothing has passed yet")
	send(t, c, 4, 5)
	assert.Equal(t, strings.Join([]string{
		`15:04:05.400 span   frontend -      140ms GET /checkout  http.route=/checkout  http.response.status_code=500`,
		`15:04:05.410 span   checkout -      120ms charge  user.tier=gold  order.number=4  service.version=1.4.2`,
		`15:04:05.420 span   payment  error  100ms POST /pay  status="card declined"  http.route=/pay  order.number=4`,
		`15:04:05.430 span   payment  error 80.0ms SELECT card  status="card declined"  db.system.name=postgresql  order.number=4`,
		`15:04:05.450 log    payment  error        card declined  order.number=4  trace_id=5b8efff7980381031715609f7c746c69`,
		`15:04:05.400 metric checkout sum          orders.total 5 {order}  service.version=1.4.2  k8s.pod.name=checkout-0`,
		`15:04:05.400 metric checkout gauge        queue.length 2 {order}  service.version=1.4.2  k8s.pod.name=checkout-0`,
	}, "\n"), term.AwaitText("queue.length"))

	term.Resize(60, 24)
	send(t, c, 9, 10)
	screen := term.AwaitText("15:04:05 m checkout gauge")
	lines := strings.Split(screen, "\n")
	require.Len(t, lines, 14, "no line wraps:\n%s", screen)
	assert.Equal(t, []string{
		`15:04:05 s frontend -      190ms GET /checkout`,
		`15:04:05 s checkout -      170ms charge  user.tier=gold`,
		`15:04:05 s payment  error  150ms POST /pay  http.route=/pay`,
		`15:04:05 s payment  error  130ms SELECT card  order.number=9`,
		`15:04:05 l payment  error        card declined`,
		`15:04:05 m checkout sum          orders.total 10 {order}`,
		`15:04:05 m checkout gauge        queue.length 1 {order}`,
	}, lines[7:])

	term.Press(ctrlC)
	assert.Zero(t, term.Wait())
	assert.Equal(t, "matched 14, received 14, dropped 0", lineWith(term.Screen(), "matched"))
}

func TestTheLineAboutLossesStaysBelowAndNeverWraps(t *testing.T) {
	c := collectortest.Start(t, collectortest.Default)
	term := inTerminal(t, 36, 24, "tail", "traces", "point=remote_tap", "--rate", "1", c.Tap())
	c.AwaitTaps(1)
	term.AwaitText("waiting: nothing has passed yet")
	send(t, c, 0, 50)
	lines := strings.Split(term.AwaitText("dropped 198 of 200: rate_limit 198"), "\n")
	assert.Equal(t, "dropped 198 of 200: rate_limit 198", lines[len(lines)-1])
	term.Resize(24, 24)
	send(t, c, 50, 51)
	lines = strings.Split(term.AwaitText("dropped 20", "…"), "\n")
	assert.Regexp(t, `^dropped 20\d of 20\d: r…$`, lines[len(lines)-1], "there is room for ^C")
	assert.Equal(t, 1, strings.Count(term.Screen(), "dropped"), "there is one such line")

	term.Press(ctrlC)
	assert.Zero(t, term.Wait())
	assert.NotContains(t, term.Screen(), ": r…", "it is gone at the end")
}

func TestWhatServicesCallThemselvesIsNotObeyedByTheTerminal(t *testing.T) {
	c := collectortest.Start(t, collectortest.Default)
	term := inTerminal(t, 120, 24, "tail", "logs", c.Tap())
	c.AwaitTaps(1)
	const attack = "\x1b[2J\x1b[1;1H\r\n\u202eall is well"
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "s"+attack)
	record := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.Body().SetStr("body" + attack)
	record.Attributes().PutStr("k"+attack, "v"+attack)
	conn, err := grpc.NewClient(c.OTLP(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer func() { assert.NoError(t, conn.Close()) }()
	_, err = plogotlp.NewGRPCClient(conn).Export(t.Context(), plogotlp.NewExportRequestFromLogs(ld))
	require.NoError(t, err)
	screen := term.AwaitText("--:--:--.---", `body\x1b[2J\x1b[1;1H\r\n\u202eall is well`)
	assert.Len(t, strings.Split(screen, "\n"), 1)
}

func TestPointsAreWatchedInPlace(t *testing.T) {
	c := collectortest.Start(t, collectortest.Default)
	term := inTerminal(t, 80, 12, "points", "--watch", c.Tap())
	term.AwaitText("0 of 20 taps open")
	other := inTerminal(t, 80, 12, "tail", "--service", "payment", c.Tap())
	c.AwaitTaps(1)
	screen := term.AwaitText("1 of 20 taps open", "service=payment")
	assert.Equal(t, 1, strings.Count(screen, "POINT"), screen)
	other.Press(ctrlC)
	assert.Zero(t, other.Wait())
	term.AwaitText("0 of 20 taps open")
	assert.NotContains(t, term.Screen(), "service=payment")
	term.Resize(80, 4)
	term.AwaitText("... and 5 more lines: make the window higher")
	term.Press(ctrlC)
	assert.Zero(t, term.Wait())
}
