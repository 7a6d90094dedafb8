package recording

import (
	"time"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/internal/selection"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// picker takes from documents what is selected, and keeps the account.
type picker struct {
	recording *Recording
	matcher   *selection.Matcher
	signals   []signal
	file      string
	left      uint64 // of the selection's count; 0 if there is none
	marks     selection.Marks
	each      func(*app.Batch) error
}

// document passes on what is selected from a document. The error is that of the function that it goes
// to, app.ErrEnough when the count is reached, or that the selection does not fit the recording.
func (p *picker) document(d *document) error {
	found := d.of(p.signals)
	if len(found) == 0 {
		if err := d.stranger(); err != nil {
			p.recording.broken.add(p.file, d.line, err)
		}
		return nil
	}
	point, passed := d.envelope()
	if err := p.checkPoint(point); err != nil {
		return err
	}
	for _, s := range found {
		if !p.matcher.Selection().Covers(point, s.otlp) {
			continue
		}
		proto, items, err := s.parts(d.text, p)
		if err != nil {
			p.recording.broken.add(p.file, d.line, err)
			continue
		}
		if err := p.pass(s, point, passed, proto, items); err != nil {
			return err
		}
	}
	return nil
}

// checkPoint refuses a selection of points where a recording names none.
func (p *picker) checkPoint(point string) error {
	if point != "" {
		return nil
	}
	for _, term := range p.matcher.Selection().Terms() {
		if term.Criterion.Name == "point" {
			return app.Usage("%s does not say which tap point its telemetry passed: leave out %s", p.file, term.String())
		}
	}
	return nil
}

// pick adds a match to the account and returns how many of the marked items are wanted: no more than
// the count leaves, if the batch can be cut. What is behind the last one was not looked at, so to say.
func (p *picker) pick(cuts bool) (kept int) {
	result := p.marks.Result()
	kept = result.Matched
	ledger := &p.recording.totals.Ledger
	if cuts && p.left > 0 && uint64(kept) > p.left {
		kept = int(p.left)
		last, seen := p.last(kept, result.Items)
		ledger.Seen += seen
		ledger.Unmatched += last
		ledger.Matched += uint64(kept)
		return kept
	}
	ledger.Seen += uint64(result.Items)
	ledger.Unmatched += uint64(result.Unmatched)
	ledger.Matched += uint64(kept)
	ledger.EvalErrors += uint64(result.EvalErrors)
	return kept
}

// last returns how many items do not match before the n-th that does, and how many there are up to it.
func (p *picker) last(n, items int) (unmatched, seen uint64) {
	for position := range items {
		seen++
		if !p.marks.Has(position) {
			unmatched++
		} else if n--; n == 0 {
			break
		}
	}
	return unmatched, seen
}

// pass hands a batch on.
func (p *picker) pass(s signal, point string, passed time.Time, proto []byte, items int) error {
	if items == 0 {
		return nil
	}
	totals := &p.recording.totals
	totals.Ledger.Sent += uint64(items)
	totals.Ledger.Bytes += uint64(len(proto))
	totals.Received.Batches++
	totals.Received.Items += uint64(items)
	totals.Received.Bytes += uint64(len(proto))
	err := p.each(&app.Batch{
		From: p.file, Point: point, Time: passed,
		Signal: tapclient.Signal(s.otlp.String()), Items: uint64(items), Proto: proto,
	})
	if err != nil || p.left == 0 {
		return err
	}
	if p.left -= min(p.left, uint64(items)); p.left == 0 {
		return app.ErrEnough
	}
	return nil
}
