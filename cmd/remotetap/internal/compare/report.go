package compare

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// report is what a comparison has found. Its JSON is what -o json prints.
type report struct {
	Signal     tapclient.Signal  `json:"signal"`
	Seconds    float64           `json:"seconds"`
	Points     [2]pointReport    `json:"points"`
	Kept       shareReport       `json:"kept"`
	LookedAt   *lookReport       `json:"looked_at,omitempty"`
	Errors     *groupReport      `json:"errors,omitempty"`
	Services   []groupReport     `json:"services,omitempty"`
	Vanished   []nameReport      `json:"vanished,omitempty"`
	New        []nameReport      `json:"new,omitempty"`
	Attributes []attributeReport `json:"attributes,omitempty"`
	Expected   *expectation      `json:"expected,omitempty"`
	Notes      []string          `json:"notes,omitempty"`

	found findings
}

// pointReport is the account of one point.
type pointReport struct {
	Point     string  `json:"point"`
	Items     uint64  `json:"items"`
	PerSecond float64 `json:"per_second"`
	Skipped   uint64  `json:"skipped,omitempty"` // passed unread
}

// shareReport is a kept share; without Low and High nothing is known about how certain it is. Share is
// null if nothing passed.
type shareReport struct {
	Share *float64 `json:"share"`
	Low   *float64 `json:"low,omitempty"`
	High  *float64 `json:"high,omitempty"`
}

// lookReport is how much was looked at, and what came of it.
type lookReport struct {
	Share    float64 `json:"share"` // of the traces
	Items    int     `json:"items"`
	Traces   int     `json:"traces"`
	Whole    int     `json:"traces_kept_whole"`
	Part     int     `json:"traces_kept_in_part"`
	Gone     int     `json:"traces_vanished"`
	Missing  int     `json:"items_vanished"`
	New      int     `json:"items_new"`
	Compared uint64  `json:"items_compared"`

	began, until time.Duration // what passed the first point then, since the counting began
}

type groupReport struct {
	Service string `json:"service,omitempty"`
	Items   int    `json:"items"`
	shareReport
}

type nameReport struct {
	Service string `json:"service"`
	Name    string `json:"name"`
	Items   int    `json:"items"`
}

type attributeReport struct {
	Key     string `json:"key"`
	Added   uint64 `json:"added,omitempty"`
	Removed uint64 `json:"removed,omitempty"`
	Changed uint64 `json:"changed,omitempty"`
	From    string `json:"from,omitempty"`
	To      string `json:"to,omitempty"`
}

// expectation is what came of --expect.
type expectation struct {
	Share float64 `json:"share"`
	Holds bool    `json:"holds"`
}

// words say whether it holds.
func (e *expectation) words(r *report) string {
	kept := r.Kept
	switch {
	case e.Holds:
		return percent(e.Share) + " was expected, which is within the interval"
	case kept.Low == nil:
		return percent(e.Share) + " was expected, and there is too little evidence to say"
	default:
		return fmt.Sprintf("%s was expected, and %s to %s were kept (95 %% interval)", percent(e.Share), percent(*kept.Low), percent(*kept.High))
	}
}

// report is what is known so far.
func (w *watch) report() *report {
	r := &report{Signal: w.plan.signal}
	for i, point := range []string{w.plan.a, w.plan.b} {
		ledger := w.streams[i].Totals().Ledger
		seconds := ledger.Now.Sub(ledger.Since).Seconds()
		r.Points[i] = pointReport{Point: point, Items: ledger.Matched, Skipped: ledger.Skipped}
		if seconds > 0 {
			r.Points[i].PerSecond = rounded(float64(ledger.Matched)/seconds, 3)
		}
		r.Seconds = max(r.Seconds, rounded(seconds, 3))
	}
	if w.streams[looking] != nil {
		w.lookedAt(r)
	}
	r.Kept = kept(r)
	if w.expected != nil {
		e := &expectation{Share: *w.expected}
		if r.Kept.Low != nil {
			e.Holds = share{low: *r.Kept.Low, high: *r.Kept.High, evidence: 1}.contains(e.Share)
		}
		r.Expected = e
	}
	r.Notes = w.caveats(r)
	return r
}

// kept is the share of the counts, with the interval of as many independent items as they were worth in
// the look.
func kept(r *report) shareReport {
	a, b := float64(r.Points[0].Items), float64(r.Points[1].Items)
	if a == 0 {
		return shareReport{}
	}
	evidence := r.found.kept.evidence
	if items := float64(r.found.items); items > 0 {
		evidence *= max(1, a/items)
	}
	return reportOf(wilson(b/a, evidence))
}

func reportOf(s share) shareReport {
	r := shareReport{Share: new(rounded(s.value, 6))}
	if s.evidence > 0 {
		r.Low, r.High = new(rounded(s.low, 6)), new(rounded(s.high, 6))
	}
	return r
}

// rounded is a number with so many digits behind the point.
func rounded(f float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(f*scale) / scale
}

// lookedAt adds what the items tell.
func (w *watch) lookedAt(r *report) {
	s := w.sample
	window := w.window()
	f := s.find(window, w.options.top)
	r.found = f
	r.LookedAt = &lookReport{
		Share: w.look.share() / math.Pow(2, float64(s.level)), Items: f.items, Traces: f.traces, Whole: f.whole, Part: f.part, Gone: f.gone,
		Missing: f.missing, New: f.extra, Compared: s.compared,
		began: w.lookUp, until: window.until,
	}
	if f.errors.items > 0 {
		r.Errors = &groupReport{Items: f.errors.items, shareReport: reportOf(f.errors.kept)}
	}
	for _, g := range f.services {
		r.Services = append(r.Services, groupReport{Service: g.name, Items: g.items, shareReport: reportOf(g.kept)})
	}
	r.Vanished, r.New = nameReports(f.vanished), nameReports(f.appeared)
	for key, c := range s.changes {
		r.Attributes = append(r.Attributes, attributeReport{Key: key, Added: c.added, Removed: c.removed, Changed: c.changed, From: c.from, To: c.to})
	}
	slices.SortFunc(r.Attributes, func(a, b attributeReport) int {
		x, y := s.changes[a.Key].total(), s.changes[b.Key].total()
		if x != y {
			return int(min(max(int64(y)-int64(x), -1), 1))
		}
		return strings.Compare(a.Key, b.Key)
	})
}

func nameReports(all []named) []nameReport {
	var reports []nameReport
	for _, n := range all {
		reports = append(reports, nameReport{Service: n.service, Name: n.name, Items: n.items})
	}
	return reports
}

// caveats are what one must know to read the numbers.
func (w *watch) caveats(r *report) []string {
	notes := slices.Clone(w.notes)
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	for i, p := range r.Points {
		if p.Skipped > 0 {
			add("%s passed %s unread (skipped: taps may take only max_overhead of the collector's time); its numbers are too low by up to that", app.Number(p.Skipped), p.Point)
		}
		if missed := w.streams[i].Totals().Missed; missed > 0 {
			add("%s was not watched for %s: its numbers are too low", p.Point, missed.Round(time.Millisecond))
		}
	}
	if a, b := r.Points[0].Items, r.Points[1].Items; b > a && a > 0 {
		add("more passes %s than %s: it has other sources, or items are made on the way", w.plan.b, w.plan.a)
	}
	if len(w.plan.also) > 0 {
		add("both points also have %s: name one to compare it", names(w.plan.also))
	}
	if stream := w.streams[looking]; stream != nil {
		w.lookCaveats(stream.Totals(), add)
	}
	return notes
}

// whileOpen is an account without what was on its way when there was enough.
func whileOpen(l tapclient.Ledger) tapclient.Ledger {
	l.Dropped = maps.Clone(l.Dropped)
	delete(l.Dropped, tapclient.DropTapEnded)
	return l
}

// lookCaveats are those about the items that were looked at.
func (w *watch) lookCaveats(totals tapclient.Totals, add func(string, ...any)) {
	s := w.sample
	if loss := app.LossWords(whileOpen(totals.Ledger)); loss != "" {
		add("the look lost items, which may count as vanished, or as new (%s): look at less, --look 1/%d", loss, 1<<min(w.look.halvings+2, mostHalvings))
	}
	if totals.Missed > 0 {
		add("the look was interrupted for %s: what passed then may count as vanished, or as new", totals.Missed.Round(time.Millisecond))
	}
	if s.level > 0 {
		add("more items than fit in memory: of the traces looked at, every %dth was kept to the end", 1<<s.level)
	}
	if s.uncompared > 0 {
		add("the attributes of %s items were not compared: more were on their way than fit in memory", app.Number(s.uncompared))
	}
	if s.others > 0 {
		add("%s changes of further attributes are not listed", app.Number(s.others))
	}
	if s.slowest > w.options.grace/2 {
		add("items take up to %s from %s to %s: give a --grace of more than twice that, lest some count as vanished", s.slowest.Round(10*time.Millisecond), w.plan.a, w.plan.b)
	}
}
