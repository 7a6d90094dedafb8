package selection

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// batch is one signal's batch, ready to be matched.
type batch struct {
	signal otlp.Signal
	items  []plain
	match  func(m *Matcher, into *Marks, budget Budget) error
}

func (c corpus) batches(resources int) []batch {
	td, md, ld := c.traces(resources), c.metrics(resources), c.logs(resources)
	td.MarkReadOnly() // writing to it panics
	md.MarkReadOnly()
	ld.MarkReadOnly()
	return []batch{
		{otlp.Traces, plainSpans(td), func(m *Matcher, into *Marks, b Budget) error { return m.MatchTraces(td, td.SpanCount(), into, b) }},
		{otlp.Metrics, plainPoints(md), func(m *Matcher, into *Marks, b Budget) error {
			return m.MatchMetrics(md, md.DataPointCount(), into, b)
		}},
		{otlp.Logs, plainRecords(ld), func(m *Matcher, into *Marks, b Budget) error { return m.MatchLogs(ld, ld.LogRecordCount(), into, b) }},
	}
}

func parsed(tb testing.TB, query string) (url.Values, Selection) {
	tb.Helper()
	values, err := url.ParseQuery(query)
	require.NoError(tb, err)
	s, err := Parse(values, AllSignals())
	require.NoError(tb, err)
	return values, s
}

// requireNaive compares a match with the naive evaluation of as many items as were read, and returns how many matched.
func requireNaive(tb testing.TB, values url.Values, s Selection, b batch, marks *Marks) int {
	tb.Helper()
	r := marks.Result()
	require.Equal(tb, len(b.items), r.Items)
	require.Equal(tb, r.Items, r.Matched+r.Unmatched+r.Skipped, "the account adds up")
	require.LessOrEqual(tb, r.EvalErrors, r.Unmatched)
	require.Equal(tb, r.EvalErrors > 0, r.FirstError != nil)
	matched, failed := 0, 0
	for i, item := range b.items {
		want, wantFailed := false, false
		if s.Signals().Has(b.signal) && i < r.Items-r.Skipped {
			want, wantFailed = naiveSelect(values, item)
		}
		require.Equal(tb, want, marks.Has(i), "%s: item %d of %s: %+v", s, i, b.signal, item)
		if want {
			matched++
		}
		if wantFailed {
			failed++
		}
	}
	require.Equal(tb, matched, r.Matched)
	require.Equal(tb, matched, marks.Count())
	require.Equal(tb, matched == len(b.items), marks.All())
	if s.Signals().Has(b.signal) {
		require.Equal(tb, failed, r.EvalErrors, "items that only a failing where kept: %s", s)
	}
	return matched
}

func TestMatch(t *testing.T) {
	where := func(conditions ...string) string { return url.Values{"where": conditions}.Encode() }
	tests := []struct {
		name, query string
		none        bool // nothing in the corpus matches
	}{
		{name: "no criteria select everything", query: ""},
		{name: "a service", query: "service=checkout"},
		{name: "services with a common beginning", query: "service=check*"},
		{name: "services with one character more", query: "service=checkou%3F"},
		{name: "a service with a slash and a star across it", query: "service=f*d"},
		{name: "one of two services", query: "service=cart&service=checkout"},
		{name: "neither of two services", query: "service!=cart&service!=checkout*"},
		{name: "some service, but not one", query: "service=c*&service!=cart"},
		{name: "resources without a service", query: "service!=*"},
		{name: "a service name that is a number", query: "service=7"},
		{name: "a service that does not exist", query: "service=chekout", none: true},
		{name: "a name in another case", query: "name=pay"},
		{name: "a name with letters outside ASCII", query: "name=STRAẞE"},
		{name: "a name with a letter that folds into ASCII", query: "name=KELVIN"},
		{name: "a dotted capital I is no i", query: "name=" + url.QueryEscape("istanbul"), none: true},
		{name: "a part of a structured body", query: "name=" + url.QueryEscape(`"message"`)},
		{name: "neither of two names", query: "name!=pay&name!=strasse"},
		{name: "long spans", query: "min_duration=1s"},
		{name: "spans of a nanosecond", query: "min_duration=1ns"},
		{name: "errors", query: "error=true"},
		{name: "no errors", query: "error=FALSE"},
		{name: "warnings and above, by number or text", query: "severity=warn"},
		{name: "a step of a severity", query: "severity=warn2"},
		{name: "a severity by number", query: "severity=24"},
		{name: "one of two traces, one in capitals", query: "trace_id=01000000000000000001000000000001&trace_id=0100000000000000FF42000000000000"},
		{name: "not one trace", query: "trace_id!=01000000000000000000000000000001"},
		{name: "a status", query: "otel.status_code=error"},
		{name: "one of two statuses", query: "otel.status_code=UNSET&otel.status_code=OK"},
		{name: "neither of two statuses", query: "otel.status_code!=UNSET&otel.status_code!=OK"},
		{name: "an attribute that is text or a number", query: "http.response.status_code=500"},
		{name: "an attribute at any level", query: "service.name=checkout"},
		{name: "one of two values", query: "http.route=/pay&http.route=500"},
		{name: "neither of two values, or without the attribute", query: "http.route!=/pay&http.route!=500"},
		{name: "an attribute without a dot", query: "attr.plain=true"},
		{name: "an attribute named like a criterion", query: "attr.otel.status_code=500"},
		{name: "an attribute named like a parameter", query: "attr.signal=500"},
		{name: "a boolean", query: "http.route=true"},
		{name: "a double", query: "http.route=0.5"},
		{name: "not a number", query: "http.route=NaN"},
		{name: "infinity", query: "http.route=Infinity"},
		{name: "a large double", query: "http.route=1e%2B300"},
		{name: "minus zero", query: "http.route=-0"},
		{name: "a number written in another way", query: "http.route=%2B500", none: true},
		{name: "bytes", query: "http.route=YWJj"},
		{name: "a map", query: "http.route=" + url.QueryEscape(`{"a":"<c>"}`)},
		{name: "a list", query: "http.route=%5B1%5D"},
		{name: "an empty value", query: "http.route="},
		{name: "a key that needs escaping", query: url.Values{"odd key.=&": {"x=y&z"}}.Encode()},
		{name: "two attributes", query: "http.route=/pay&k8s.pod.name!=500"},
		{name: "criteria of all levels", query: "service=c*&name=pay&error=true&http.route!=/pay"},
		{name: "signals", query: "signal=traces,logs&service=checkout"},
		{name: "a condition on the resource", query: where(`resource.attributes["service.name"] == "checkout"`)},
		{name: "a condition on the scope", query: where(`scope.attributes["plain"] != nil`)},
		{name: "a condition on the span", query: where(`span.name == "GET /pay"`)},
		{name: "a condition on span and resource", query: where(`span.name == "kelvin" or resource.attributes["plain"] != nil`)},
		{name: "a condition on an event", query: where(`spanevent.name == "exception"`)},
		{name: "a condition on the metric", query: where(`metric.unit == "s"`)},
		{name: "a condition on the data point", query: where(`datapoint.attributes["plain"] != nil and metric.unit == "s"`)},
		{name: "conditions of two signals", query: where(`span.name == "GET /pay"`, `metric.unit == "s"`)},
		{name: "conditions of three levels", query: where(`span.name == "GET /pay"`, `scope.attributes["plain"] != nil`, `resource.attributes["service.name"] == "checkout"`)},
		{name: "a condition that fails on resources", query: where(`resource.attributes["service.name"] == Substring("abc", 5, 9)`), none: true},
		{name: "the negation of one that fails", query: where(`not (scope.name == Substring("abc", 5, 9))`), none: true},
		{name: "a condition that fails on spans, of those with a service", query: "service=checkout&" + where(`span.name == Substring("abc", 5, 9)`), none: true},
		{name: "a condition that fails on metrics, and another", query: where(`metric.name == Substring("abc", 5, 9)`, `scope.attributes["plain"] != nil`)},
		{name: "a condition that fails on some records", query: where(`log.event_name == "GET /pay" or Substring("abc", 5, 9) == ""`)},
		{name: "a condition that fails on resources, and one on scopes", query: where(`resource.attributes["service.name"] == Substring("abc", 5, 9)`, `scope.attributes["plain"] != nil`)},
		{name: "a failing condition on resources beside one on spans", query: "error=true&" + where(`resource.attributes["service.name"] == Substring("abc", 5, 9)`, `span.name == "GET /pay"`)},
	}
	batches := newCorpus(7).batches(300)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			values, s := parsed(t, tt.query)
			m, err := Compile(s)
			require.NoError(t, err)
			var marks Marks
			matched, all := 0, 0
			for _, b := range batches {
				require.NoError(t, b.match(m, &marks, Budget{}))
				matched += requireNaive(t, values, s, b, &marks)
				all += len(b.items)
			}
			assert.Equal(t, tt.none, matched == 0, "%d of %d match", matched, all)
			if tt.query != "" {
				assert.Less(t, matched, all)
			}
		})
	}
}

func TestMatchProfilesWhole(t *testing.T) {
	c := newCorpus(1)
	for _, tt := range []struct {
		name, query string
		service     string
		want        bool
	}{
		{"no criteria", "", "cart", true},
		{"the service of one of the resources", "service=cart", "cart", true},
		{"another service", "service=checkout", "cart", false},
		{"not that service", "service!=cart", "cart", false},
		{"a resource attribute", "service.name=cart", "cart", true},
		{"another resource attribute", "attr.plain=1", "cart", false},
		{"not that resource attribute", "attr.plain!=1", "cart", true},
		{"a criterion that leaves profiles out", "name=cart", "cart", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pd := c.profiles(0)
			rp := pd.ResourceProfiles().AppendEmpty()
			rp.Resource().Attributes().PutStr("service.name", tt.service)
			profile := rp.ScopeProfiles().AppendEmpty().Profiles().AppendEmpty()
			profile.Samples().AppendEmpty()
			profile.Samples().AppendEmpty()
			var marks Marks
			require.NoError(t, compiled(t, tt.query).MatchProfiles(pd, pd.SampleCount(), &marks, Budget{}))
			assert.Equal(t, tt.want, marks.All())
			want := Result{Items: 2, Unmatched: 2}
			if tt.want {
				want = Result{Items: 2, Matched: 2}
			}
			assert.Equal(t, want, marks.Result())
		})
	}
}

func TestMatchStopsWhenTheBudgetIsUsedUp(t *testing.T) {
	batches := newCorpus(3).batches(100)
	for _, query := range []string{
		"http.route=/pay", "service=c*&name=pay", "service=nobody", "where=" + url.QueryEscape(`resource.attributes["plain"] != nil`),
		"where=" + url.QueryEscape(`span.name == "GET /pay"`), "where=" + url.QueryEscape(`datapoint.attributes["plain"] != nil and metric.unit == "s"`),
	} {
		values, s := parsed(t, query)
		m, err := Compile(s)
		require.NoError(t, err)
		for _, b := range batches {
			for looks := range 40 {
				now := time.Duration(0)
				clock := func() time.Duration { now++; return now }
				var marks Marks
				require.NoError(t, b.match(m, &marks, Budget{Now: clock, Until: time.Duration(looks)}))
				requireNaive(t, values, s, b, &marks)
			}
		}
	}
}

// slowClock tells of the time that items take, and how far a match went beyond its allowance.
func TestMatchOfSlowItemsStopsAtTheNextItem(t *testing.T) {
	// Each span takes a millisecond: a condition cannot be made slow, but the clock can.
	td := busyTraces(1, 1000)
	m := compiled(t, "where="+url.QueryEscape(`span.name == "nothing"`))
	now, looks := time.Duration(0), 0
	clock := func() time.Duration {
		looks++
		now += time.Millisecond
		return now
	}
	var marks Marks
	require.NoError(t, m.MatchTraces(td, 1000, &marks, Budget{Now: clock, Until: 50 * time.Millisecond}))
	r := marks.Result()
	assert.Equal(t, 50, looks)
	assert.LessOrEqual(t, r.Unmatched, 51, "from the second look on it looks at the clock before each item")
	assert.Equal(t, 1000, r.Unmatched+r.Skipped)
}

func TestMatchReadsTheClockSeldom(t *testing.T) {
	td := busyTraces(100, 100)
	for query, most := range map[string]int{"error=true": 10_300/simpleStride + 1, "where=" + url.QueryEscape(`span.name == "nothing"`): 10_300/whereStride + 10} {
		looks := 0
		clock := func() time.Duration { looks++; return time.Duration(looks) }
		var marks Marks
		require.NoError(t, compiled(t, query).MatchTraces(td, td.SpanCount(), &marks, Budget{Now: clock, Until: time.Hour}))
		assert.Zero(t, marks.Result().Skipped)
		assert.LessOrEqual(t, looks, most, query)
	}
}

func TestMatchReportsAPanic(t *testing.T) {
	td := busyTraces(100, 1)
	m := compiled(t, "error=true")
	var marks Marks
	err := m.MatchTraces(td, 1, &marks, Budget{}) // as if it had grown meanwhile, far beyond the marks' room
	var panicked *PanicError
	require.ErrorAs(t, err, &panicked)
	assert.Equal(t, "matching panicked: runtime error: index out of range [1] with length 1", panicked.Error())
	assert.Contains(t, string(panicked.Stack), "spanLeaf")
	require.NoError(t, m.MatchTraces(td, 100, &marks, Budget{}), "the matcher and the marks go on")
	assert.Equal(t, 100, marks.Count())
}

func TestMatchAllocatesNothingForSimpleCriteria(t *testing.T) {
	c := newCorpus(5)
	c.simple = true
	td, ld, md := c.traces(200), c.logs(200), c.metrics(200)
	for _, query := range []string{
		"service=check*", "name=pay", "min_duration=1s", "error=true", "severity=warn", "trace_id=01000000000000000000000000000001",
		"otel.status_code=ERROR", "http.route!=0.5", "http.route=true&http.route=/pay", "sample=0.5", "service=c*&error=true&name=pay&signal=traces",
	} {
		m := compiled(t, query)
		var marks Marks
		assert.Zero(t, testing.AllocsPerRun(5, func() {
			_ = m.MatchTraces(td, td.SpanCount(), &marks, Budget{})
			_ = m.MatchLogs(ld, ld.LogRecordCount(), &marks, Budget{})
			_ = m.MatchMetrics(md, md.DataPointCount(), &marks, Budget{})
		}), query)
	}
}
