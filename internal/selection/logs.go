package selection

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

func logShape() shape[plog.Logs, plog.ResourceLogs, plog.ScopeLogs] {
	return shape[plog.Logs, plog.ResourceLogs, plog.ScopeLogs]{
		resources:       func(ld plog.Logs) int { return ld.ResourceLogs().Len() },
		resource:        func(ld plog.Logs, i int) plog.ResourceLogs { return ld.ResourceLogs().At(i) },
		attributes:      func(r plog.ResourceLogs) pcommon.Map { return r.Resource().Attributes() },
		scopes:          func(r plog.ResourceLogs) int { return r.ScopeLogs().Len() },
		scope:           func(r plog.ResourceLogs, i int) plog.ScopeLogs { return r.ScopeLogs().At(i) },
		scopeAttributes: func(s plog.ScopeLogs) pcommon.Map { return s.Scope().Attributes() },
		items:           func(s plog.ScopeLogs) int { return s.LogRecords().Len() },
	}
}

// logProgram compiles the rules for log records.
func logProgram(r *rules, conditions logWhere) *program[plog.Logs, plog.ResourceLogs, plog.ScopeLogs] {
	leaf := &recordLeaf{where: conditions.record, tests: newItemTests(r, func(t tests) func(plog.LogRecord) bool { return t.record })}
	return newProgram(logShape(), r, conditions.where, leaf.scope)
}

// recordLeaf finds the log records of a scope.
type recordLeaf struct {
	where func(inRecord) (bool, error)
	tests itemTests[plog.LogRecord]
}

func (l *recordLeaf) scope(w *walk, resource plog.ResourceLogs, scope plog.ScopeLogs, n need) {
	records, tests := scope.LogRecords(), l.tests.of(n.terms)
	for i := 0; i < records.Len(); {
		end := i + w.chunk(records.Len()-i)
		if end == i {
			return
		}
		for ; i < end; i++ {
			record := records.At(i)
			switch {
			case !passes(tests, record):
				w.position++
			case n.where:
				holds, err := l.where(inRecord{resource, scope, record})
				w.judgeItem(holds, err, n.failed)
			default:
				w.judgeItem(!n.failed, nil, n.failed)
			}
		}
	}
}
