package selection

import (
	"fmt"
	"runtime/debug"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// PanicError is a panic in a match: a bug here or in OTTL, or data that was changed meanwhile.
type PanicError struct {
	Value any
	Stack []byte
}

// Error says what the panic said.
func (e *PanicError) Error() string { return fmt.Sprintf("matching panicked: %v", e.Value) }

// MatchTraces marks the spans of a batch that the selection wants; the account is the marks' Result. `items` is the
// batch's SpanCount. The data is only read and not kept. It does not block. The error is a *PanicError; what has been
// marked then means nothing.
func (m *Matcher) MatchTraces(td ptrace.Traces, items int, into *Marks, budget Budget) error {
	return m.traces.match(td, items, into, budget)
}

// MatchMetrics is like MatchTraces, for data points; `items` is the DataPointCount.
func (m *Matcher) MatchMetrics(md pmetric.Metrics, items int, into *Marks, budget Budget) error {
	return m.metrics.match(md, items, into, budget)
}

// MatchLogs is like MatchTraces, for log records; `items` is the LogRecordCount.
func (m *Matcher) MatchLogs(ld plog.Logs, items int, into *Marks, budget Budget) error {
	return m.logs.match(ld, items, into, budget)
}

// MatchProfiles marks all samples of a batch if one of its resources matches, else none: profiles are not divided, since
// they share a dictionary. `items` is the SampleCount.
func (m *Matcher) MatchProfiles(pd pprofile.Profiles, items int, into *Marks, budget Budget) (err error) {
	w := into.begin(items, budget, false)
	defer func() {
		if problem := recover(); problem != nil {
			err = caught(problem)
		}
	}()
	if m.profiles == nil {
		return nil
	}
	for i := range pd.ResourceProfiles().Len() {
		if !w.step() {
			return nil
		}
		if m.profiles.ofResource(pd.ResourceProfiles().At(i).Resource().Attributes()) {
			w.take(items, false)
			return nil
		}
	}
	return nil
}

// ofResource reports whether all terms hold for a resource without looking further down.
func (r *rules) ofResource(attributes pcommon.Map) bool {
	n := need{terms: r.all}
	if !decide(r.resource, &n, attributes) {
		return false
	}
	for i := range r.terms {
		if n.terms&(1<<i) != 0 && !r.terms[i].Negated {
			return false
		}
	}
	return true
}

// caught makes an error of what recover returned.
func caught(problem any) error {
	return &PanicError{Value: problem, Stack: debug.Stack()}
}

// program is a selection compiled for one signal: batches B of resources R of scopes S.
type program[B, R, S any] struct {
	shape shape[B, R, S]
	rules *rules
	where where[R, S]
	// leaf finds the items of a scope for which all that is needed holds; it advances the walk by all of them, or stops it.
	leaf func(w *walk, resource R, scope S, n need)
	// start is what is needed of a batch.
	start need
}

func newProgram[B, R, S any](s shape[B, R, S], r *rules, w where[R, S], leaf func(*walk, R, S, need)) *program[B, R, S] {
	return &program[B, R, S]{shape: s, rules: r, where: w, leaf: leaf, start: need{terms: r.all, where: w.any()}}
}

// shape is how a signal's batches are built.
type shape[B, R, S any] struct {
	resources  func(B) int
	resource   func(B, int) R
	attributes func(R) pcommon.Map
	scopes     func(R) int
	scope      func(R, int) S
	// scopeAttributes are those of the instrumentation scope.
	scopeAttributes func(S) pcommon.Map
	items           func(S) int
}

// match marks the items of a batch. A nil program matches none.
func (p *program[B, R, S]) match(batch B, items int, into *Marks, budget Budget) (err error) {
	w := into.begin(items, budget, p != nil && p.start.where)
	defer func() {
		if problem := recover(); problem != nil {
			err = caught(problem)
		}
	}()
	if p != nil {
		p.walk(w, batch)
	}
	return nil
}

// walk goes through the resources. Rejected ones are not looked into: their items are counted only when the position of
// an item after them is needed.
func (p *program[B, R, S]) walk(w *walk, batch B) {
	if p.start.nothing() {
		w.take(w.marks.items, false)
		return
	}
	counted := 0 // resources whose items lie before the walk's position
	for i := range p.shape.resources(batch) {
		n := p.start
		proceed := w.step()
		resource := p.shape.resource(batch, i)
		if proceed && !p.atResource(w, resource, &n) {
			continue
		}
		for ; counted < i; counted++ {
			w.position += p.itemsOf(p.shape.resource(batch, counted))
		}
		if proceed {
			p.inResource(w, resource, n)
		}
		if w.stopped {
			return
		}
		counted++
	}
}

func (p *program[B, R, S]) itemsOf(resource R) int {
	items := 0
	for i := range p.shape.scopes(resource) {
		items += p.shape.items(p.shape.scope(resource, i))
	}
	return items
}

func (p *program[B, R, S]) atResource(w *walk, resource R, n *need) bool {
	if !decide(p.rules.resource, n, p.shape.attributes(resource)) {
		return false
	}
	if n.where && p.where.resource != nil {
		holds, err := p.where.resource(resource)
		return w.judge(n, holds, err, p.where.belowResource)
	}
	return true
}

// inResource goes through a resource's scopes.
func (p *program[B, R, S]) inResource(w *walk, resource R, n need) {
	if n.nothing() {
		w.take(p.itemsOf(resource), n.failed)
		return
	}
	for i := range p.shape.scopes(resource) {
		if !w.step() {
			return
		}
		scope := p.shape.scope(resource, i)
		below := n
		switch {
		case !p.atScope(w, resource, scope, &below):
			w.position += p.shape.items(scope)
		case below.nothing():
			w.take(p.shape.items(scope), below.failed)
		default:
			p.leaf(w, resource, scope, below)
		}
		if w.stopped {
			return
		}
	}
}

func (p *program[B, R, S]) atScope(w *walk, resource R, scope S, n *need) bool {
	if len(p.rules.scope) > 0 && !decide(p.rules.scope, n, p.shape.scopeAttributes(scope)) {
		return false
	}
	if n.where && p.where.scope != nil {
		holds, err := p.where.scope(inScope[R, S]{resource, scope})
		return w.judge(n, holds, err, p.where.belowScope)
	}
	return true
}

// judge is what the conditions of one level mean for all items below; false rejects them.
func (w *walk) judge(n *need, holds bool, err error, further bool) bool {
	switch {
	case err != nil: // OTTL's `not` of what failed is true: the error comes first
		w.fail(err)
		n.failed = true
	case holds:
		n.where, n.failed = false, false
		return true
	}
	n.where = further
	return n.where || n.failed
}

// judgeItem marks the item at the position, or counts it as failed; and goes on to the next.
func (w *walk) judgeItem(holds bool, err error, failed bool) {
	switch {
	case err != nil:
		w.fail(err)
		w.evalErrors++
	case holds:
		w.marks.set(w.position)
	case failed:
		w.evalErrors++
	}
	w.position++
}
