package e2e

import (
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

func spanItems(data ptrace.Traces) ([]string, error) {
	var items []string
	for _, resource := range data.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				one := ptrace.NewTraces()
				r := one.ResourceSpans().AppendEmpty()
				resource.Resource().CopyTo(r.Resource())
				r.SetSchemaUrl(resource.SchemaUrl())
				s := r.ScopeSpans().AppendEmpty()
				scope.Scope().CopyTo(s.Scope())
				s.SetSchemaUrl(scope.SchemaUrl())
				span.CopyTo(s.Spans().AppendEmpty())
				item, err := (&ptrace.JSONMarshaler{}).MarshalTraces(one)
				if err != nil {
					return nil, err
				}
				items = append(items, string(item))
			}
		}
	}
	return items, nil
}

// pointItems counts on metrics of one data point each, which is what generateMetrics makes.
func pointItems(data pmetric.Metrics) ([]string, error) {
	var items []string
	for _, resource := range data.ResourceMetrics().All() {
		for _, scope := range resource.ScopeMetrics().All() {
			for _, metric := range scope.Metrics().All() {
				one := pmetric.NewMetrics()
				r := one.ResourceMetrics().AppendEmpty()
				resource.Resource().CopyTo(r.Resource())
				r.SetSchemaUrl(resource.SchemaUrl())
				s := r.ScopeMetrics().AppendEmpty()
				scope.Scope().CopyTo(s.Scope())
				s.SetSchemaUrl(scope.SchemaUrl())
				metric.CopyTo(s.Metrics().AppendEmpty())
				item, err := (&pmetric.JSONMarshaler{}).MarshalMetrics(one)
				if err != nil {
					return nil, err
				}
				items = append(items, string(item))
			}
		}
	}
	return items, nil
}

func recordItems(data plog.Logs) ([]string, error) {
	var items []string
	for _, resource := range data.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				one := plog.NewLogs()
				r := one.ResourceLogs().AppendEmpty()
				resource.Resource().CopyTo(r.Resource())
				r.SetSchemaUrl(resource.SchemaUrl())
				s := r.ScopeLogs().AppendEmpty()
				scope.Scope().CopyTo(s.Scope())
				s.SetSchemaUrl(scope.SchemaUrl())
				record.CopyTo(s.LogRecords().AppendEmpty())
				item, err := (&plog.JSONMarshaler{}).MarshalLogs(one)
				if err != nil {
					return nil, err
				}
				items = append(items, string(item))
			}
		}
	}
	return items, nil
}

// wholeProfiles is one item: profiles are not split.
func wholeProfiles(data pprofile.Profiles) ([]string, error) {
	item, err := (&pprofile.JSONMarshaler{}).MarshalProfiles(data)
	if err != nil {
		return nil, err
	}
	return []string{string(item)}, nil
}
