package collectortest

import (
	"context"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
)

// editor is a processor, `editor`, that changes spans as a redaction or an enrichment would. Its keys:
//
//	set: {KEY: VALUE}  sets an attribute of each span
//	upper: [KEY]       writes the value of an attribute in capitals
//	remove: [KEY]      removes an attribute
//	skip: [NAME]       drops the spans with this name
type editor struct {
	component.StartFunc
	component.ShutdownFunc

	edits *edits
	next  consumer.Traces
}

// edits is its configuration.
type edits struct {
	Set    map[string]string `mapstructure:"set"`
	Upper  []string          `mapstructure:"upper"`
	Remove []string          `mapstructure:"remove"`
	Skip   []string          `mapstructure:"skip"`
}

func newEditorFactory() processor.Factory {
	return processor.NewFactory(
		component.MustNewType("editor"),
		func() component.Config { return &edits{} },
		processor.WithTraces(func(_ context.Context, _ processor.Settings, config component.Config, next consumer.Traces) (processor.Traces, error) {
			return &editor{edits: config.(*edits), next: next}, nil
		}, component.StabilityLevelDevelopment))
}

// Capabilities says that data is changed.
func (*editor) Capabilities() consumer.Capabilities { return consumer.Capabilities{MutatesData: true} }

// ConsumeTraces changes the spans and passes them on.
func (e *editor) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			ss.Spans().RemoveIf(e.edit)
		}
	}
	return e.next.ConsumeTraces(ctx, td)
}

// edit changes one span, and reports whether it is to be dropped.
func (e *editor) edit(span ptrace.Span) bool {
	for _, name := range e.edits.Skip {
		if span.Name() == name {
			return true
		}
	}
	for key, value := range e.edits.Set {
		span.Attributes().PutStr(key, value)
	}
	for _, key := range e.edits.Upper {
		if value, ok := span.Attributes().Get(key); ok {
			value.SetStr(strings.ToUpper(value.AsString()))
		}
	}
	for _, key := range e.edits.Remove {
		span.Attributes().Remove(key)
	}
	return false
}
