package selection

import (
	"maps"
	"math"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// anySelection makes a query of random criteria, some of them nonsense for some signals.
func (c corpus) anySelection() url.Values {
	values := url.Values{}
	conditions := slices.Sorted(maps.Keys(naiveConditions()))
	for range c.IntN(5) {
		negation := pick(c, "", "", "!")
		switch c.IntN(10) {
		case 0:
			values.Add("service"+negation, pick(c, "checkout", "c*", "*", "*e*k*", "?art", "7", "çava", "front/*"))
		case 1:
			values.Add("name"+negation, pick(c, "pay", "STRASSE", "k", "s", "ẞ", "500", "message", "total", "\ufffd", "i"))
		case 2:
			values.Set("min_duration", pick(c, "1ns", "100ms", "1s", "8s"))
		case 3:
			values.Set("error", pick(c, "true", "false"))
		case 4:
			values.Set("severity", pick(c, "info", "warn", "warn2", "error", "24"))
		case 5:
			id := c.traceID()
			if !id.IsEmpty() {
				values.Add("trace_id"+negation, plainTrace(id))
			}
		case 6:
			values.Add("otel.status_code"+negation, pick(c, "ERROR", "ok", "UNSET"))
		case 7, 8:
			key := pick(c, "http.route", "http.response.status_code", "service.name", "k8s.pod.name", "attr.plain", "attr.otel.status_code", "attr.signal", "odd key.=&", "attr.http.route")
			values.Add(key+negation, pick(c, "500", "/pay", "checkout", "true", "", "0.5", "x=y&z", "NaN", "-0", "1e+300", "YWJj", `{"a":"b"}`, "[1]", "Infinity"))
		default:
			values.Add("where", pick(c, conditions...))
		}
	}
	// Two spellings of one attribute are one criterion, which the naive evaluation does not know.
	for _, negation := range []string{"", "!"} {
		values["http.route"+negation] = append(values["http.route"+negation], values["attr.http.route"+negation]...)
		delete(values, "attr.http.route"+negation)
		if len(values["http.route"+negation]) == 0 {
			delete(values, "http.route"+negation)
		}
	}
	return values
}

// FuzzMatch compares random selections of random batches, with a random budget, with the naive evaluation.
func FuzzMatch(f *testing.F) {
	for seed := range uint64(100) {
		f.Add(seed, uint8(seed%20))
	}
	f.Fuzz(func(t *testing.T, seed uint64, looks uint8) {
		c := newCorpus(seed)
		values := c.anySelection()
		s, err := Parse(values, AllSignals())
		if err != nil {
			require.ErrorContains(t, err, "selects from")
			return
		}
		m, err := Compile(s)
		require.NoError(t, err)
		budget := Budget{}
		if looks < 10 {
			now := time.Duration(0)
			budget = Budget{Now: func() time.Duration { now++; return now }, Until: time.Duration(looks) + 1}
		}
		var marks Marks
		recorder := NewRecorder(m)
		for _, b := range c.batches(12) {
			require.NoError(t, b.match(m, &marks, budget))
			requireNaive(t, values, s, b, &marks)
		}
		td, md, ld := c.traces(5), c.metrics(5), c.logs(5)
		require.NoError(t, recorder.ObserveTraces(td, td.SpanCount(), Budget{}))
		require.NoError(t, recorder.ObserveMetrics(md, md.DataPointCount(), Budget{}))
		require.NoError(t, recorder.ObserveLogs(ld, ld.LogRecordCount(), Budget{}))
		recorder.Hints()

		var classes Classes
		require.NoError(t, m.MatchTraces(td, td.SpanCount(), &marks, budget))
		classes.ClassifyTraces(td, &marks)
		matched := marks.Count()
		trimmed := Trim(&marks, &classes, c.IntN(10), c.IntN(3))
		require.Equal(t, matched, trimmed.Kept()+trimmed.Dropped)
	})
}

// FuzzWhere evaluates arbitrary conditions: those that are taken can be evaluated, and keep no more items than there are.
func FuzzWhere(f *testing.F) {
	for _, seed := range slices.Sorted(maps.Keys(naiveConditions())) {
		f.Add(seed)
	}
	for _, seed := range []string{
		"true", `span.name == "a" and (log.body != nil`, `IsMatch(span.name, "(a|b)*c{3}")`, `metric.name == Concat(["a", "b"], "")`,
		`span.attributes["a"]["b"][0] > -1.5e3`, `not (datapoint.value_int >= 0x10)`, `spanevent.name == "x" or resource.attributes["k"] == true`,
		`Len(log.attributes) == 2 and Time("2026", "%Y") < Now()`, `span.kind == SPAN_KIND_SERVER`, "((((((((", `"\x00"`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, condition string) {
		if len(condition) > 500 { // OTTL's parser takes long for long conditions
			return
		}
		s, err := Parse(url.Values{"where": {condition}}, AllSignals())
		if err != nil {
			var refused *Error
			require.ErrorAs(t, err, &refused)
			require.NotEmpty(t, refused.Hint)
			return
		}
		m, err := Compile(s)
		require.NoError(t, err, "what was parsed can be compiled")
		var marks Marks
		for _, b := range newCorpus(1).batches(3) {
			require.NoError(t, b.match(m, &marks, Budget{}))
			r := marks.Result()
			require.Equal(t, r.Items, r.Matched+r.Unmatched)
			require.LessOrEqual(t, r.EvalErrors, r.Unmatched)
		}
	})
}

// FuzzSample compares with the arithmetic of the specification for traces that are told apart clearly.
func FuzzSample(f *testing.F) {
	f.Add(0.5, uint64(1))
	f.Fuzz(func(t *testing.T, share float64, r uint64) {
		if !(share >= 1e-9 && share <= 1) {
			return
		}
		r %= randomValues
		want := float64(r) >= (1-share)*randomValues
		if math.Abs(float64(r)-(1-share)*randomValues) < randomValues*1e-4*math.Min(share, 1) {
			return // within the rounding of samplers
		}
		require.Equal(t, want, r >= rejectionThreshold(share))
	})
}
