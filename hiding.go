package remotetapprocessor

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/remotetap/remotetapprocessor/internal/redact"
	"github.com/remotetap/remotetapprocessor/internal/selection"
)

// This file keeps from viewers what a point's `redact` hides: a criterion on it is refused, what
// is selected by is a redacted copy, and a renderer redacts what it renders. The pipeline's data
// is not touched.

// hiding is what a source's point hides.
type hiding struct {
	// set at construction
	rules     *redact.Rules
	redactors *sync.Pool // of *redact.Redactor
}

func newHiding(rules *redact.Rules) hiding {
	return hiding{rules: rules, redactors: &sync.Pool{New: func() any { return redact.NewRedactor(rules) }}}
}

// changes tells whether hiding could change what a selection matches.
func (h *hiding) changes(sel selection.Selection) bool {
	if h.rules.Empty() {
		return false
	}
	return sel.ReadsValues() || h.rules.RewritesText() && sel.ReadsTexts()
}

// partItems is how many items are copied and redacted at a time, so that the clock is looked at in
// between.
const partItems = 512

// match marks the items that a view wants. It runs on the pipeline's goroutine.
func (b *batch[T]) match(v *view, marks *selection.Marks, within selection.Budget) {
	if !b.source.hiding.changes(v.selection) {
		must(b.ops.match(v.matcher, b.data, b.items, marks, within))
		return
	}
	if b.ops.thin == nil || b.items <= partItems {
		must(b.ops.match(v.matcher, b.shown(0, b.items), b.items, marks, within))
		return
	}
	part := v.marks.Get().(*selection.Marks)
	defer v.marks.Put(part)
	marks.Gather(b.items)
	for from := 0; from < b.items && within.Now() < within.Until; from += partItems {
		n := min(partItems, b.items-from)
		must(b.ops.match(v.matcher, b.shown(from, from+n), n, part, within))
		marks.Add(part)
	}
}

// observe looks at a batch for why nothing matches; hints quote what they find.
func (b *batch[T]) observe(recorder *selection.Recorder, within selection.Budget) {
	if b.source.hiding.rules.Empty() {
		must(b.ops.observe(recorder, b.data, b.items, within))
		return
	}
	n := min(partItems, b.items)
	must(b.ops.observe(recorder, b.shown(0, n), n, within))
}

// must makes an error of matching, which is a bug, one of the panics that offer recovers from.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// shown is a copy of some of the batch's items as viewers may see them.
func (b *batch[T]) shown(from, to int) T {
	if part := b.part; part.to == to && part.from == from && to > 0 {
		return part.data
	}
	var data T
	if to-from == b.items {
		data = b.ops.copy(b.data)
	} else {
		data = b.ops.thin(b.data, func(item int) bool { return from <= item && item < to })
	}
	redactor := b.source.hiding.redactors.Get().(*redact.Redactor)
	defer b.source.hiding.redactors.Put(redactor)
	must(b.ops.hide(redactor, data))
	b.part.from, b.part.to, b.part.data = from, to, data
	return data
}

// redactTime is how long it takes to redact a MiB, about.
const redactTime = 10 * renderTime

// redact makes the document that a capture may be rendered from. It runs on the renderer's
// goroutine. It returns false when the capture was given up.
func (v *view) redact(c *capture) bool {
	hiding := &c.source.hiding
	if hiding.rules.Empty() {
		return true
	}
	reserved := len(c.proto)
	if !v.reserve(reserved) {
		return false
	}
	defer v.release(reserved)
	work := v.meters.rendering.begin(&v.renderShare, redactTime*time.Duration(1+len(c.proto)/mib))
	if work.granted <= 0 {
		v.lose(c, dropOverhead)
		return false
	}
	redactor := hiding.redactors.Get().(*redact.Redactor)
	defer hiding.redactors.Put(redactor)
	document, _, err := redactor.Redact(c.source.signal, c.proto, nil)
	work.end()
	if err != nil {
		v.logger.Error("remote_tap could not redact a batch that it captured itself", zap.Error(err))
		v.lose(c, dropInternalError)
		return false
	}
	v.replace(c, document)
	return true
}

// hidden refuses a criterion on what one of the points hides: whoever may not see a value may not
// search for it either. Call with mu held.
func (b *broadcaster) hidden(sel selection.Selection, points []selection.Point) *refusal {
	for _, s := range b.sources {
		point := s.point.String()
		if !slices.ContainsFunc(points, func(p selection.Point) bool { return p.ID == point }) {
			continue
		}
		for name, key := range sel.AttributeKeys() {
			if s.hiding.rules.Key(key) {
				return &refusal{
					status: http.StatusBadRequest, reason: refusedBadRequest, Parameter: name,
					Message: name + ": " + point + " hides this attribute (redact), so nothing can be searched by it",
					Hint:    "leave it out, or choose other points with point=",
				}
			}
		}
	}
	return nil
}
