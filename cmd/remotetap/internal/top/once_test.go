package top

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// aTop is a run of the command that writes into a buffer.
func aTop(out *bytes.Buffer) *top {
	return &top{app: app.New(app.System{Out: out, Err: &bytes.Buffer{}, Getenv: func(string) string { return "" }}), order: byErrors, limit: 10, output: "text"}
}

func TestOncePrintsTables(t *testing.T) {
	once := aTop(&bytes.Buffer{})
	once.limit, once.query = 3, "service=*&duration=10s"
	golden(t, "once.golden", once.text(busy(t)))
}

func TestOncePrintsADocument(t *testing.T) {
	once := aTop(&bytes.Buffer{})
	once.limit, once.query = 2, "duration=10s"
	s := busy(t)
	s.totalLow, s.totals.Ledger.Dropped = true, map[string]uint64{"rate_limit": 3, "queue_full": 0}
	got, err := once.document(s)
	require.NoError(t, err)
	golden(t, "once.json", string(got))
}

// Without --limit the rows are all, and their sums what the document says of all.
func TestTheDocumentAddsUp(t *testing.T) {
	once := aTop(&bytes.Buffer{})
	once.limit = 0
	c := newCounter(nil, time.Second, begin)
	c.maxGroups = 3
	feedTo(t, c, orderBatches(t, 0, 50)...)
	got, err := once.document(&state{snapshot: c.snapshot(begin.Add(time.Second))})
	require.NoError(t, err)
	var d document
	require.NoError(t, json.Unmarshal(got, &d))
	require.NotNil(t, d.Traces.Other, "there are four operations, and room for three")
	var items, errors uint64
	for _, r := range append(d.Traces.Rows, *d.Traces.Other) {
		items, errors = items+r.Items, errors+*r.Errors
	}
	assert.EqualValues(t, 200, items)
	assert.Equal(t, d.Traces.Items, items)
	assert.Equal(t, *d.Traces.Errors, errors)
	assert.Equal(t, 3, d.Traces.Groups)
	assert.EqualValues(t, 350, d.Items)
	assert.Nil(t, d.Profiles, "what did not come is not there")
}

func TestAFieldThatIsMissingIsNull(t *testing.T) {
	by, err := parseFields([]string{"http.route", "attr.empty"})
	require.NoError(t, err)
	c := newCounter(by, time.Second, begin)
	feedTo(t, c, spans(t, spanOf{name: "a", attributes: map[string]any{"empty": ""}}))
	got, err := aTop(&bytes.Buffer{}).document(&state{snapshot: c.snapshot(begin.Add(time.Second))})
	require.NoError(t, err)
	assert.Contains(t, string(got), `"attr.empty": "",
          "http.route": null
        },`)
	assert.NotContains(t, string(got), "p50_ms", "no span has an end")
}

func TestFlagsAreChecked(t *testing.T) {
	given := func(flags ...string) func(string) bool {
		return func(flag string) bool {
			return slices.Contains(flags, flag)
		}
	}
	for _, c := range []struct {
		name   string
		change func(*top)
		given  func(string) bool
		says   string
	}{
		{"an order that is near to one", func(t *top) { t.sort = "error" }, given(), "--sort error: there is no such order; did you mean errors?"},
		{"an order that is near to none", func(t *top) { t.sort = "zzzzzz" }, given(), "--sort zzzzzz: there is no such order; write one of rate, errors, share, p50, p95, p99, total, name"},
		{"an interval that is too short", func(t *top) { t.interval = time.Millisecond }, given(), "--interval 1ms: write a time from 500ms to 1h"},
		{"an interval that is too long", func(t *top) { t.interval = 2 * time.Hour }, given(), "--interval 2h0m0s: write a time from 500ms to 1h"},
		{"a form of output that is none", func(t *top) { t.output = "yaml" }, given(), "-o yaml: write text or json"},
		{"fewer than no groups", func(t *top) { t.limit = -1 }, given(), "--limit -1: write how many groups to print, or 0 for all"},
		{"a limit of the live table", func(t *top) { t.app.Screen.IsTerminal = true }, given("limit"), "--limit is for --once: the live table has all groups; press tab"},
		{"an interval without a live table", func(t *top) { t.isOnce = true }, given("interval"), "--interval is for the live table; with --once write --duration"},
		{"a key that is none", func(t *top) { t.by = []string{"nam"} }, given(), "--by nam: did you mean name? An attribute with this key is written attr.nam"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := aTop(&bytes.Buffer{})
			run.interval = 2 * time.Second
			c.change(run)
			err := run.check(c.given)
			assert.EqualError(t, err, c.says)
			assert.Equal(t, app.CodeUsage, app.CodeOf(err))
		})
	}
}

func TestTheLiveTableIsForTerminals(t *testing.T) {
	for _, c := range []struct {
		name     string
		terminal bool
		given    string
		isOnce   bool
		order    order
	}{
		{"a terminal gets the live table", true, "", false, byRate},
		{"what is no terminal gets it once", false, "", true, byErrors},
		{"a form of output means once", true, "output", true, byErrors},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := aTop(&bytes.Buffer{})
			run.interval, run.app.Screen.IsTerminal = 2*time.Second, c.terminal
			require.NoError(t, run.check(func(flag string) bool { return flag == c.given }))
			assert.Equal(t, c.isOnce, run.isOnce)
			assert.Equal(t, c.order, run.order)
		})
	}
}

func TestTheLastValueIsOfOneMetric(t *testing.T) {
	c := newCounter(nil, time.Second, begin)
	c.maxGroups = 1
	feedTo(t, c, orderBatches(t, 0, 5)...)
	metrics := sectionOf(t, c.snapshot(begin), tapclient.Metrics)
	assert.Empty(t, lastValue(metrics.other).text)
	assert.Nil(t, rowDocument(metrics, metrics.other, time.Second).LastValue)
	assert.Equal(t, "5 {order}", lastValue(&metrics.rows[0]).text)
}
