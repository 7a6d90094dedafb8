package trace

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/internal/otlp"
	"github.com/remotetap/remotetapprocessor/internal/selection"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// collector collects one trace. Its functions are called by one goroutine at a time.
type collector struct {
	app       *app.App
	options   options
	endpoints []string
	request   tapclient.Selection // what the user selects
	wanted    selection.Selection // the same
	matcher   *selection.Matcher  // the same; nil if a trace is named

	id     string // of the trace; "" while it is not known
	raw    []byte // the same in binary
	trace  *gathered
	recent ring
	seen   uint64 // items that passed before it was found
	marks  selection.Marks
	quiet  *time.Timer // ends the collecting; nil while there is nothing
	enough func()      // ends the collecting
	totals tapclient.Totals
	reach  app.Reach
}

func newCollector(a *app.App, o options, selecting *app.Selecting, id string, endpoints []string) (*collector, error) {
	c := &collector{
		app: a, options: o, endpoints: endpoints, trace: newGathered(),
		recent: ring{keep: o.keep, most: o.memory << 20},
	}
	c.name(id)
	var err error
	if c.request, err = selecting.Request(); err != nil {
		return nil, err
	}
	if c.wanted, err = selecting.Parse(); err != nil {
		return nil, err
	}
	if signals := c.wanted.Signals(); !signals.Has(otlp.Traces) && !signals.Has(otlp.Logs) {
		return nil, app.Usage("only spans and log records belong to traces: %s selects neither", c.wanted)
	}
	if o.next && !o.narrow {
		c.matcher, err = selection.Compile(c.wanted)
	}
	return c, err
}

// name says which trace it is.
func (c *collector) name(id string) {
	c.id = id
	c.raw, _ = hex.DecodeString(id) // it was checked, or made from binary
}

// signals are those that belong to traces.
func signals() []tapclient.Signal { return []tapclient.Signal{tapclient.Traces, tapclient.Logs} }

// collect collects the trace until there is nothing new, the time is over or ctx is done.
func (c *collector) collect(ctx context.Context) error {
	ctx, c.enough = context.WithCancel(ctx)
	defer c.enough()
	if c.options.duration > 0 {
		late := time.AfterFunc(c.options.duration, c.enough)
		defer late.Stop()
	}
	defer func() {
		if c.quiet != nil {
			c.quiet.Stop()
		}
	}()
	request := c.request
	if len(request.Signal) == 0 {
		request.Signal = signals()
	}
	switch {
	case c.id != "":
		request.TraceID = []string{c.id}
	case c.options.narrow:
		if err := c.watch(ctx, request, c.find); err != nil || c.id == "" {
			return err
		}
		request = tapclient.Selection{Point: c.request.Point, NotPoint: c.request.NotPoint, Signal: signals(), TraceID: []string{c.id}}
	default: // the selection is for finding it, here
		request = tapclient.Selection{Point: c.request.Point, NotPoint: c.request.NotPoint, Signal: signals()}
	}
	return c.watch(ctx, request, c.take)
}

// watch opens a tap and gives its batches to a function.
func (c *collector) watch(ctx context.Context, request tapclient.Selection, batch func(*app.Batch) error) error {
	totals, err := c.app.Watch(ctx, c.endpoints, request, app.Watcher{Batch: batch, Stats: c.tell, Event: c.reach.Event})
	c.totals.Ledger = c.totals.Ledger.Plus(totals.Ledger)
	c.totals.Missed += totals.Missed
	return err
}

// find takes the first batch in which there is a trace: of what the collector has selected.
func (c *collector) find(b *app.Batch) error {
	if err := c.recognize(b, func(int) bool { return true }); err != nil || c.id == "" {
		return err
	}
	if err := c.add(b); err != nil {
		return err
	}
	return app.ErrEnough
}

// take takes a batch of whatever passes.
func (c *collector) take(b *app.Batch) error {
	if c.id != "" {
		return c.add(b)
	}
	c.seen += b.Items
	c.recent.add(b, time.Now())
	if err := c.match(b); err != nil || c.id == "" {
		return err
	}
	for _, h := range c.recent.held {
		if err := c.add(h.batch); err != nil {
			return err
		}
	}
	c.recent = ring{}
	return nil
}

// match finds out which trace it is, if the batch has something that is selected.
func (c *collector) match(b *app.Batch) error {
	switch signals := c.wanted.Signals(); {
	case b.Signal == tapclient.Traces && signals.Has(otlp.Traces):
		td, err := b.Traces()
		if err != nil {
			return err
		}
		if err := c.matcher.MatchTraces(td, td.SpanCount(), &c.marks, selection.Budget{}); err != nil {
			return err
		}
		c.firstSpan(td, c.marks.Has)
	case b.Signal == tapclient.Logs && signals.Has(otlp.Logs):
		ld, err := b.Logs()
		if err != nil {
			return err
		}
		if err := c.matcher.MatchLogs(ld, ld.LogRecordCount(), &c.marks, selection.Budget{}); err != nil {
			return err
		}
		c.firstRecord(ld, c.marks.Has)
	}
	return nil
}

// recognize takes the trace of the first item that a function keeps.
func (c *collector) recognize(b *app.Batch, keep func(int) bool) error {
	if b.Signal == tapclient.Traces {
		td, err := b.Traces()
		if err == nil {
			c.firstSpan(td, keep)
		}
		return err
	}
	ld, err := b.Logs()
	if err == nil {
		c.firstRecord(ld, keep)
	}
	return err
}

func (c *collector) firstSpan(td ptrace.Traces, keep func(int) bool) {
	i := 0
	for span := range spansOf(td) {
		if id := span.TraceID(); keep(i) && !id.IsEmpty() {
			c.name(id.String())
			return
		}
		i++
	}
}

func (c *collector) firstRecord(ld plog.Logs, keep func(int) bool) {
	i := 0
	for record := range recordsOf(ld) {
		if id := record.TraceID(); keep(i) && !id.IsEmpty() {
			c.name(id.String())
			return
		}
		i++
	}
}

// add adds what belongs to the trace, and waits anew if there was something.
func (c *collector) add(b *app.Batch) error {
	if !bytes.Contains(b.Proto, c.raw) {
		return nil
	}
	added, err := c.trace.add(b, c.id)
	if added > 0 {
		if c.quiet == nil {
			c.quiet = time.AfterFunc(c.options.wait, c.enough)
		} else {
			c.quiet.Reset(c.options.wait)
		}
	}
	return err
}

// tell says on a terminal how it goes.
func (c *collector) tell(s *tapclient.Stats) error {
	var text string
	switch {
	case c.id == "" && c.seen > 0:
		text = app.Number(c.seen) + " spans and log records have passed; none is selected yet"
	case c.trace.items > 0:
		text = app.Number(uint64(c.trace.items)) + " spans and log records; waiting for more"
	default:
		return nil // what is said in general will do
	}
	if loss := app.LossWords(s.Ledger); loss != "" {
		text += "; " + loss
	}
	c.app.Status(text)
	return nil
}

// losses says what did not come although it passed; "" if nothing is known to be missing.
func (c *collector) losses() string {
	l := c.totals.Ledger
	lost := l.Skipped
	for reason, n := range l.Dropped {
		if reason != tapclient.DropTapEnded { // it came after there was enough
			lost += n
		}
	}
	switch {
	case lost > 0 && c.options.next && !c.options.narrow:
		return app.Number(lost) + " items of all that passed were lost on the way here: try --narrow"
	case lost > 0:
		return app.Number(lost) + " items were lost on the way here"
	case c.totals.Missed > 0:
		return fmt.Sprintf("nothing was seen for %s, when there was no connection", c.totals.Missed.Round(time.Millisecond))
	}
	return ""
}

// problems say what is missing of the trace, and why it may be.
func (c *collector) problems(t *tree) []string {
	problems := t.problems()
	if c.trace.leftOut > 0 {
		problems = append(problems, app.Number(c.trace.leftOut)+" more items of the trace were left out: it is too large")
	}
	if loss := c.losses(); loss != "" {
		problems = append(problems, loss)
	}
	if !t.complete() && c.options.narrow {
		problems = append(problems, "--narrow misses what passed before the trace was found")
	}
	return slices.Clip(problems)
}
