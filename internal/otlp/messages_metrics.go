package otlp

// metricMessages defines opentelemetry/proto/metrics/v1.
func metricMessages() []Message {
	return append(metricContainers(), metricPoints()...)
}

const metricsPackage = "opentelemetry.proto.metrics.v1."

// metricContainers defines the messages from the top down to the data points.
func metricContainers() []Message {
	return []Message{
		{ID: MetricsData, Name: metricsPackage + "MetricsData", Fields: []Field{
			path(many(1, "resourceMetrics", ResourceMetrics)),
		}},
		{ID: ResourceMetrics, Name: metricsPackage + "ResourceMetrics", Fields: []Field{
			one(1, "resource", Resource),
			field(3, "schemaUrl", KindString),
			path(many(2, "scopeMetrics", ScopeMetrics)),
		}},
		{ID: ScopeMetrics, Name: metricsPackage + "ScopeMetrics", Fields: []Field{
			one(1, "scope", InstrumentationScope),
			field(3, "schemaUrl", KindString),
			path(many(2, "metrics", Metric)),
		}},
		{ID: Metric, Name: metricsPackage + "Metric", Fields: []Field{
			field(1, "name", KindString),
			field(2, "description", KindString),
			field(3, "unit", KindString),
			many(12, "metadata", KeyValue),
			path(choice(5, "gauge", KindMessage, Gauge)),
			path(choice(7, "sum", KindMessage, Sum)),
			path(choice(9, "histogram", KindMessage, Histogram)),
			path(choice(10, "exponentialHistogram", KindMessage, ExponentialHistogram)),
			path(choice(11, "summary", KindMessage, Summary)),
		}},
		{ID: Gauge, Name: metricsPackage + "Gauge", Fields: []Field{
			items(many(1, "dataPoints", NumberDataPoint)),
		}},
		{ID: Sum, Name: metricsPackage + "Sum", Fields: []Field{
			field(2, "aggregationTemporality", KindEnum),
			field(3, "isMonotonic", KindBool),
			items(many(1, "dataPoints", NumberDataPoint)),
		}},
		{ID: Histogram, Name: metricsPackage + "Histogram", Fields: []Field{
			field(2, "aggregationTemporality", KindEnum),
			items(many(1, "dataPoints", HistogramDataPoint)),
		}},
		{ID: ExponentialHistogram, Name: metricsPackage + "ExponentialHistogram", Fields: []Field{
			field(2, "aggregationTemporality", KindEnum),
			items(many(1, "dataPoints", ExponentialHistogramDataPoint)),
		}},
		{ID: Summary, Name: metricsPackage + "Summary", Fields: []Field{
			items(many(1, "dataPoints", SummaryDataPoint)),
		}},
	}
}

// metricPoints defines the data points and what is in them.
func metricPoints() []Message {
	return []Message{
		{ID: NumberDataPoint, Name: metricsPackage + "NumberDataPoint", Fields: []Field{
			field(2, "startTimeUnixNano", KindFixed64),
			field(3, "timeUnixNano", KindFixed64),
			many(7, "attributes", KeyValue),
			choice(4, "asDouble", KindDouble),
			choice(6, "asInt", KindSfixed64),
			many(5, "exemplars", Exemplar),
			field(8, "flags", KindUint32),
		}},
		{ID: HistogramDataPoint, Name: metricsPackage + "HistogramDataPoint", Fields: []Field{
			field(2, "startTimeUnixNano", KindFixed64),
			field(3, "timeUnixNano", KindFixed64),
			many(9, "attributes", KeyValue),
			field(4, "count", KindFixed64),
			optional(5, "sum", KindDouble),
			optional(11, "min", KindDouble),
			optional(12, "max", KindDouble),
			list(6, "bucketCounts", KindFixed64),
			list(7, "explicitBounds", KindDouble),
			many(8, "exemplars", Exemplar),
			field(10, "flags", KindUint32),
		}},
		{ID: ExponentialHistogramDataPoint, Name: metricsPackage + "ExponentialHistogramDataPoint", Fields: []Field{
			field(2, "startTimeUnixNano", KindFixed64),
			field(3, "timeUnixNano", KindFixed64),
			many(1, "attributes", KeyValue),
			field(4, "count", KindFixed64),
			optional(5, "sum", KindDouble),
			optional(12, "min", KindDouble),
			optional(13, "max", KindDouble),
			field(6, "scale", KindSint32),
			field(14, "zeroThreshold", KindDouble),
			field(7, "zeroCount", KindFixed64),
			one(8, "positive", Buckets),
			one(9, "negative", Buckets),
			many(11, "exemplars", Exemplar),
			field(10, "flags", KindUint32),
		}},
		{ID: Buckets, Name: metricsPackage + "ExponentialHistogramDataPoint.Buckets", Fields: []Field{
			field(1, "offset", KindSint32),
			list(2, "bucketCounts", KindUint64),
		}},
		{ID: SummaryDataPoint, Name: metricsPackage + "SummaryDataPoint", Fields: []Field{
			field(2, "startTimeUnixNano", KindFixed64),
			field(3, "timeUnixNano", KindFixed64),
			many(7, "attributes", KeyValue),
			field(4, "count", KindFixed64),
			field(5, "sum", KindDouble),
			many(6, "quantileValues", ValueAtQuantile),
			field(8, "flags", KindUint32),
		}},
		{ID: ValueAtQuantile, Name: metricsPackage + "SummaryDataPoint.ValueAtQuantile", Fields: []Field{
			field(1, "quantile", KindDouble),
			field(2, "value", KindDouble),
		}},
		{ID: Exemplar, Name: metricsPackage + "Exemplar", Fields: []Field{
			field(2, "timeUnixNano", KindFixed64),
			choice(3, "asDouble", KindDouble),
			choice(6, "asInt", KindSfixed64),
			field(5, "traceId", KindID16),
			field(4, "spanId", KindID8),
			many(7, "filteredAttributes", KeyValue),
		}},
	}
}
