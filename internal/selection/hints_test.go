package selection

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// market is traces of two services, 30 spans of one and 10 of the other, and a few logs.
func market() ptrace.Traces {
	td := ptrace.NewTraces()
	for service, spans := range map[string]int{"checkout": 30, "cart": 10} {
		rs := td.ResourceSpans().AppendEmpty()
		rs.Resource().Attributes().PutStr("service.name", service)
		ss := rs.ScopeSpans().AppendEmpty()
		for i := range spans {
			s := ss.Spans().AppendEmpty()
			s.SetName("GET /" + service)
			s.SetEndTimestamp(1_500_000)
			s.Attributes().PutStr("http.route", "/"+service)
			s.Attributes().PutStr("http.method", "GET")
			if i == 0 {
				s.Status().SetCode(ptrace.StatusCodeOk)
			}
		}
	}
	return td
}

func TestHints(t *testing.T) {
	where := func(c string) string { return url.Values{"where": {c}}.Encode() }
	tests := []struct {
		name, query string
		want        []string
	}{
		{"a service that is misspelt", "service=chekout", []string{"service=chekout was not seen; seen: checkout (30), cart (10)"}},
		{"the same as an attribute", "service.name=chekout", []string{"service.name=chekout was not seen; seen: checkout (30), cart (10)"}},
		{"no other service", "service!=c*", []string{"service!=c* was not seen; seen: checkout (30), cart (10)"}},
		{"a key that is misspelt", "http.rout=/cart", []string{"the attribute http.rout was not seen; nearest: http.route, http.method, service.name"}},
		{"a value that there is not", "http.route=/pay", []string{"http.route=/pay was not seen; seen: /checkout (30), /cart (10)"}},
		{"a name", "name=post", []string{"name=post was not seen; seen: GET /checkout (30), GET /cart (10)"}},
		{"a duration", "min_duration=1s", []string{"min_duration=1s was not seen; the longest took 1.5ms"}},
		{"errors", "error=true", []string{"error=true was not seen in 40 items"}},
		{"a status", "otel.status_code=ERROR", []string{"otel.status_code=ERROR was not seen; seen: UNSET (38), OK (2)"}},
		{"a trace", "trace_id=5b8efff798038103d269b633813fc60c", []string{"trace_id=5b8efff798038103d269b633813fc60c was not seen in 40 items"}},
		{"two that do not hold", "service=x&error=true", []string{"service=x was not seen; seen: checkout (30), cart (10)", "error=true was not seen in 40 items"}},
		{"two that do not hold together", "service=cart&http.route=/checkout", []string{
			"each criterion held for some of 40 items, but for none together: service=cart (10), http.route=/checkout (30)",
		}},
		{"a condition that does not hold", where(`span.name == "x"`), []string{"where held for none of 40 items"}},
		{"a condition that fails", where(`Substring(span.name, 5, 90) == "x"`), []string{
			"where failed on every item: invalid range for substring function, start(5)+length(90) cannot be greater than the length of target string(13)",
		}},
		{"a condition that fails on some", where(`Substring(span.name, 0, 10) == "x"`), []string{
			"where held for no item, and failed on 10 of 40: invalid range for substring function, start(0)+length(10) cannot be greater than the length of target string(9)",
		}},
		{"a condition that does not hold with another criterion", "service=cart&" + where(`span.name == "GET /checkout"`), []string{
			"each criterion held for some of 40 items, but for none together: service=cart (10), where (30)",
		}},
		{"conditions on the resource and on events", where(`resource.attributes["service.name"] == "x"`) + "&" + where(`spanevent.name == "x"`), []string{"where held for none of 40 items"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			td := market()
			td.MarkReadOnly()
			m := compiled(t, tt.query)
			var marks Marks
			require.NoError(t, m.MatchTraces(td, 40, &marks, Budget{}))
			require.Zero(t, marks.Count(), "nothing matches")
			r := NewRecorder(m)
			assert.Empty(t, r.Hints(), "nothing has passed yet")
			require.NoError(t, r.ObserveTraces(td, 40, Budget{}))
			hints := r.Hints()
			if strings.Contains(tt.query, "5%2C+90") {
				require.Len(t, hints, 1)
				// Resources come in any order, so the first failure may be either's.
				assert.Regexp(t, `^where failed on every item: invalid range for substring function, .* target string\((9|13)\)$`, hints[0])
				return
			}
			assert.Equal(t, tt.want, hints)
		})
	}
}

func TestHintsOfLogsAndMetrics(t *testing.T) {
	_, md, ld := shop()
	r := NewRecorder(compiled(t, "name=nothing"))
	require.NoError(t, r.ObserveLogs(ld, 2, Budget{}))
	require.NoError(t, r.ObserveMetrics(md, 3, Budget{}))
	assert.Equal(t, []string{"name=nothing was not seen; seen: requests (2), card number 4111 declined (1), heat (1), started (1)"}, r.Hints())

	r = NewRecorder(compiled(t, "severity=fatal"))
	require.NoError(t, r.ObserveLogs(ld, 2, Budget{}))
	assert.Equal(t, []string{"severity=fatal was not seen; seen: error (1), warn (1)"}, r.Hints()[:1])

	r = NewRecorder(compiled(t, url.Values{"where": {`datapoint.attributes["i"] == 7`, `metric.name == "x"`, `log.body == "x"`, `scope.name == "x"`}}.Encode()))
	require.NoError(t, r.ObserveLogs(ld, 2, Budget{}))
	require.NoError(t, r.ObserveMetrics(md, 3, Budget{}))
	assert.Equal(t, []string{"where held for none of 5 items"}, r.Hints())
}

func TestHintsOfProfiles(t *testing.T) {
	pd := pprofile.NewProfiles()
	for _, service := range []string{"cart", "cart", "checkout"} {
		pd.ResourceProfiles().AppendEmpty().Resource().Attributes().PutStr("service.name", service)
	}
	r := NewRecorder(compiled(t, "service=chekout&attr.plain=x&attr.plain!=y"))
	require.NoError(t, r.ObserveProfiles(pd, 0, Budget{}))
	assert.Equal(t, []string{
		"service=chekout was not seen; seen: cart (2), checkout (1)", "the attribute plain was not seen; nearest: service.name",
	}, r.Hints())
}

func TestHintsNeedFixedMemory(t *testing.T) {
	r := NewRecorder(compiled(t, "http.route=x&name=x&service=x"))
	for batch := range 200 {
		td := busyTraces(3, 300)
		for i, rs := range td.ResourceSpans().All() {
			rs.Resource().Attributes().PutStr("service.name", fmt.Sprintf("service-%d-%d", batch, i))
			for j, s := range rs.ScopeSpans().At(0).Spans().All() {
				s.SetName(strings.Repeat("long", 100) + fmt.Sprint(batch, j))
				s.Attributes().PutStr(fmt.Sprintf("key-%d-%d", batch, j), "x")
				if j%3 > 0 {
					s.Attributes().PutStr("http.route", "/often")
				}
			}
		}
		require.NoError(t, r.ObserveTraces(td, 900, Budget{}))
	}
	for _, tally := range []*tally{&r.keys, &r.notes[0].seen, &r.notes[1].seen, &r.notes[2].seen} {
		assert.LessOrEqual(t, len(tally.entries), tally.capacity)
		assert.Len(t, tally.index, len(tally.entries))
		for text, i := range tally.index {
			assert.Equal(t, text, tally.entries[i].text)
			assert.LessOrEqual(t, len(text), maxSeenText)
		}
	}
	hints := strings.Join(r.Hints(), "\n")
	assert.Contains(t, hints, "http.route=x was not seen; seen: /often (12", "what is frequent is not lost among what is not")
	assert.Less(t, len(hints), 2000)
}

func TestObservingIsBounded(t *testing.T) {
	td := busyTraces(10, 1000)
	m := compiled(t, "http.route=x")
	r := NewRecorder(m)
	require.NoError(t, r.ObserveTraces(td, 10_000, Budget{}))
	assert.Equal(t, uint64(10_000), r.looked, "each item looked at stands for those around it")
	assert.LessOrEqual(t, r.keys.entries[0].count, uint64(10_100))

	r = NewRecorder(m)
	now := time.Duration(0)
	require.NoError(t, r.ObserveTraces(td, 10_000, Budget{Now: func() time.Duration { now++; return now }, Until: 11}))
	assert.Equal(t, uint64(10*40), r.looked, "ten items, for forty each")
}

func TestObservingWaitsForNobody(t *testing.T) {
	td := market()
	r := NewRecorder(compiled(t, "service=x"))
	r.mu.Lock()
	require.NoError(t, r.ObserveTraces(td, 40, Budget{}), "it returns at once")
	r.mu.Unlock()
	assert.Zero(t, r.looked)

	var pipelines sync.WaitGroup
	for range 8 {
		pipelines.Go(func() {
			for range 50 {
				_ = r.ObserveTraces(td, 40, Budget{})
				r.Hints()
			}
		})
	}
	pipelines.Wait()
	assert.Len(t, r.Hints(), 1)
}

func TestObservingReportsAPanic(t *testing.T) {
	td := market()
	r := NewRecorder(compiled(t, "service=x"))
	r.rules.tests[0].resource = nil
	r.rules.tests[0].span = func(ptrace.Span) bool { panic("a bug") }
	var panicked *PanicError
	require.ErrorAs(t, r.ObserveTraces(td, 40, Budget{}), &panicked)
	assert.Equal(t, "matching panicked: a bug", panicked.Error())
	assert.True(t, r.mu.TryLock(), "nothing stays locked")
}

func TestHintsShowNoControlCharacters(t *testing.T) {
	td := market()
	td.ResourceSpans().At(0).Resource().Attributes().PutStr("service.name", "\x1b[2J\nboo")
	td.ResourceSpans().At(1).Resource().Attributes().PutStr("service.name", "")
	r := NewRecorder(compiled(t, "service=x"))
	require.NoError(t, r.ObserveTraces(td, 40, Budget{}))
	assert.Contains(t, r.Hints()[0], `"\x1b[2J\nboo" (`)
	assert.Contains(t, r.Hints()[0], `"" (`)
}

func TestTallyKeepsWhatIsFrequent(t *testing.T) {
	tally := newTally(8)
	for i := range 1000 {
		tally.add(fmt.Sprint("rare", i), 1)
		if i%4 == 0 {
			tally.add("frequent", 1)
		}
	}
	assert.Contains(t, tally.most(3), "frequent (25")
	assert.Len(t, tally.entries, 8)
}
