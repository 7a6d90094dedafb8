package compare

import (
	"io"
	"regexp"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/internal/selection"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

func listings() []tapclient.Listing {
	return []tapclient.Listing{{Points: []tapclient.Point{
		{ID: "remote_tap", Signals: []tapclient.Signal{tapclient.Traces, tapclient.Metrics, tapclient.Logs}},
		{ID: "remote_tap/after", Signals: []tapclient.Signal{tapclient.Traces, tapclient.Metrics}},
		{ID: "remote_tap/logs", Signals: []tapclient.Signal{tapclient.Logs}},
		{ID: "other/after", Signals: []tapclient.Signal{tapclient.Traces}},
	}}, {Err: io.EOF}}
}

func TestThePointsAndTheSignalAreFound(t *testing.T) {
	p, err := planOf(listings(), "remote_tap", "remote_tap/after", tapclient.Selection{})
	require.NoError(t, err)
	assert.Equal(t, tapclient.Traces, p.signal)
	assert.Equal(t, []tapclient.Signal{tapclient.Metrics}, p.also)

	p, err = planOf(listings(), "remote_tap", "logs", tapclient.Selection{})
	require.NoError(t, err)
	assert.Equal(t, "remote_tap/logs", p.b)
	assert.Equal(t, tapclient.Logs, p.signal)

	p, err = planOf(listings(), "remote_tap", "remote_tap/after", tapclient.Selection{Signal: []tapclient.Signal{tapclient.Metrics}, Service: []string{"pay"}})
	require.NoError(t, err)
	assert.Equal(t, tapclient.Metrics, p.signal)
	assert.Equal(t, tapclient.Selection{
		Point: []string{"remote_tap/after"}, Signal: []tapclient.Signal{tapclient.Metrics}, Service: []string{"pay"},
		Format: tapclient.FormatNone, Stats: countPeriod,
	}, p.counting(p.b))
}

func TestPointsThatDoNotFitAreRefused(t *testing.T) {
	for message, points := range map[string][2]string{
		"there is no tap point remote_tap/aftre: there is other/after, remote_tap, remote_tap/after, remote_tap/logs; did you mean remote_tap/after?": {"remote_tap", "remote_tap/aftre"},
		"after could be other/after or remote_tap/after: write the whole id":                                                                          {"after", "remote_tap"},
		"remote_tap and remote_tap are one tap point":                                                                                                 {"remote_tap", "remote_tap"},
		"no signal to compare: remote_tap/after has metrics and traces, remote_tap/logs has logs":                                                     {"remote_tap/after", "logs"},
	} {
		_, err := planOf(listings(), points[0], points[1], tapclient.Selection{})
		require.ErrorContains(t, err, message)
		assert.Equal(t, app.CodeUsage, app.CodeOf(err))
	}
	_, err := planOf(listings(), "remote_tap", "remote_tap/after", tapclient.Selection{Signal: []tapclient.Signal{tapclient.Logs}})
	assert.ErrorContains(t, err, "and you ask for logs")
}

func TestTheShareToLookAt(t *testing.T) {
	for text, want := range map[string]look{
		"auto": {auto: true}, "0": {off: true}, "1": {}, "100%": {}, "0.5": {halvings: 1}, "1/16": {halvings: 4},
		"0.1": {halvings: 4}, "0.0000001": {halvings: mostHalvings},
	} {
		got, err := parseLook(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "2", "-1", "lots", "NaN", "1/0", "1/x"} {
		_, err := parseLook(text)
		assert.ErrorContains(t, err, "write auto", text)
	}
	assert.Equal(t, []int{0, 0, 1, 4, mostHalvings}, []int{halvingsFor(0), halvingsFor(1000), halvingsFor(1001), halvingsFor(10_000), halvingsFor(1e12)})
}

// The condition is one that the collector accepts, keeps about the share that it should, the same items at
// both points, and does not go by the bits that samplers go by.
func TestTheConditionKeepsItsShareOfTheTraces(t *testing.T) {
	traces := 4096
	td := ptrace.NewTraces()
	ld := plog.NewLogs()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for i := range traces {
		for range 2 {
			spans.AppendEmpty().SetTraceID(pcommon.TraceID{14: byte(i >> 8), 15: byte(i)})
		}
		record := records.AppendEmpty()
		record.SetTimestamp(pcommon.Timestamp(i))
		record.Body().SetStr("said")
	}
	for halvings := 1; halvings <= 7; halvings++ {
		condition := look{halvings: halvings}.condition(tapclient.Traces)
		var marks selection.Marks
		require.NoError(t, matcher(t, condition).MatchTraces(td, 2*traces, &marks, selection.Budget{}))
		want := 2 * traces >> halvings
		assert.InDelta(t, want, marks.Count(), float64(want)/3+8, condition)
		for i := range traces {
			require.Equal(t, marks.Has(2*i), marks.Has(2*i+1), "whole traces")
		}
		kept := 0
		for i := range traces / 4 { // a sampler's quarter: those with the largest randomness
			if marks.Has(2 * (traces*3/4 + i)) {
				kept++
			}
		}
		assert.InDelta(t, float64(want)/8, kept, float64(want)/16+8, "as many of those that a sampler would keep")

		condition = look{halvings: halvings}.condition(tapclient.Logs)
		require.NoError(t, matcher(t, condition).MatchLogs(ld, traces, &marks, selection.Budget{}))
		assert.Zero(t, marks.Result().EvalErrors)
		assert.InDelta(t, want/2, marks.Count(), float64(want)/6+8, condition)
	}
	assert.Empty(t, look{}.condition(tapclient.Traces))
}

func matcher(t *testing.T, condition string) *selection.Matcher {
	t.Helper()
	parsed, err := selection.Parse(map[string][]string{"where": {condition}}, selection.AllSignals())
	require.NoError(t, err)
	m, err := selection.Compile(parsed)
	require.NoError(t, err)
	return m
}

func TestTheConditionIsAddedToThoseOfTheUser(t *testing.T) {
	p := plan{a: "a", b: "b", signal: tapclient.Traces, selection: tapclient.Selection{Where: []string{`span.name == "x" or span.name == "y"`, `span.name == "z"`}}}
	got := p.looking(look{halvings: 6}).Where
	require.Len(t, got, 2)
	assert.Equal(t, `(span.name == "x" or span.name == "y") and IsMatch(Murmur3Hash(span.trace_id.string), "^0[0-3]")`, got[0])
	assert.Regexp(t, "^"+regexp.QuoteMeta(`(span.name == "z") and IsMatch(`), got[1])
	assert.Equal(t, p.selection.Where, p.looking(look{}).Where)
	for _, condition := range got {
		matcher(t, condition)
	}
}

func TestWrongArgumentsSayWhatToWrite(t *testing.T) {
	a := app.New(app.System{Out: io.Discard, Err: io.Discard, Getenv: func(string) string { return "" }})
	fine := options{output: "text", look: "auto", duration: time.Second, top: 10}
	for message, test := range map[string]struct {
		arguments []string
		change    func(*options)
	}{
		"name two tap points":               {[]string{"a"}, func(*options) {}},
		"the two arguments are the points":  {[]string{"a", "b", "point=c"}, func(*options) {}},
		"--sample picks traces as samplers": {[]string{"a", "b", "sample=0.1"}, func(*options) {}},
		"write text or json":                {[]string{"a", "b"}, func(o *options) { o.output = "yaml" }},
		"write at least 100ms":              {[]string{"a", "b"}, func(o *options) { o.duration = time.Millisecond }},
		"write 0s or more":                  {[]string{"a", "b"}, func(o *options) { o.grace = -1 }},
		"write 1 or more":                   {[]string{"a", "b"}, func(o *options) { o.top = 0 }},
		"--look half: write":                {[]string{"a", "b"}, func(o *options) { o.look = "half" }},
		"--expect 25: write":                {[]string{"a", "b"}, func(o *options) { o.expect = "25" }},
		"did you mean traces":               {[]string{"a", "b", "trases"}, func(*options) {}},
		"did you mean service":              {[]string{"a", "b", "servce=c"}, func(*options) {}},
	} {
		o := fine
		test.change(&o)
		_, err := prepare(a, o, app.SelectionFlags(pflag.NewFlagSet("", pflag.ContinueOnError)), test.arguments)
		require.ErrorContains(t, err, message, test.arguments)
		assert.Equal(t, app.CodeUsage, app.CodeOf(err))
	}
}

func TestConditionsThatDoNotHoldHaveTheirCode(t *testing.T) {
	low, high := 0.2, 0.3
	within := &report{Points: [2]pointReport{{Items: 10}, {Items: 2}}, Expected: &expectation{Share: 0.25, Holds: true}}
	outside := &report{Points: within.Points, Expected: &expectation{Share: 0.5}, Kept: shareReport{Low: &low, High: &high}}
	unknown := &report{Points: within.Points, Expected: &expectation{Share: 0.5}}
	for _, test := range []struct {
		report   *report
		exitCode bool
		want     app.Code
		words    string
	}{
		{within, true, app.CodeDone, ""},
		{outside, false, app.CodeDone, ""},
		{outside, true, app.CodeUnproved, "50.0 % was expected, and 20.0 % to 30.0 % were kept (95 % interval)"},
		{unknown, true, app.CodeUnproved, "50.0 % was expected, and there is too little evidence to say"},
		{&report{Points: [2]pointReport{{Point: "a"}}}, true, app.CodeUnproved, "nothing passed a"},
	} {
		err := (&run{options: options{exitCode: test.exitCode}}).verdict(test.report)
		assert.Equal(t, test.want, app.CodeOf(err))
		if err != nil {
			assert.Equal(t, test.words, err.Error())
		}
	}
}
