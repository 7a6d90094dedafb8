package otlp

// MessageID names a message of the schema.
type MessageID uint8

// All messages of OTLP's four signals.
const (
	AnyValue MessageID = iota
	ArrayValue
	KeyValueList
	KeyValue
	EntityRef
	Resource
	InstrumentationScope

	TracesData
	ResourceSpans
	ScopeSpans
	Span
	SpanEvent
	SpanLink
	SpanStatus

	MetricsData
	ResourceMetrics
	ScopeMetrics
	Metric
	Gauge
	Sum
	Histogram
	ExponentialHistogram
	Summary
	NumberDataPoint
	HistogramDataPoint
	ExponentialHistogramDataPoint
	Buckets
	SummaryDataPoint
	ValueAtQuantile
	Exemplar

	LogsData
	ResourceLogs
	ScopeLogs
	LogRecord

	ProfilesData
	ProfilesDictionary
	ResourceProfiles
	ScopeProfiles
	Profile
	Sample
	ValueType
	Mapping
	Location
	Line
	Function
	Link
	Stack
	KeyValueAndUnit

	numMessages
)

// messages is the schema. It is made when the program starts and never changed.
var messages = compile(commonMessages(), traceMessages(), metricMessages(), logMessages(), profileMessages())

// Message returns the description of the message.
func (id MessageID) Message() *Message { return &messages[id] }

// Messages returns the descriptions of all messages, by MessageID.
func Messages() []Message { return messages[:] }
