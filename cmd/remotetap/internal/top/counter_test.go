package top

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

func TestItemsAreCountedByServiceAndOperation(t *testing.T) {
	c := newCounter(nil, time.Hour, begin)
	feedTo(t, c, orderBatches(t, 0, 50)...)
	s := c.snapshot(begin.Add(10 * time.Second))
	assert.EqualValues(t, 350, s.items())

	traces := sectionOf(t, s, tapclient.Traces)
	rows := arrange(traces.rows, byErrors, true, "")
	require.Len(t, rows, 4)
	pay := rows[0]
	assert.Equal(t, []value{{"payment", true}, {"POST /pay", true}}, pay.values)
	assert.EqualValues(t, 50, pay.total.items)
	assert.EqualValues(t, 10, pay.total.errors, "each fifth fails")
	// Orders take 100 to 190 ms, and payment 40 ms less.
	assert.InEpsilon(t, 100*time.Millisecond, pay.total.p50, 0.05)
	assert.InEpsilon(t, 150*time.Millisecond, pay.total.p95, 0.02)
	assert.Equal(t, 150*time.Millisecond, pay.total.p99.Round(2*time.Millisecond))

	logs := sectionOf(t, s, tapclient.Logs)
	require.Len(t, logs.rows, 1)
	assert.Equal(t, [levels]uint64{3: 40, 5: 10}, logs.rows[0].total.levels)

	metrics := arrange(sectionOf(t, s, tapclient.Metrics).rows, byName, true, "")
	require.Len(t, metrics, 2)
	assert.Equal(t, []value{{"orders.total", true}, {"checkout", true}}, metrics[0].values)
	assert.Equal(t, "50", metrics[0].lastValue)
	assert.Equal(t, "{order}", metrics[0].unit)
}

func TestItemsAreCountedByAttributes(t *testing.T) {
	by, err := parseFields([]string{"service.version", "attr.none", "severity"})
	require.NoError(t, err)
	c := newCounter(by, time.Hour, begin)
	feedTo(t, c, orderBatches(t, 0, 50)...)
	rows := arrange(sectionOf(t, c.snapshot(begin), tapclient.Logs).rows, byTotal, true, "")
	got := map[string]uint64{}
	for _, r := range rows {
		assert.False(t, r.values[1].known)
		got[r.values[0].text+" "+r.values[2].text] = r.total.items
	}
	assert.Equal(t, map[string]uint64{"1.4.2 INFO": 35, "1.4.2 ERROR": 10, "local-debug INFO": 5}, got)
}

func TestSpansWithoutAnEndHaveNoDuration(t *testing.T) {
	c := newCounter(nil, time.Hour, begin)
	feedTo(t, c, spans(t, spanOf{service: "a", name: "open"}, spanOf{service: "a", name: "open"}))
	rows := sectionOf(t, c.snapshot(begin), tapclient.Traces).rows
	assert.EqualValues(t, 2, rows[0].total.items)
	assert.Equal(t, noDuration, rows[0].total.p50)

	feedTo(t, c, spans(t, spanOf{service: "a", name: "open", took: 3 * time.Second}))
	rows = sectionOf(t, c.snapshot(begin), tapclient.Traces).rows
	assert.EqualValues(t, 3, rows[0].total.items)
	for _, p := range []time.Duration{rows[0].total.p50, rows[0].total.p95, rows[0].total.p99} {
		assert.Equal(t, 3*time.Second, p, "of the one that has an end")
	}
}

func TestPercentilesAreWithinOnePercent(t *testing.T) {
	c := newCounter(nil, time.Hour, begin)
	random := rand.New(rand.NewPCG(3, 4))
	var all []spanOf
	var took []time.Duration
	for range 5000 {
		d := time.Duration(float64(100*time.Microsecond) * float64(1+random.IntN(100)) * (1 + random.ExpFloat64()*50))
		took = append(took, d)
		all = append(all, spanOf{service: "a", name: "b", took: d})
	}
	slices.Sort(took)
	feedTo(t, c, spans(t, all...))
	f := sectionOf(t, c.snapshot(begin), tapclient.Traces).rows[0].total
	for q, got := range map[int]time.Duration{50: f.p50, 95: f.p95, 99: f.p99} {
		assert.InEpsilon(t, took[(len(took)*q+99)/100-1], got, 0.0101, "p%d", q)
	}
}

func TestFiguresAreThoseOfTheLastCompleteWindow(t *testing.T) {
	c := newCounter(nil, 2*time.Second, begin)
	window := func(at time.Duration) (row, *snapshot) {
		now := begin.Add(at)
		c.advance(now)
		s := c.snapshot(now)
		return sectionOf(t, s, tapclient.Traces).rows[0], s
	}
	one := spanOf{service: "a", name: "b", took: time.Second, fails: true}
	feedTo(t, c, spans(t, one, one, one))
	r, s := window(time.Second)
	assert.EqualValues(t, 3, r.window.items, "the first window stands in while it is being filled")
	assert.Equal(t, time.Second, s.window)

	r, s = window(2100 * time.Millisecond)
	assert.EqualValues(t, 3, r.window.items)
	assert.Equal(t, 2100*time.Millisecond, s.window, "as long as it really was")
	feedTo(t, c, spans(t, one, spanOf{service: "a", name: "b", took: 3 * time.Second}))
	r, _ = window(4 * time.Second)
	assert.EqualValues(t, 3, r.window.items, "the second window is not over")
	assert.EqualValues(t, 5, r.total.items)

	r, _ = window(4100 * time.Millisecond)
	assert.EqualValues(t, 2, r.window.items)
	assert.EqualValues(t, 1, r.window.errors)
	assert.Equal(t, 3*time.Second, r.window.p99.Round(100*time.Millisecond))
	r, _ = window(6100 * time.Millisecond)
	assert.Zero(t, r.window.items)
	assert.Equal(t, noDuration, r.window.p99)
	assert.EqualValues(t, 5, r.total.items)
}

func TestLossesMakeLowerBounds(t *testing.T) {
	c := newCounter(nil, 2*time.Second, begin)
	at := func(seconds int) (total, window bool) {
		now := begin.Add(time.Duration(seconds) * time.Second)
		c.advance(now)
		s := c.snapshot(now)
		return s.totalLow, s.windowLow
	}
	type low struct{ total, window bool }
	check := func(seconds int, want low, why string) {
		t.Helper()
		total, window := at(seconds)
		assert.Equal(t, want, low{total, window}, "after %d s: %s", seconds, why)
	}
	check(1, low{}, "nothing is lost")
	c.lose(5)
	check(1, low{true, true}, "something is")
	check(2, low{true, true}, "in the window that is shown")
	c.lose(6)
	check(3, low{true, true}, "an account comes later than the items: the last window may be meant")
	check(4, low{true, true}, "or this one")
	check(6, low{true, false}, "nothing more is lost")
	c.begin(begin.Add(6 * time.Second))
	check(7, low{}, "what was lost before the new beginning is no matter")
}

// What belongs to too many groups is counted together, and visibly so.
func TestGroupsAreBounded(t *testing.T) {
	c := newCounter(nil, time.Hour, begin)
	var all []spanOf
	for i := range maxGroups + 500 {
		all = append(all, spanOf{service: "a", name: fmt.Sprintf("GET /users/%d", i), took: time.Second})
	}
	feedTo(t, c, spans(t, all...), spans(t, all...))
	traces := sectionOf(t, c.snapshot(begin), tapclient.Traces)
	assert.Len(t, traces.rows, maxGroups)
	require.NotNil(t, traces.other)
	assert.EqualValues(t, 1000, traces.other.total.items)
	assert.EqualValues(t, 2*len(all), traces.sum.total.items)
}

// Whatever comes, the sums over groups are the items that came.
func TestSumsOverGroupsAreTheItems(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		by := [][]string{nil, {"http.route"}, {"attr.tenant", "point"}}[random.IntN(3)]
		fields, err := parseFields(by)
		require.NoError(t, err)
		c := newCounter(fields, time.Second, begin)
		c.maxGroups = 1 + random.IntN(20)
		var items, errors, records uint64
		now := begin
		for range 30 {
			var all []spanOf
			for range random.IntN(20) {
				s := spanOf{
					service: fmt.Sprint("s", random.IntN(5)), name: fmt.Sprint("n", random.IntN(10)),
					took: time.Duration(random.IntN(3)) * time.Second, fails: random.IntN(4) == 0,
					attributes: map[string]any{"http.route": strconv.Itoa(random.IntN(30)), "tenant": random.IntN(3)},
				}
				if s.fails {
					errors++
				}
				all = append(all, s)
			}
			items += uint64(len(all))
			feedTo(t, c, spans(t, all...))
			ld := plog.NewLogs()
			for range random.IntN(5) {
				ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().
					SetSeverityNumber(plog.SeverityNumber(random.IntN(26)))
			}
			records += uint64(ld.LogRecordCount())
			feedTo(t, c, logsBatch(t, ld))
			now = now.Add(time.Duration(random.IntN(700)) * time.Millisecond)
			c.advance(now)
		}
		s := c.snapshot(now)
		assert.Equal(t, items+records, s.items())
		for _, section := range s.sections {
			assert.LessOrEqual(t, len(section.rows), c.maxGroups)
			sum, window, severities := noFigures(), noFigures(), uint64(0)
			for _, r := range section.rows {
				sum, window = sum.plus(r.total), window.plus(r.window)
			}
			if section.other != nil {
				sum, window = sum.plus(section.other.total), window.plus(section.other.window)
			}
			assert.Equal(t, sum, section.sum.total)
			assert.Equal(t, window, section.sum.window)
			for _, n := range sum.levels {
				severities += n
			}
			if section.signal == tapclient.Traces {
				assert.Equal(t, []uint64{items, errors, 0}, []uint64{sum.items, sum.errors, severities})
			} else {
				assert.Equal(t, []uint64{records, records}, []uint64{sum.items, severities}, "each record has one severity, or none")
			}
		}
	}
}

func TestPointsAreTold(t *testing.T) {
	c := newCounter(nil, time.Hour, begin)
	b := spans(t, spanOf{service: "a", name: "b"})
	feedTo(t, c, b)
	assert.False(t, sectionOf(t, c.snapshot(begin), tapclient.Traces).repeats())
	again := *b
	again.Point = "remote_tap/after_sampling"
	feedTo(t, c, &again)
	traces := sectionOf(t, c.snapshot(begin), tapclient.Traces)
	assert.True(t, traces.repeats(), "the same span passed two points")
	assert.Equal(t, []string{"remote_tap", "remote_tap/after_sampling"}, traces.points)

	for i := range 100 {
		again.Point = strconv.Itoa(i)
		feedTo(t, c, &again)
	}
	assert.Len(t, sectionOf(t, c.snapshot(begin), tapclient.Traces).points, maxPoints)
}

func TestProfilesAreCountedBySamples(t *testing.T) {
	c := newCounter(nil, time.Hour, begin)
	feedTo(t, c, &app.Batch{Signal: tapclient.Profiles, Point: "remote_tap", Items: 17})
	feedTo(t, c, &app.Batch{Signal: "of a later version", Items: 5})
	profiles := sectionOf(t, c.snapshot(begin), tapclient.Profiles)
	assert.EqualValues(t, 17, profiles.sum.total.items)
	assert.EqualValues(t, 17, c.snapshot(begin).items())
}

func TestAMalformedBatchIsAnError(t *testing.T) {
	c := newCounter(nil, time.Hour, begin)
	require.Error(t, c.add(&app.Batch{Signal: tapclient.Traces, Items: 1, Proto: []byte{0xff}}))
}

// BenchmarkAdd counts 1000 spans in 200 groups.
func BenchmarkAdd(b *testing.B) {
	c := newCounter(nil, time.Second, begin)
	var all []spanOf
	for i := range 1000 {
		all = append(all, spanOf{service: "checkout", name: fmt.Sprintf("GET /users/%d", i%200), took: time.Duration(i) * time.Millisecond})
	}
	batch := spans(b, all...)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.add(batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSnapshot takes stock of as many groups as there may be.
func BenchmarkSnapshot(b *testing.B) {
	c := newCounter(nil, time.Second, begin)
	var all []spanOf
	for i := range 10 * maxGroups {
		all = append(all, spanOf{service: "a", name: strconv.Itoa(i % maxGroups), took: time.Duration(i*i) * time.Microsecond})
	}
	feedTo(b, c, spans(b, all...))
	for b.Loop() {
		c.snapshot(begin)
	}
}
