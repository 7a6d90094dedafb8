package trace

import (
	"io"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// collecting is a collector for the arguments, which takes batches without a server.
func collecting(t *testing.T, o options, arguments ...string) *collector {
	t.Helper()
	a := app.New(app.System{Out: io.Discard, Err: io.Discard, Getenv: func(string) string { return "" }})
	o.output, o.wait = "text", time.Hour
	if o.keep == 0 {
		o.keep, o.memory = time.Hour, 64
	}
	selecting := app.SelectionFlags(pflag.NewFlagSet("", pflag.ContinueOnError))
	c, err := prepare(a, o, selecting, arguments)
	require.NoError(t, err)
	c.enough = func() {}
	t.Cleanup(func() {
		if c.quiet != nil {
			c.quiet.Stop()
		}
	})
	return c
}

func TestTheNextTraceThatMatchesIsThereWithWhatPassedBefore(t *testing.T) {
	c := collecting(t, options{next: true}, "service=pay", "otel.status_code=ERROR")
	other := tracesOf(span{id: 1, service: "pay", name: "fine"})
	other.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).SetTraceID(pcommon.TraceID{2})
	for _, b := range []*app.Batch{
		tracesBatch(t, "p", other),
		tracesBatch(t, "p", tracesOf(shop()[0])),
		logsBatch(t, "p", logOf(2, 70, plog.SeverityNumberError, "card declined")),
	} {
		require.NoError(t, c.take(b))
		assert.Empty(t, c.id)
	}
	require.NoError(t, c.take(tracesBatch(t, "p", tracesOf(shop()[1]))))
	require.NoError(t, c.take(tracesBatch(t, "p", other)))
	require.NoError(t, c.take(tracesBatch(t, "p", tracesOf(shop()[2]))))
	assert.Equal(t, traceHex, c.id)
	tree := c.trace.tree(c.id)
	assert.True(t, tree.complete(), "%v", tree.problems())
	assert.Len(t, tree.nodes, 3)
	assert.Equal(t, 1, tree.logs)
	assert.Empty(t, c.recent.held, "nothing is kept that is not needed")
}

func TestARecordMayBeWhatTheNextTraceIsFoundBy(t *testing.T) {
	c := collecting(t, options{next: true}, "severity=warn")
	require.NoError(t, c.take(tracesBatch(t, "p", tracesOf(shop()...))))
	nobodys := logOf(0, 1, plog.SeverityNumberError, "no trace")
	nobodys.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).SetTraceID(pcommon.TraceID{})
	require.NoError(t, c.take(logsBatch(t, "p", nobodys)))
	assert.Empty(t, c.id, "a record without a trace finds none")
	require.NoError(t, c.take(logsBatch(t, "p", logOf(2, 70, plog.SeverityNumberError, "card declined"))))
	assert.Equal(t, traceHex, c.id)
	assert.Equal(t, 4, c.trace.items)
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	batch := func(size int) *app.Batch { return &app.Batch{Proto: make([]byte, size)} }
	now := time.Unix(1000, 0)
	r := ring{keep: time.Minute, most: 1000}
	for range 100 {
		r.add(batch(300), now)
		assert.LessOrEqual(t, r.size, 1000)
	}
	assert.Len(t, r.held, 3)
	r.add(batch(100), now.Add(2*time.Minute))
	assert.Len(t, r.held, 1, "the others are too old")
	assert.Equal(t, 100, r.size)
	r.add(batch(5000), now.Add(2*time.Minute))
	assert.Empty(t, r.held, "it is too large by itself")
	assert.Zero(t, r.size)
}

func TestWhatIsLostIsSaid(t *testing.T) {
	c := collecting(t, options{next: true})
	assert.Empty(t, c.losses())
	c.totals.Ledger = tapclient.Ledger{Dropped: map[string]uint64{tapclient.DropTapEnded: 5}}
	assert.Empty(t, c.losses(), "that came after there was enough")
	c.totals.Ledger.Dropped["byte_limit"] = 7
	c.totals.Ledger.Skipped = 1000
	assert.Equal(t, "1,007 items of all that passed were lost on the way here: try --narrow", c.losses())
	c.options.narrow = true
	assert.Equal(t, "1,007 items were lost on the way here", c.losses())
	c.totals = tapclient.Totals{Missed: 2 * time.Second}
	assert.Equal(t, "nothing was seen for 2s, when there was no connection", c.losses())
}

func TestTraceIDs(t *testing.T) {
	for text, want := range map[string]string{
		"5b8efff798038103d269b633813fc60c":                        "5b8efff798038103d269b633813fc60c",
		"5B8EFFF798038103D269B633813FC60C":                        "5b8efff798038103d269b633813fc60c",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01": "4bf92f3577b34da6a3ce929d0e0e4736",
		"5b8efff798038103d269b633813fc6":                          "",
		"localhost:12001":                                         "",
		"service.version=local-debug":                             "",
	} {
		got, ok := idOf(text)
		assert.Equal(t, want, got)
		assert.Equal(t, want != "", ok)
	}
}

func TestWrongArgumentsSayWhatToWrite(t *testing.T) {
	a := app.New(app.System{Out: io.Discard, Err: io.Discard, Getenv: func(string) string { return "" }})
	fine := options{output: "text", wait: time.Second, memory: 64}
	for message, test := range map[string]struct {
		arguments []string
		change    func(*options)
	}{
		"name a trace by its 32 hexadecimal digits": {[]string{"service=a"}, func(*options) {}},
		"leave it out":                {[]string{traceHex}, func(o *options) { o.next = true }},
		"--narrow is about --next":    {[]string{traceHex}, func(o *options) { o.narrow = true }},
		"write text, json or otlp":    {[]string{traceHex}, func(o *options) { o.output = "yaml" }},
		"write more than 0s":          {[]string{traceHex}, func(o *options) { o.wait = 0 }},
		"write 1 to 4096 MiB":         {[]string{traceHex}, func(o *options) { o.memory = 0 }},
		"write 0s or more":            {[]string{traceHex}, func(o *options) { o.keep = -1 }},
		"as the first argument":       {[]string{"trace_id=" + traceHex}, func(o *options) { o.next = true }},
		"selects neither":             {[]string{"metrics"}, func(o *options) { o.next = true }},
		"did you mean service":        {[]string{"servce=a"}, func(o *options) { o.next = true }},
		"count has no effect here":    {[]string{"count=1"}, func(o *options) { o.next = true }},
		"did you mean traces":         {[]string{"trases"}, func(o *options) { o.next = true }},
		"--duration and --keep: writ": {[]string{traceHex}, func(o *options) { o.duration = -1 }},
	} {
		o := fine
		test.change(&o)
		_, err := prepare(a, o, app.SelectionFlags(pflag.NewFlagSet("", pflag.ContinueOnError)), test.arguments)
		require.ErrorContains(t, err, message, test.arguments)
		assert.Equal(t, app.CodeUsage, app.CodeOf(err))
	}
}
