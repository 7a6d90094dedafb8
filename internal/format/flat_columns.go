package format

import "github.com/remotetap/remotetapprocessor/internal/otlp"

// flatTable has the members of each item's flat JSON. It is made when the program starts and never changed.
var flatTable = newColumnTable(map[otlp.MessageID][]column{
	otlp.Span: {
		{name: "time", form: formTime, field: "startTimeUnixNano"},
		{form: formPart, part: partHead},
		{name: "name", form: formText, field: "name"},
		{name: "trace_id", form: formID, field: "traceId"},
		{name: "span_id", form: formID, field: "spanId"},
		{name: "parent_span_id", form: formID, field: "parentSpanId"},
		{name: "kind", form: formWord, field: "kind", words: kindWords()},
		{name: "duration_ms", form: formElapsed, field: "startTimeUnixNano", other: "endTimeUnixNano"},
		{form: formInline, field: "status", sub: []column{
			{name: "status", form: formWord, field: "code", words: statusWords(), zero: true},
			{name: "status_message", form: formText, field: "message"},
		}},
		{name: "attributes", form: formAttributes, field: "attributes"},
		{name: "events", form: formList, field: "events", sub: []column{
			{name: "time", form: formTime, field: "timeUnixNano"},
			{name: "name", form: formText, field: "name"},
			{name: "attributes", form: formAttributes, field: "attributes"},
		}},
		{name: "links", form: formList, field: "links", sub: []column{
			{name: "trace_id", form: formID, field: "traceId"},
			{name: "span_id", form: formID, field: "spanId"},
			{name: "attributes", form: formAttributes, field: "attributes"},
		}},
		{form: formPart, part: partScope},
		{form: formPart, part: partResource},
	},
	otlp.LogRecord: {
		{name: "time", form: formTime, field: "timeUnixNano", other: "observedTimeUnixNano"},
		{form: formPart, part: partHead},
		{name: "name", form: formText, field: "eventName"},
		{name: "trace_id", form: formID, field: "traceId"},
		{name: "span_id", form: formID, field: "spanId"},
		{name: "severity", form: formSeverity, field: "severityNumber", other: "severityText"},
		{name: "body", form: formValue, field: "body"},
		{name: "attributes", form: formAttributes, field: "attributes"},
		{form: formPart, part: partScope},
		{form: formPart, part: partResource},
	},
	otlp.NumberDataPoint: flatPoint(
		column{name: "value", form: formNumber, field: "asInt"},
		column{name: "value", form: formNumber, field: "asDouble"},
	),
	otlp.HistogramDataPoint: flatPoint(column{name: "value", form: formGroup, sub: append(flatTotals(),
		column{name: "bounds", form: formNumbers, field: "explicitBounds"},
		column{name: "counts", form: formNumbers, field: "bucketCounts"},
	)}),
	otlp.ExponentialHistogramDataPoint: flatPoint(column{name: "value", form: formGroup, sub: append(flatTotals(),
		column{name: "scale", form: formNumber, field: "scale", zero: true},
		column{name: "zero_count", form: formNumber, field: "zeroCount", zero: true},
		column{name: "zero_threshold", form: formNumber, field: "zeroThreshold"},
		column{name: "positive", form: formObject, field: "positive", sub: flatBuckets()},
		column{name: "negative", form: formObject, field: "negative", sub: flatBuckets()},
	)}),
	otlp.SummaryDataPoint: flatPoint(column{name: "value", form: formGroup, sub: []column{
		{name: "count", form: formNumber, field: "count", zero: true},
		{name: "sum", form: formNumber, field: "sum", zero: true},
		{name: "quantiles", form: formList, field: "quantileValues", sub: []column{
			{name: "quantile", form: formNumber, field: "quantile", zero: true},
			{name: "value", form: formNumber, field: "value", zero: true},
		}},
	}}),
	otlp.Profile: {
		{name: "time", form: formTime, field: "timeUnixNano"},
		{form: formPart, part: partHead},
		{name: "profile_id", form: formID, field: "profileId"},
		{form: formInline, field: "sampleType", sub: []column{
			{name: "type", form: formString, field: "typeStrindex"},
			{name: "unit", form: formString, field: "unitStrindex"},
		}},
		{name: "duration_ms", form: formNanos, field: "durationNano"},
		{name: "samples", form: formCount, field: "samples"},
		{form: formPart, part: partScope},
		{form: formPart, part: partResource},
	},
})

// flatPoint returns the columns of a data point around those of its value.
func flatPoint(value ...column) []column {
	columns := append([]column{
		{name: "time", form: formTime, field: "timeUnixNano"},
		{form: formPart, part: partHead},
		{form: formPart, part: partMetric},
	}, value...)
	return append(columns,
		column{form: formPart, part: partUnit},
		column{name: "attributes", form: formAttributes, field: "attributes"},
		column{form: formPart, part: partScope},
		column{form: formPart, part: partResource},
	)
}

func flatTotals() []column {
	return []column{
		{name: "count", form: formNumber, field: "count", zero: true},
		{name: "sum", form: formNumber, field: "sum"},
		{name: "min", form: formNumber, field: "min"},
		{name: "max", form: formNumber, field: "max"},
	}
}

func flatBuckets() []column {
	return []column{
		{name: "offset", form: formNumber, field: "offset", zero: true},
		{name: "counts", form: formNumbers, field: "bucketCounts"},
	}
}
