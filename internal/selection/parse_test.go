package selection

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

func TestParseWritesOneFormOfEqualSelections(t *testing.T) {
	tests := []struct {
		name, query, want string
		signals           string // "" for all
	}{
		{"nothing", "", "", ""},
		{"values in another order", "service=b&service=a&service=b", "service=a&service=b", ""},
		{"criteria in another order", "error=true&service=a", "service=a&error=true", "traces,logs"},
		{"attributes by key, the negated after the plain", "b.c=2&b.c!=1&a.b=1", "a.b=1&b.c=2&b.c!=1", ""},
		{"an attribute with a dot needs no prefix", "attr.http.route=/pay", "http.route=/pay", ""},
		{"an attribute without one does", "attr.http=1", "attr.http=1", ""},
		{"both spellings are one attribute", "attr.a.b=1&a.b=2", "a.b=1&a.b=2", ""},
		{"an attribute named like a criterion keeps the prefix", "attr.otel.status_code=x", "attr.otel.status_code=x", ""},
		{"an attribute that begins like the prefix", "attr.attr.x=1", "attr.attr.x=1", ""},
		{"a negation", "service!=x", "service!=x", ""},
		{"a negation whose = is escaped", "service!%3Dx", "service!=x", ""},
		{"a negation that is escaped altogether", "service%21%3Dx", "service!=x", ""},
		{"a negation whose value holds a =", "service!%3Da%3Db", "service!=a=b", ""},
		{"a negation whose first = is escaped", "service!%3Da=b", "service!=a=b", ""},
		{"a negated attribute", "http.route!=/pay", "http.route!=/pay", ""},
		{"an empty value of an attribute", "http.route=", "http.route=", ""},
		{"all signals", "signal=traces,metrics,logs,profiles", "", ""},
		{"signals in another order, and given twice", "signal=logs,+traces&signal=traces", "signal=traces,logs", "traces,logs"},
		{"a signal that a criterion says anyway", "signal=traces,logs&min_duration=1s", "min_duration=1s", "traces"},
		{"a signal that a criterion does not say", "signal=logs&error=true", "signal=logs&error=true", "logs"},
		{"text in capitals", "name=PAY", "name=pay", "traces,metrics,logs"},
		{"a duration in another unit", "min_duration=60000ms", "min_duration=1m", "traces"},
		{"hours", "min_duration=60m", "min_duration=1h", "traces"},
		{"a number in another form", "rate=1e2", "rate=100", ""},
		{"a share in another form", "sample=.50", "sample=0.5", "traces,metrics,logs"},
		{"a severity by number", "severity=13", "severity=warn", "logs"},
		{"a severity by another name", "severity=Warning", "severity=warn", "logs"},
		{"a trace id in capitals", "trace_id=5B8EFFF798038103D269B633813FC60C", "trace_id=5b8efff798038103d269b633813fc60c", "traces,logs"},
		{"stars", "service=a***", "service=a*", ""},
		{"defaults", "format=otlp_json&envelope=false&max_message=65536", "", ""},
		{
			"delivery", "stats=1000ms&count=010&duration=90s&format=OTLP_proto&envelope=TRUE&max_message=1024&rate=0.5",
			"rate=0.5&count=10&duration=1m30s&format=otlp_proto&envelope=true&stats=1s&max_message=1024", "",
		},
		{"an envelope for what has none", "format=json&envelope=true", "format=json", ""},
		{"a size of messages that there are not", "format=none&stats=1s&envelope=true&max_message=1024", "format=none&stats=1s", ""},
		{"a condition", "where=+span.name+%3D%3D+%22a%22+", "where=span.name+==+%22a%22", "traces"},
		{
			"conditions of two signals", url.Values{"where": {`log.body == "b"`, `span.name == "a"`}}.Encode(),
			"where=log.body+==+%22b%22&where=span.name+==+%22a%22", "traces,logs",
		},
		{
			"a condition on the resource", url.Values{"where": {`resource.attributes["a"] == 1`}}.Encode(),
			"where=resource.attributes%5B%22a%22%5D+==+1", "traces,metrics,logs",
		},
		{"letters outside ASCII", "service=%C3%A7ava", "service=%C3%A7ava", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, s := parsed(t, tt.query)
			assert.Equal(t, tt.want, s.String())
			_, again := parsed(t, s.String())
			assert.Equal(t, tt.want, again.String(), "it parses to itself")
			assert.Equal(t, s.Signals(), again.Signals())
			assert.Equal(t, s.Delivery, again.Delivery)
			if tt.signals == "" {
				tt.signals = AllSignals().String()
			}
			assert.Equal(t, tt.signals, s.Signals().String())
		})
	}
}

func TestParseReadsDelivery(t *testing.T) {
	_, s := parsed(t, "rate=2.5&count=10&duration=1m&format=otlp_proto&envelope=true&stats=1s&max_message=2048&service=a")
	assert.Equal(t, Delivery{
		Rate: 2.5, Format: FormatOTLPProto, Envelope: true, MaxMessage: 2048, Count: 10, Duration: time.Minute, Stats: time.Second,
	}, s.Delivery)
	assert.Equal(t, "service=a&rate=2.5&format=otlp_proto&envelope=true&max_message=2048", s.View().String())
	assert.Equal(t, uint64(10), s.Delivery.Count, "a view is another value")
}

func TestParseRefuses(t *testing.T) {
	const bad = "\xff"
	condition := func(c string) string { return url.Values{"where": {c}}.Encode() }
	tests := []struct {
		name, query              string
		parameter, message, hint string
	}{
		{"a misspelt parameter", "servce=x", "servce", `unknown parameter "servce"`, "did you mean service?"},
		{"a misspelt option", "formt=json", "formt", `unknown parameter "formt"`, "did you mean format?"},
		{
			"nothing like a parameter", "colour=red", "colour", `unknown parameter "colour"`,
			"the parameters are point, signal, service, name, min_duration, error, severity, trace_id, otel.status_code, attr.KEY, sample, where, " +
				"rate, count, duration, since, format, envelope, stats, max_message; an attribute is a key with a dot, such as http.route=/pay, or attr.KEY=VALUE",
		},
		{
			"an empty parameter", "=x", "", `unknown parameter ""`,
			"the parameters are point, signal, service, name, min_duration, error, severity, trace_id, otel.status_code, attr.KEY, sample, where, " +
				"rate, count, duration, since, format, envelope, stats, max_message; an attribute is a key with a dot, such as http.route=/pay, or attr.KEY=VALUE",
		},
		{"a misspelt parameter, negated", "servce!=x", "servce", `unknown parameter "servce"`, "did you mean service?"},
		{"an attribute without a key", "attr.=x", "attr.", "attr.: names no attribute", "write attr.KEY=VALUE"},
		{"no point", "point=", "point", "point: is empty", "write a name, * for any, or leave it out"},
		{"no service", "service=", "service", "service: is empty", "write a name, * for any, or leave it out"},
		{"no name", "name=", "name", "name: is empty", "write a part of the name, or leave it out"},
		{"no signal", "signal=span", "signal", `signal: "span" is no signal`, "write one or more of traces, metrics, logs, profiles, with commas between them"},
		{"a negated signal", "signal!=logs", "signal", "signal: cannot be negated", "only text can be; write signal=SIGNALS"},
		{"a duration without a unit", "min_duration=1", "min_duration", `min_duration: "1" is not a duration`, "add a unit: 1s or 1ms"},
		{"no duration", "min_duration=long", "min_duration", `min_duration: "long" is not a duration`, "write a number and a unit: 1s or 250ms"},
		{"no time at all", "min_duration=0s", "min_duration", "min_duration: 0s is less than 1ns", "write 1s or 250ms, or leave it out"},
		{"a negative duration", "min_duration=-1s", "min_duration", "min_duration: -1s is less than 1ns", "write 1s or 250ms, or leave it out"},
		{"two durations", "min_duration=1s&min_duration=2s", "min_duration", "min_duration: is given 2 times", "give it once"},
		{"a negated duration", "min_duration!=1s", "min_duration", "min_duration: cannot be negated", "only text can be; write min_duration=DURATION"},
		{"neither true nor false", "error=yes", "error", `error: "yes" is not one of true, false`, "write true or false"},
		{"a negated error", "error!=true", "error", "error: cannot be negated", "write error=false"},
		{"a negated false", "error!=false", "error", "error: cannot be negated", "write error=true"},
		{"errors and others", "error=true&error=false", "error", "error: is given 2 times", "give it once"},
		{"no severity", "severity=high", "severity", `severity: "high" is no severity`, "write trace, debug, info, warn, error or fatal, or a severity number"},
		{"a severity out of range", "severity=25", "severity", `severity: "25" is no severity`, "write trace, debug, info, warn, error or fatal, or a severity number"},
		{"a span id", "trace_id=eee19b7ec3c1b174", "trace_id", `trace_id: "eee19b7ec3c1b174" has 16 digits, like a span id`, "write all 32 hex digits, such as 5b8efff798038103d269b633813fc60c"},
		{"no trace id", "trace_id=xyz", "trace_id", `trace_id: "xyz" is not a trace id`, "write all 32 hex digits, such as 5b8efff798038103d269b633813fc60c"},
		{"the zero trace id", "trace_id=00000000000000000000000000000000", "trace_id", "trace_id: zero stands for no trace id", "write all 32 hex digits, such as 5b8efff798038103d269b633813fc60c"},
		{"no status", "otel.status_code=FAILED", "otel.status_code", `otel.status_code: "FAILED" is not one of ERROR, OK, UNSET`, "write ERROR, OK or UNSET"},
		{"a share in percent", "sample=10", "sample", `sample: "10" is not a share above 0, up to 1`, "write 0.1 for 10 %"},
		{"a share with a percent sign", "sample=25%25", "sample", `sample: "25%" is not a share above 0, up to 1`, "write 0.25 for 25 %"},
		{"a share of nothing", "sample=0", "sample", `sample: "0" is not a share above 0, up to 1`, "write 0.1 for one trace in ten"},
		{"no share", "sample=NaN", "sample", `sample: "NaN" is not a share above 0, up to 1`, "write 0.1 for one trace in ten"},
		{"less than one trace in all", "sample=1e-30", "sample", `sample: "1e-30" is less than any trace's part`, "write 0.1 for one trace in ten"},
		{"two shares", "sample=0.1&sample=0.2", "sample", "sample: is given 2 times", "give it once"},
		{"no rate", "rate=0", "rate", `rate: "0" is not a number from 0.001 to 1e+09`, "write items per second, such as 100 or 0.5, or leave it out for all"},
		{"a rate with a unit", "rate=10/s", "rate", `rate: "10/s" is not a number from 0.001 to 1e+09`, "write items per second, such as 100 or 0.5, or leave it out for all"},
		{"not a rate", "rate=NaN", "rate", `rate: "NaN" is not a number from 0.001 to 1e+09`, "write items per second, such as 100 or 0.5, or leave it out for all"},
		{"no count", "count=0", "count", `count: "0" is not a whole number from 1 to 9223372036854775807`, "write how many items to wait for, or leave it out"},
		{"half a count", "count=1.5", "count", `count: "1.5" is not a whole number from 1 to 9223372036854775807`, "write how many items to wait for, or leave it out"},
		{"two counts", "count=1&count=2", "count", "count: is given 2 times", "give it once"},
		{"a negated count", "count!=1", "count", "count: cannot be negated", "write count=NUMBER"},
		{"a duration of the tap without a unit", "duration=30", "duration", `duration: "30" is not a duration`, "add a unit: 30s or 30ms"},
		{"too short a duration of the tap", "duration=1us", "duration", "duration: 1us is less than 1ms", "write 30s or 5m, or leave it out"},
		{"a look back", "since=30s", "since", "since: is not available yet", "leave it out: a tap shows what passes from now on"},
		{"no format", "format=xml", "format", `format: "xml" is not one of otlp_json, json, text, otlp_proto, none`, "write otlp_json, json, text, otlp_proto or none"},
		{"nothing at all", "format=none", "format", "format: none delivers nothing without stats", "add stats=1s, or write another format"},
		{"an envelope that is neither", "envelope=1", "envelope", `envelope: "1" is not one of true, false`, "write true or false"},
		{"stats too often", "stats=1ms", "stats", "stats: 1ms is less than 100ms", "write 1s, or leave it out"},
		{"stats without a period", "stats=true", "stats", `stats: "true" is not a duration`, "write a number and a unit: 1s"},
		{"too small a message", "max_message=1", "max_message", `max_message: "1" is not a whole number from 1024 to 16777216`, "write a number of bytes, or leave it out"},
		{"a size with a unit", "max_message=1MiB", "max_message", `max_message: "1MiB" is not a whole number from 1024 to 16777216`, "write a number of bytes, or leave it out"},
		{
			"criteria without a common signal", "min_duration=1s&severity=warn", "severity",
			"severity: selects from logs only, but min_duration selects from traces only", "leave one of them out",
		},
		{
			"a criterion without a signal that is asked for", "min_duration=1s&signal=logs", "min_duration",
			"min_duration: selects from traces only, but signal selects from logs only", "leave one of them out",
		},
		{
			"a condition without a signal that is asked for", "signal=logs&" + condition(`span.name == "x"`), "where",
			"where: selects from traces only, but signal selects from logs only", "leave one of them out",
		},
		{"a value that is no UTF-8", url.Values{"name": {bad}}.Encode(), "name", `name: "\xff" is not valid UTF-8`, "write it as UTF-8, percent-encoded"},
		{"a name that is no UTF-8", url.Values{bad: {"x"}}.Encode(), "", `a parameter's name is not valid UTF-8: "\xff"`, "write it as UTF-8, percent-encoded"},
		{"a value that is too long", "name=" + strings.Repeat("x", 4097), "name", "name: is longer than 4096 bytes", "write a shorter one"},
		{"a name that is too long", strings.Repeat("x", 4097) + "=1", "", "a parameter's name is longer than 4096 bytes", "write a shorter one"},
		{"too many values", strings.Repeat("service=x&", 257), "service", "service: there are more than 256 values", "ask for less, or use more than one tap"},
		{"too many criteria", manyCriteria(65), "", "there are more than 64 criteria", "ask for less, or use `where`"},

		{"no condition", "where=+", "where", "where: is empty", "write a condition such as " + exampleCondition},
		{"too many conditions", manyConditions(9), "where", "where: there are more than 8 conditions", "join them with `or`"},
		{"a negated condition", "where!=true", "where", "where: cannot be negated", "write where=not (...)"},
		{"a condition that asks nothing", condition("true"), "where", "where: the condition names no path, such as span.name, so no item can be asked", "write for example " + exampleCondition},
		{"a condition that asks nothing of a function", condition(`IsString("span.x")`), "where", "where: the condition names no path, such as span.name, so no item can be asked", "write for example " + exampleCondition},
		{
			"a path without context", condition(`attributes["x"] == "y"`), "where", "where: 1:1 near `attributes`: the path has no context: begin it with resource, scope, span, spanevent, log, metric or datapoint",
			`write for example span.attributes["http.route"] == "/pay", or resource.attributes["host.name"] == "web-1"`,
		},
		{
			"a path without context after one with", condition(`span.kind == 2 and name == "span.name"`), "where", "where: 1:20 near `name`: the path has no context: begin it with resource, scope, span, spanevent, log, metric or datapoint",
			`write for example span.name == "GET /pay", or metric.name == "http.server.duration"`,
		},
		{"a log's field without context", condition(`body == "x"`), "where", "where: 1:1 near `body`: the path has no context: begin it with resource, scope, span, spanevent, log, metric or datapoint", "write for example log.body != nil"},
		{"a context that there is not", condition(`profile.x == 1`), "where", "where: 1:1 near `profile.x`: profile is no context here: begin the path with resource, scope, span, spanevent, log, metric or datapoint", "write for example " + exampleCondition},
		{"the client's credentials", condition(`otelcol.client.auth.attributes["subject"] == "x"`), "where", "where: 1:1 near `otelcol.client.auth.attributes`: otelcol is no context here: begin the path with resource, scope, span, spanevent, log, metric or datapoint", "write for example " + exampleCondition},
		{"the client's credentials beside a span", condition(`span.name == "x" and otelcol.client.addr != nil`), "where", "where: 1:22 near `otelcol.client.addr`: otelcol is no context here: begin the path with resource, scope, span, spanevent, log, metric or datapoint", `write for example span.attributes["http.route"] == "/pay"`},
		{
			"contexts of two signals", condition(`span.name == log.body`), "where", "where: 1:14 near `log.body`: a condition takes the contexts of one signal, and this one has span and log",
			`write one for each signal, of which any may hold: where=span.attributes["http.route"] == "/pay" & where=log.severity_number >= SEVERITY_NUMBER_WARN`,
		},
		{"a syntax error", condition(`span.name = "x"`), "where", "where: condition has invalid syntax at 1:11 near `= \"x\"`: (expected <opcomparison> Value)", `write for example span.attributes["http.route"] == "/pay"`},
		{"a path that the context does not have", condition(`span.nam == "x"`), "where", "where: 1:1 near `span.nam`: segment \"nam\" from path \"span.nam\" is not a valid path nor a valid OTTL keyword for the span context - review https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/pkg/ottl/contexts/ottlspan to see all valid paths", `write for example span.attributes["http.route"] == "/pay"`},
		{"a misspelt function", condition(`IsMach(span.name, "x")`), "where", "where: 1:1 near `IsMach`: inferred context \"span\" does not support the function \"IsMach\"", "did you mean IsMatch?"},
		{"too few arguments", condition(`IsMatch(span.name)`), "where", "where: 1:1 near `IsMatch`: error while parsing arguments for call to \"IsMatch\": incorrect number of arguments. Expected: 2 Received: 1", `write for example span.attributes["http.route"] == "/pay"`},
		{"an unknown enum", condition(`span.name == NOPE`), "where", "where: 1:14 near `NOPE`: inferred context \"span\" does not support the enum symbol \"NOPE\"", `write for example span.attributes["http.route"] == "/pay"`},
		{"an editor", condition(`set(span.name, "x")`), "where", "where: condition has invalid syntax at 1:20: (expected <opcomparison> Value)", `write for example span.attributes["http.route"] == "/pay"`},
		{"an editor within a comparison", condition(`delete_key(span.attributes, "x") == nil`), "where", "where: converter names must start with an uppercase letter but got 'delete_key'", `write for example span.attributes["http.route"] == "/pay"`},
		{"the editors among the standard converters", condition(`append(span.attributes["x"], "y") == delete_index(span.attributes["x"], 0)`), "where", "where: converter names must start with an uppercase letter but got 'append'; converter names must start with an uppercase letter but got 'delete_index'", `write for example span.attributes["http.route"] == "/pay"`},
		{"brackets that take OTTL's parser too long", condition(strings.Repeat("(", 2000)), "where", "where: brackets are nested more than 32 deep", "write it with fewer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			values, err := url.ParseQuery(tt.query)
			require.NoError(t, err)
			_, err = Parse(values, AllSignals())
			var refused *Error
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, Error{tt.parameter, tt.message, tt.hint}, *refused)
			assert.Equal(t, tt.message+"; "+tt.hint, refused.Error())
		})
	}
}

func manyCriteria(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("a." + strings.Repeat("x", i+1) + "=1&")
	}
	return b.String()
}

func manyConditions(n int) string {
	values := url.Values{}
	for i := range n {
		values.Add("where", "span.kind == "+strconv.Itoa(i))
	}
	return values.Encode()
}

func TestParseForOneSignal(t *testing.T) {
	logs := SignalsOf(otlp.Logs)
	for _, tt := range []struct{ name, query, message, hint string }{
		{"a signal that the path does not carry", "signal=traces", "signal: this path carries logs only", "leave the parameter out, or use /v1/tap"},
		{"a criterion of another signal", "min_duration=1s", "min_duration: selects from traces only, but this path carries logs only", "leave one of them out"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			values, _ := url.ParseQuery(tt.query)
			_, err := Parse(values, logs)
			var refused *Error
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, tt.message, refused.Message)
			assert.Equal(t, tt.hint, refused.Hint)
		})
	}
	s, err := Parse(url.Values{"severity": {"warn"}}, logs)
	require.NoError(t, err)
	assert.Equal(t, "severity=warn", s.String(), "the criterion says the signal")
	s, err = Parse(nil, logs)
	require.NoError(t, err)
	assert.Equal(t, "signal=logs", s.String())
}

func TestChoose(t *testing.T) {
	points := []Point{
		{"remote_tap", AllSignals()},
		{"remote_tap/after_sampling", SignalsOf(otlp.Traces)},
		{"remote_tap/errors", SignalsOf(otlp.Logs, otlp.Metrics)},
	}
	for _, tt := range []struct {
		name, query string
		points      []Point
		want        []Point
	}{
		{"all", "", points, points},
		{"one by name", "point=remote_tap", points, points[:1]},
		{"some by pattern", "point=remote_tap/*", points, points[1:]},
		{"all but one", "point!=remote_tap", points, points[1:]},
		{"what a criterion leaves", "min_duration=1s", points, []Point{{"remote_tap", SignalsOf(otlp.Traces)}, points[1]}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, s := parsed(t, tt.query)
			chosen, err := s.Choose(tt.points)
			require.NoError(t, err)
			assert.Equal(t, tt.want, chosen)
			for _, p := range tt.points {
				for signal := range otlp.Signal(otlp.NumSignals) {
					covered := false
					for _, c := range chosen {
						covered = covered || c.ID == p.ID && c.Signals.Has(signal)
					}
					assert.Equal(t, covered, p.Signals.Has(signal) && s.Covers(p.ID, signal))
				}
			}
		})
	}
	for _, tt := range []struct {
		name, query string
		points      []Point
		want        Error
	}{
		{"a misspelt point", "point=remote_tap/eror", points, Error{
			"point", "no tap point fits point=remote_tap/eror",
			"did you mean remote_tap/errors? there are remote_tap, remote_tap/after_sampling, remote_tap/errors",
		}},
		{"all excluded", "point!=*", points, Error{"point", "no tap point fits point!=*", "there are remote_tap, remote_tap/after_sampling, remote_tap/errors"}},
		{"a signal that the point does not carry", "point=*/errors&signal=traces", points, Error{"signal", "no tap point carries traces", "there are metrics and logs"}},
		{"a criterion that none of its signals fits", "point=*/errors&min_duration=1s", points, Error{"min_duration", "no tap point carries traces", "there are metrics and logs"}},
		{"no points", "", nil, Error{"", "there are no tap points", "no pipeline lists remote_tap"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, s := parsed(t, tt.query)
			_, err := s.Choose(tt.points)
			var refused *Error
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, tt.want, *refused)
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"service=a&service!=b*&name=X", "min_duration=1s&stats=1s&format=none", "where=span.name+%3D%3D+%22a%22", "attr.x!=1&a.b!%3Dc&a.b=",
		"signal=logs,traces&severity=13", "sample=0.1&rate=1e3", "attr.attr.x=%00%25&where=log.body!=nil", "point=*%3F&max_message=2048",
		"a.b!!=1&a.b!=!", "trace_id=5b8efff798038103d269b633813fc60c", "x.=1&.=2&..=3",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		if len(query) > 2000 { // OTTL's parser takes long for long conditions
			return
		}
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		s, err := Parse(values, AllSignals())
		if err != nil {
			var refused *Error
			require.ErrorAs(t, err, &refused)
			require.NotEmpty(t, refused.Message)
			require.NotEmpty(t, refused.Hint)
			return
		}
		text := s.String()
		again, err := url.ParseQuery(text)
		require.NoError(t, err)
		same, err := Parse(again, AllSignals())
		require.NoError(t, err, text)
		require.Equal(t, text, same.String())
		require.Equal(t, s.Signals(), same.Signals())
		require.Equal(t, s.Delivery, same.Delivery)
		require.NotZero(t, s.Signals())
		_, err = Compile(s)
		require.NoError(t, err)
	})
}
