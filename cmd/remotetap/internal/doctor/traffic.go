package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

const (
	// maxSkew is how far clocks may be apart without a word.
	maxSkew = 2 * time.Second
	// maxTaps is how many taps are open at once, to count.
	maxTaps = 4
	// maxTerms is how many criteria are tried alone.
	maxTerms = 12
)

// passes watches what passes, and what of it is selected.
func (e *examination) passes(ctx context.Context) bool {
	everything := tapclient.Selection{}
	requests := []tapclient.Selection{everything}
	switch {
	case e.want.text == "" && len(e.want.all.Signal) == 0:
	case e.room < 2:
		requests = []tapclient.Selection{e.want.all}
	default:
		requests = append(requests, e.want.all)
	}
	tallies, rates := e.count(ctx, requests)
	all, mine := tallies[0], tallies[len(tallies)-1]
	if ctx.Err() != nil {
		return false
	}
	if len(tallies) == 1 && mine.err != nil || all.err != nil {
		e.problem("traffic", "", "%v", errors.Join(all.err, mine.err))
		return false
	}
	e.traffic(all.totals.Ledger, rates)
	if len(requests) == 2 || e.room < 2 && e.want.text != "" {
		e.selected(ctx, mine)
	}
	e.clock(all.skew)
	return true
}

// traffic says what passed.
func (e *examination) traffic(l tapclient.Ledger, rates string) {
	if l.Seen == 0 {
		e.problem("traffic", "is anything sent to this collector, through the pipelines that have the points? Metrics may come once a minute only: try --duration 1m",
			"nothing passed in %s", e.duration)
		return
	}
	watched := e.duration
	if !l.Since.IsZero() { // the account's own time: it goes on a little while the taps end
		watched = l.Now.Sub(l.Since)
	}
	e.ok("traffic", "%s items passed in %s%s", number(l.Seen), terminal.Took(watched), rates)
	if l.Skipped > 0 {
		e.problem("losses", lossRemedy(l, e.listing.Limits), "%s of %s items passed unread, since taps may take only so much of the collector's time", number(l.Skipped), number(l.Seen))
	}
}

// clock says how far the clocks are apart.
func (e *examination) clock(skew time.Duration) {
	switch {
	case skew == 0:
	case skew.Abs() <= maxSkew:
		e.ok("clock", "the collector's agrees with this machine's")
	case skew > 0:
		e.note("clock", "set one of them", "the collector's is %s ahead of this machine's", skew.Round(100*time.Millisecond))
	default:
		e.note("clock", "set one of them", "the collector's is %s behind this machine's", (-skew).Round(100*time.Millisecond))
	}
}

// selected says what of it the user's selection matches.
func (e *examination) selected(ctx context.Context, mine tally) {
	name := e.want.text
	if name == "" {
		name = "the signal"
	}
	l := mine.totals.Ledger
	switch {
	case mine.err != nil:
		e.problem("selection", "", "%s: %v", name, mine.err)
	case l.Matched > 0:
		e.ok("selection", "%s matches %s of %s items", name, number(l.Matched), number(l.Seen))
	case l.Seen == 0:
		e.problem("selection", "", "nothing passed that %s could match", name)
	case l.EvalErrors > 0:
		e.problem("selection", lines(mine.hints), "%s matches none of %s items: where failed on %s", name, number(l.Seen), number(l.EvalErrors))
	case len(e.want.terms) > 1:
		e.alone(ctx, mine)
	default:
		e.problem("selection", lines(mine.hints), "%s matches none of %s items", name, number(l.Seen))
	}
}

// alone tries each criterion by itself, as many at once as taps are free, to say which excludes
// everything.
func (e *examination) alone(ctx context.Context, mine tally) {
	terms := e.want.terms[:min(len(e.want.terms), maxTerms)]
	e.app.Status(fmt.Sprintf("nothing matches; looking at each of %d criteria alone ...", len(terms)))
	hints := mine.hints
	texts := []string{fmt.Sprintf("%s matches none of %s items; each criterion alone:", e.want.text, number(mine.totals.Ledger.Seen))}
	for group := range slices.Chunk(terms, max(1, min(e.room, maxTaps))) {
		var requests []tapclient.Selection
		for _, t := range group {
			requests = append(requests, t.request)
		}
		tallies, _ := e.count(ctx, requests)
		for i, t := range tallies {
			texts = append(texts, "  "+group[i].text+" "+aloneWords(t))
			if t.totals.Ledger.Matched == 0 {
				hints = append(hints, t.hints...)
			}
		}
		if ctx.Err() != nil {
			break
		}
	}
	slices.Sort(hints)
	e.problem("selection", lines(slices.Compact(hints)), "%s", lines(texts))
}

func aloneWords(t tally) string {
	l := t.totals.Ledger
	switch {
	case t.err != nil:
		return "fails: " + t.err.Error()
	case l.Seen == 0:
		return "saw nothing pass"
	case l.Matched == 0:
		return fmt.Sprintf("matches none of %s: it excludes everything", number(l.Seen))
	default:
		return fmt.Sprintf("matches %s of %s", number(l.Matched), number(l.Seen))
	}
}
