package selection

import (
	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// Criterion is one thing that a selection can ask of an item: an entry of the table that the parser, the matcher, the
// hints and the documentation are made from.
type Criterion struct {
	Name    string  // the query parameter; AttributeName stands for all keys
	Value   string  // the syntax of its value
	Signals Signals // what it applies to; a `where` applies to those that its contexts name
	Repeats bool    // may be given again, for OR
	Negates bool    // may be written NAME!=VALUE
	Matches string  // what it keeps, in a few words
	Help    string  // further details, as sentences; may be ""
	Example string  // a query parameter that works

	// parse turns a value into its canonical text.
	parse func(value string) (string, *Error)
	// tests makes what finds the items for which one of the term's values holds. It is nil for those that choose points,
	// signals, or by OTTL.
	tests func(*Term) tests
	// reads is what of an item decides about it, as far as redaction may change that.
	reads reads
	// cost orders the tests of one item, cheapest first.
	cost int
	// note remembers, for hints, what an item has where the term looks; nil for nothing.
	note func(t *Term, s *subject, n *notes)
}

// reads is what a criterion reads of an item.
type reads uint8

const (
	readsTexts  reads = 1 << iota // names, or the value of a known attribute
	readsValues                   // values of any attributes, or bodies, which may be maps
)

// The criteria that the parser and the matcher know by name, since they choose more than items.
const (
	pointName        = "point"
	signalName       = "signal"
	serviceCriterion = "service"
	whereName        = "where"
)

// AttributeName is how the table writes the criterion for attributes, whose parameter is the attribute's key.
const AttributeName = "attr.KEY"

// Criteria returns the table of criteria, in the order of canonical query strings.
func Criteria() []Criterion {
	items := SignalsOf(otlp.Traces, otlp.Metrics, otlp.Logs)
	return []Criterion{
		{
			Name: pointName, Value: "GLOB", Signals: AllSignals(), Repeats: true, Negates: true,
			Matches: "these tap points, by the id in the collector's configuration",
			Help:    "`*` is any run of characters, `?` one character. What passes several of the points counts at each.",
			Example: "point=remote_tap/after_*", parse: globText,
		},
		{
			Name: signalName, Value: "SIGNALS", Signals: AllSignals(), Repeats: true,
			Matches: "these signals: traces, metrics, logs, profiles, with commas between them",
			Example: "signal=traces,logs", parse: signalText,
		},
		{
			Name: serviceCriterion, Value: "GLOB", Signals: AllSignals(), Repeats: true, Negates: true,
			Matches: "resources whose `service.name` fits the pattern",
			Help:    "Case matters. A resource without a name fits none, so `service!=*` finds those.",
			Example: "service=checkout*", parse: globText, tests: serviceTests, reads: readsTexts, note: noteService,
		},
		{
			Name: "name", Value: "TEXT", Signals: items, Repeats: true, Negates: true,
			Matches: "span name, metric name, log body or event name contains the text, whatever the case",
			Help:    "A body that is a map or a list is searched as JSON.",
			Example: "name=payment", parse: foldedText, tests: nameTests, reads: readsTexts | readsValues, cost: 4, note: noteName,
		},
		{
			Name: "min_duration", Value: "DURATION", Signals: SignalsOf(otlp.Traces),
			Matches: "spans at least this long",
			Help:    "A span without an end has no duration.",
			Example: "min_duration=250ms", parse: durationText(1, "1s or 250ms"), tests: durationTests, cost: 1, note: noteDuration,
		},
		{
			Name: "error", Value: "true|false", Signals: SignalsOf(otlp.Traces, otlp.Logs),
			Matches: "`true`: spans with status Error, log records of severity Error or above; `false`: the others",
			Example: "error=true", parse: oneOf("true", "false"), tests: errorTests,
		},
		{
			Name: "severity", Value: "SEVERITY", Signals: SignalsOf(otlp.Logs),
			Matches: "log records at least this severe, by number, else by text",
			Help:    "trace, debug, info, warn, error, fatal, their steps such as warn2, or a number from 1 to 24.",
			Example: "severity=warn", parse: severityText, tests: severityTests, reads: readsTexts, note: noteSeverity,
		},
		{
			Name: "trace_id", Value: "HEX", Signals: SignalsOf(otlp.Traces, otlp.Logs), Repeats: true, Negates: true,
			Matches: "spans and log records of this trace",
			Example: "trace_id=5b8efff798038103d269b633813fc60c", parse: traceIDText, tests: traceIDTests, cost: 1,
		},
		{
			Name: "otel.status_code", Value: "ERROR|OK|UNSET", Signals: SignalsOf(otlp.Traces), Repeats: true, Negates: true,
			Matches: "spans with this status",
			Example: "otel.status_code=ERROR", parse: oneOf("ERROR", "OK", "UNSET"), tests: statusTests, note: noteStatus,
		},
		{
			Name: AttributeName, Value: "TEXT", Signals: AllSignals(), Repeats: true, Negates: true,
			Matches: "an attribute of the item, its scope or its resource equals the text",
			Help: "A key with a dot is written as it is: `http.route=/pay`. Values are compared as text: `500`, `true`, `0.5`, " +
				"base64 for bytes, JSON for maps and lists. Negated: none of the three equals it; what has no such attribute is kept.",
			Example: "http.response.status_code=500", parse: anyText, tests: attributeTests, reads: readsTexts | readsValues, cost: 3, note: noteAttribute,
		},
		{
			Name: "sample", Value: "SHARE", Signals: items,
			Matches: "a share of the original traffic, the same traces on every collector and in every signal",
			Help: "OpenTelemetry's consistent probability sampling: by the tracestate's `rv`, else by the trace id. Items without a " +
				"trace id, data points among them, are kept at random.",
			Example: "sample=0.1", parse: shareText, tests: sampleTests, cost: 2,
		},
		{
			Name: whereName, Value: "OTTL", Signals: items, Repeats: true,
			Matches: "an OTTL condition holds",
			Help: "Paths begin with their context: resource, scope, span, spanevent, log, metric or datapoint. The contexts decide " +
				"the signals; one condition takes those of one signal. A spanevent condition keeps spans with such an event, a " +
				"metric condition all of the metric's points. If it fails on an item, the item is not kept, and counted.",
			Example: `where=span.attributes["http.route"] == "/pay"`, parse: conditionText, reads: readsTexts | readsValues,
		},
	}
}

func criterionNames() []string {
	criteria := Criteria()
	names := make([]string, len(criteria))
	for i, c := range criteria {
		names[i] = c.Name
	}
	return names
}
