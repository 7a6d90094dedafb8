package format

import "github.com/remotetap/remotetapprocessor/internal/otlp"

// The widths of a line's columns. What is wider pushes the rest to the right.
const (
	clockWidth   = len("15:04:05.000")
	tagWidth     = len("profile")
	serviceWidth = 16
	levelWidth   = len("error")
	elapsedWidth = len("999.9ms")
	metricWidth  = 32
)

// The limits of what one value may take from a line, in bytes: an attribute that is a stack trace or a query would
// hide all that follows.
const (
	maxValue  = 200
	maxOthers = 8
)

// lineTable has the columns of each item's line. The id, if there is one, is the last and survives when a line is cut.
// It is made when the program starts and never changed.
var lineTable = newColumnTable(map[otlp.MessageID][]column{
	otlp.Span: {
		{form: formTime, field: "startTimeUnixNano", left: clockWidth},
		{form: formPart, part: partHead},
		{form: formInline, field: "status", sub: []column{
			{form: formWord, field: "code", words: []string{"", "ok", "error"}, zero: true, left: levelWidth},
		}},
		{form: formElapsed, field: "startTimeUnixNano", other: "endTimeUnixNano", right: elapsedWidth},
		{form: formText, field: "name"},
		{name: "kind", form: formWord, field: "kind", words: []string{"", "", "server", "client", "producer", "consumer"}},
		{form: formInline, field: "status", sub: []column{{name: "status", form: formText, field: "message"}}},
		{form: formAttributes, field: "attributes"},
		{form: formException, field: "events"},
		{form: formPart, part: partResource},
		{name: "trace_id", form: formID, field: "traceId"},
	},
	otlp.LogRecord: {
		{form: formTime, field: "timeUnixNano", other: "observedTimeUnixNano", left: clockWidth},
		{form: formPart, part: partHead},
		{form: formSeverity, field: "severityNumber", other: "severityText", zero: true, left: levelWidth},
		{form: formValue, field: "body"},
		{name: "event", form: formText, field: "eventName"},
		{form: formAttributes, field: "attributes", others: maxOthers},
		{form: formPart, part: partResource},
		{name: "trace_id", form: formID, field: "traceId"},
	},
	otlp.NumberDataPoint: linePoint(
		column{form: formNumber, field: "asInt"},
		column{form: formNumber, field: "asDouble"},
	),
	otlp.HistogramDataPoint:            linePoint(lineTotals()...),
	otlp.ExponentialHistogramDataPoint: linePoint(lineTotals()...),
	otlp.SummaryDataPoint: linePoint(
		column{name: "count", isValue: true, form: formNumber, field: "count", zero: true},
		column{name: "avg", isValue: true, form: formAverage, field: "sum", other: "count", zero: true},
		column{form: formQuantiles, field: "quantileValues"},
	),
	otlp.Profile: {
		{form: formTime, field: "timeUnixNano", left: clockWidth},
		{form: formPart, part: partHead},
		{form: formInline, field: "sampleType", sub: []column{
			{form: formString, field: "typeStrindex", zero: true, left: levelWidth},
		}},
		{form: formNanos, field: "durationNano", right: elapsedWidth},
		{name: "samples", isValue: true, form: formCount, field: "samples"},
		{form: formPart, part: partResource},
		{name: "profile_id", form: formID, field: "profileId"},
	},
})

// linePoint returns the columns of a data point around those of its value. All attributes are shown: without them, the
// points of a metric look all the same.
func linePoint(value ...column) []column {
	columns := append([]column{
		{form: formTime, field: "timeUnixNano", left: clockWidth},
		{form: formPart, part: partHead},
		{form: formPart, part: partMetric},
	}, value...)
	return append(columns,
		column{form: formPart, part: partUnit},
		column{form: formAttributes, field: "attributes", others: 1000},
		column{form: formPart, part: partResource},
	)
}

func lineTotals() []column {
	return []column{
		{name: "count", isValue: true, form: formNumber, field: "count", zero: true},
		{name: "avg", isValue: true, form: formAverage, field: "sum", other: "count"},
		{name: "min", isValue: true, form: formNumber, field: "min"},
		{name: "max", isValue: true, form: formNumber, field: "max"},
	}
}

// tellingKeys are the attributes that a line shows first, in this order: what was asked for, how it ended, where. Old
// names of the semantic conventions are beside those that replaced them.
var tellingKeys = [...]string{
	"http.request.method", "http.method", "http.route", "url.path", "http.target", "url.full", "http.url",
	"http.response.status_code", "http.status_code",
	"rpc.service", "rpc.method", "rpc.grpc.status_code",
	"db.system.name", "db.system", "db.operation.name", "db.operation", "db.collection.name", "db.query.summary",
	"messaging.system", "messaging.operation.name", "messaging.destination.name",
	"faas.name", "gen_ai.request.model",
	"error.type", "exception.type", "exception.message",
	"server.address", "net.peer.name", "peer.service",
	"k8s.namespace.name", "k8s.pod.name", "host.name", "deployment.environment.name",
}

// tellingIndex finds keys in tellingKeys.
type tellingIndex struct {
	byName  map[string]int
	lengths uint64    // set of the lengths that they have
	first   [256]bool // the bytes that they start with
}

// telling is made when the program starts and never changed.
var telling = func() *tellingIndex {
	index := &tellingIndex{byName: make(map[string]int, len(tellingKeys))}
	for i, key := range tellingKeys {
		index.byName[key] = i
		index.lengths |= 1 << len(key)
		index.first[key[0]] = true
	}
	return index
}()

// find returns the index of a key, if it is one of them.
func (x *tellingIndex) find(key []byte) (i int, ok bool) {
	if len(key) == 0 || x.lengths&(1<<len(key)) == 0 || !x.first[key[0]] {
		return 0, false
	}
	i, ok = x.byName[string(key)]
	return i, ok
}

// isNoise reports whether an attribute is not shown even if there is room: what loggers add to every record.
func isNoise(key []byte) bool {
	for _, prefix := range [...]string{"code.", "thread.", "process.", "telemetry.", "log.", "exception."} {
		if len(key) > len(prefix) && string(key[:len(prefix)]) == prefix {
			return true
		}
	}
	return false
}
