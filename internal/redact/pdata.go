package redact

import (
	"fmt"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// Traces redacts traces in place: a copy that the caller owns, never the pipeline's data. A selection that is evaluated
// on the result finds nothing by what viewers must not see. What Redact does to entity references, of which pcommon
// shows nothing, is not done.
func (r *Redactor) Traces(td ptrace.Traces) {
	if r.rules.Empty() {
		return
	}
	defer r.forget()
	r.active = append(r.active, r.rules.patterns...)
	for _, resource := range td.ResourceSpans().All() {
		r.resource(resource.Resource(), resource)
		for _, scope := range resource.ScopeSpans().All() {
			r.scope(scope.Scope(), scope)
			for _, span := range scope.Spans().All() {
				r.span(span)
			}
		}
	}
}

// Metrics redacts metrics in place, as Traces does traces.
func (r *Redactor) Metrics(md pmetric.Metrics) {
	if r.rules.Empty() {
		return
	}
	defer r.forget()
	r.active = append(r.active, r.rules.patterns...)
	for _, resource := range md.ResourceMetrics().All() {
		r.resource(resource.Resource(), resource)
		for _, scope := range resource.ScopeMetrics().All() {
			r.scope(scope.Scope(), scope)
			for _, metric := range scope.Metrics().All() {
				r.metric(metric)
			}
		}
	}
}

// Logs redacts logs in place, as Traces does traces.
func (r *Redactor) Logs(ld plog.Logs) {
	if r.rules.Empty() {
		return
	}
	defer r.forget()
	r.active = append(r.active, r.rules.patterns...)
	for _, resource := range ld.ResourceLogs().All() {
		r.resource(resource.Resource(), resource)
		for _, scope := range resource.ScopeLogs().All() {
			r.scope(scope.Scope(), scope)
			for _, record := range scope.LogRecords().All() {
				r.rewrite(record.SeverityText(), record.SetSeverityText)
				r.rewrite(record.EventName(), record.SetEventName)
				if r.pdataValue(record.Body()) {
					clearValue(record.Body())
				}
				r.attributes(record.Attributes())
			}
		}
	}
}

// Profiles redacts profiles in place, as Traces does traces. It goes by way of protobuf, for their strings are shared in a
// table, and costs accordingly. The error is pprofile's, or Redact's; then pd is empty.
func (r *Redactor) Profiles(pd pprofile.Profiles) error {
	if r.rules.Empty() {
		return nil
	}
	proto, err := (&pprofile.ProtoMarshaler{}).MarshalProfiles(pd)
	pprofile.NewProfiles().MoveTo(pd)
	if err != nil {
		return fmt.Errorf("redact: %w", err)
	}
	doc, _, err := r.Redact(otlp.Profiles, proto, nil)
	if err != nil {
		return err
	}
	redacted, err := (&pprofile.ProtoUnmarshaler{}).UnmarshalProfiles(doc)
	if err != nil {
		return fmt.Errorf("redact: %w", err)
	}
	redacted.MoveTo(pd)
	return nil
}

// schemaURL is what resources and scopes have around them.
type schemaURL interface {
	SchemaUrl() string
	SetSchemaUrl(url string)
}

func (r *Redactor) resource(resource pcommon.Resource, around schemaURL) {
	r.rewrite(around.SchemaUrl(), around.SetSchemaUrl)
	r.attributes(resource.Attributes())
}

func (r *Redactor) scope(scope pcommon.InstrumentationScope, around schemaURL) {
	r.rewrite(around.SchemaUrl(), around.SetSchemaUrl)
	r.rewrite(scope.Name(), scope.SetName)
	r.rewrite(scope.Version(), scope.SetVersion)
	r.attributes(scope.Attributes())
}

func (r *Redactor) span(span ptrace.Span) {
	r.rewrite(span.TraceState().AsRaw(), span.TraceState().FromRaw)
	r.rewrite(span.Name(), span.SetName)
	r.rewrite(span.Status().Message(), span.Status().SetMessage)
	r.attributes(span.Attributes())
	for _, event := range span.Events().All() {
		r.rewrite(event.Name(), event.SetName)
		r.attributes(event.Attributes())
	}
	for _, link := range span.Links().All() {
		r.rewrite(link.TraceState().AsRaw(), link.TraceState().FromRaw)
		r.attributes(link.Attributes())
	}
}

func (r *Redactor) metric(metric pmetric.Metric) {
	r.rewrite(metric.Name(), metric.SetName)
	r.rewrite(metric.Description(), metric.SetDescription)
	r.rewrite(metric.Unit(), metric.SetUnit)
	r.attributes(metric.Metadata())
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		redactPoints(r, metric.Gauge().DataPoints())
	case pmetric.MetricTypeSum:
		redactPoints(r, metric.Sum().DataPoints())
	case pmetric.MetricTypeHistogram:
		redactPoints(r, metric.Histogram().DataPoints())
	case pmetric.MetricTypeExponentialHistogram:
		redactPoints(r, metric.ExponentialHistogram().DataPoints())
	case pmetric.MetricTypeSummary:
		for _, point := range metric.Summary().DataPoints().All() {
			r.attributes(point.Attributes())
		}
	case pmetric.MetricTypeEmpty:
	}
}

// redactPoints redacts data points of a type that has exemplars.
func redactPoints[P interface {
	Attributes() pcommon.Map
	Exemplars() pmetric.ExemplarSlice
}](r *Redactor, points interface {
	Len() int
	At(i int) P
},
) {
	for i := range points.Len() {
		point := points.At(i)
		r.attributes(point.Attributes())
		for _, exemplar := range point.Exemplars().All() {
			r.attributes(exemplar.FilteredAttributes())
		}
	}
}
