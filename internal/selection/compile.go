package selection

import (
	"cmp"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// verdict is what a test knows of all items below a resource, a scope or a metric.
type verdict uint8

const (
	undecided verdict = iota // ask further down
	no
	yes
)

func verdictOf(holds bool) verdict {
	if holds {
		return yes
	}
	return no
}

func (v verdict) negated() verdict {
	return [...]verdict{undecided: undecided, no: yes, yes: no}[v]
}

// tests find the items for which a term holds. Each level may decide for all that is below it; a nil function decides
// nothing. Who is undecided at an item of a signal without an item's test does not hold.
type tests struct {
	resource func(attributes pcommon.Map) verdict
	scope    func(attributes pcommon.Map) verdict
	metric   func(pmetric.Metric) verdict
	span     func(ptrace.Span) bool
	record   func(plog.LogRecord) bool
	point    func(attributes pcommon.Map) bool
}

// negated holds where the tests do not.
func (t tests) negated() tests {
	return tests{
		resource: negatedVerdict(t.resource),
		scope:    negatedVerdict(t.scope),
		metric:   negatedVerdict(t.metric),
		span:     negatedTest(t.span),
		record:   negatedTest(t.record),
		point:    negatedTest(t.point),
	}
}

func negatedVerdict[T any](test func(T) verdict) func(T) verdict {
	if test == nil {
		return nil
	}
	return func(subject T) verdict { return test(subject).negated() }
}

func negatedTest[T any](test func(T) bool) func(T) bool {
	if test == nil {
		return nil
	}
	return func(subject T) bool { return !test(subject) }
}

// Matcher finds the items that a selection wants. It is immutable and safe for concurrent use.
type Matcher struct {
	selection  Selection
	conditions []*condition
	traces     *program[ptrace.Traces, ptrace.ResourceSpans, ptrace.ScopeSpans]
	metrics    *program[pmetric.Metrics, pmetric.ResourceMetrics, pmetric.ScopeMetrics]
	logs       *program[plog.Logs, plog.ResourceLogs, plog.ScopeLogs]
	profiles   *rules // nil, as the others, if the selection leaves the signal out
}

// Compile prepares a selection for matching. The error is an *Error; there is none for what Parse has made.
func Compile(s Selection) (*Matcher, error) {
	conditions, err := conditionsOf(s.terms)
	if err != nil {
		return nil, err
	}
	r := newRules(s.terms)
	m := &Matcher{selection: s, conditions: conditions}
	if s.signals.Has(otlp.Traces) {
		m.traces = traceProgram(r, newTraceWhere(conditions))
	}
	if s.signals.Has(otlp.Metrics) {
		m.metrics = metricProgram(r, newMetricWhere(conditions))
	}
	if s.signals.Has(otlp.Logs) {
		m.logs = logProgram(r, newLogWhere(conditions))
	}
	if s.signals.Has(otlp.Profiles) {
		m.profiles = r
	}
	return m, nil
}

// Selection is what the matcher was compiled from.
func (m *Matcher) Selection() Selection { return m.selection }

// rules are a selection's terms but for those that choose points, signals, or by OTTL. The order is that of cost, and a
// term's place in it is its bit in a need.
type rules struct {
	terms    []Term
	tests    []tests
	all      uint64 // every bit
	resource []level[pcommon.Map]
	scope    []level[pcommon.Map]
	metric   []level[pmetric.Metric]
}

// level is one term's test of a resource, a scope or a metric.
type level[T any] struct {
	bit  uint64
	test func(T) verdict
}

func newRules(terms []Term) *rules {
	r := &rules{}
	for _, t := range terms {
		if t.Criterion.tests != nil {
			r.terms = append(r.terms, t)
		}
	}
	slices.SortStableFunc(r.terms, func(a, b Term) int { return cmp.Compare(a.Criterion.cost, b.Criterion.cost) })
	for i := range r.terms {
		made := r.terms[i].Criterion.tests(&r.terms[i])
		if r.terms[i].Negated {
			made = made.negated()
		}
		bit := uint64(1) << i
		r.tests = append(r.tests, made)
		r.all |= bit
		r.resource = appendLevel(r.resource, bit, made.resource)
		r.scope = appendLevel(r.scope, bit, made.scope)
		r.metric = appendLevel(r.metric, bit, made.metric)
	}
	return r
}

func appendLevel[T any](levels []level[T], bit uint64, test func(T) verdict) []level[T] {
	if test == nil {
		return levels
	}
	return append(levels, level[T]{bit: bit, test: test})
}

// need is what is still to be found out about all items below a resource, a scope or a metric.
type need struct {
	terms  uint64 // bits of the terms that are undecided
	where  bool   // no `where` has held yet, and there are some further down
	failed bool   // no `where` has held, and one has failed
}

// nothing reports whether all items below are decided.
func (n need) nothing() bool { return n.terms == 0 && !n.where }

// decide asks one level of the undecided terms; false rejects all items below.
func decide[T any](levels []level[T], n *need, subject T) bool {
	for i := range levels {
		l := &levels[i]
		if n.terms&l.bit == 0 {
			continue
		}
		switch l.test(subject) {
		case yes:
			n.terms &^= l.bit
		case no:
			return false
		case undecided:
		}
	}
	return true
}

// itemTests are the rules' tests of one kind of item.
type itemTests[I any] struct {
	byBit []func(I) bool // a term without one has nil
	terms uint64         // bits of those that have one
	all   []func(I) bool // of those that have one
}

func newItemTests[I any](r *rules, of func(tests) func(I) bool) itemTests[I] {
	var made itemTests[I]
	for i, t := range r.tests {
		test := of(t)
		made.byBit = append(made.byBit, test)
		if test != nil {
			made.terms |= 1 << i
			made.all = append(made.all, test)
		}
	}
	return made
}

// of returns the tests of some terms. It allocates only if some, but not all, were decided further up.
func (t *itemTests[I]) of(terms uint64) []func(I) bool {
	if terms == t.terms {
		return t.all
	}
	var some []func(I) bool
	for i, test := range t.byBit {
		if terms&(1<<i) != 0 {
			some = append(some, test)
		}
	}
	return some
}

// passes asks an item of the undecided terms.
func passes[I any](tests []func(I) bool, item I) bool {
	for _, test := range tests {
		if !test(item) {
			return false
		}
	}
	return true
}
