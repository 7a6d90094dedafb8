package selection

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

func traceShape() shape[ptrace.Traces, ptrace.ResourceSpans, ptrace.ScopeSpans] {
	return shape[ptrace.Traces, ptrace.ResourceSpans, ptrace.ScopeSpans]{
		resources:       func(td ptrace.Traces) int { return td.ResourceSpans().Len() },
		resource:        func(td ptrace.Traces, i int) ptrace.ResourceSpans { return td.ResourceSpans().At(i) },
		attributes:      func(r ptrace.ResourceSpans) pcommon.Map { return r.Resource().Attributes() },
		scopes:          func(r ptrace.ResourceSpans) int { return r.ScopeSpans().Len() },
		scope:           func(r ptrace.ResourceSpans, i int) ptrace.ScopeSpans { return r.ScopeSpans().At(i) },
		scopeAttributes: func(s ptrace.ScopeSpans) pcommon.Map { return s.Scope().Attributes() },
		items:           func(s ptrace.ScopeSpans) int { return s.Spans().Len() },
	}
}

// traceProgram compiles the rules for spans.
func traceProgram(r *rules, conditions traceWhere) *program[ptrace.Traces, ptrace.ResourceSpans, ptrace.ScopeSpans] {
	leaf := &spanLeaf{where: conditions.span, tests: newItemTests(r, func(t tests) func(ptrace.Span) bool { return t.span })}
	return newProgram(traceShape(), r, conditions.where, leaf.scope)
}

// spanLeaf finds the spans of a scope.
type spanLeaf struct {
	where func(inSpan) (bool, error)
	tests itemTests[ptrace.Span]
}

func (l *spanLeaf) scope(w *walk, resource ptrace.ResourceSpans, scope ptrace.ScopeSpans, n need) {
	spans, tests := scope.Spans(), l.tests.of(n.terms)
	for i := 0; i < spans.Len(); {
		end := i + w.chunk(spans.Len()-i)
		if end == i {
			return
		}
		for ; i < end; i++ {
			span := spans.At(i)
			switch {
			case !passes(tests, span):
				w.position++
			case n.where:
				holds, err := l.where(inSpan{resource, scope, span})
				w.judgeItem(holds, err, n.failed)
			default:
				w.judgeItem(!n.failed, nil, n.failed)
			}
		}
	}
}
