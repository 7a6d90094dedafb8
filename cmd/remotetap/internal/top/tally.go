package top

import (
	"math"
	"time"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/items"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

const (
	// accuracy is the relative error of percentiles, see https://arxiv.org/abs/1908.10693.
	accuracy = 0.01
	// maxBins bounds a sketch: nine orders of magnitude at this accuracy. Beyond them the smallest
	// durations become inexact.
	maxBins = 1024
)

// levels are the severities, from none to fatal: items.Level of each fourth number.
const levels = 7

// tally counts items.
type tally struct {
	items, errors uint64
	levels        [levels]uint64
	mapping       mapping.IndexMapping
	durations     *ddsketch.DDSketchWithExactSummaryStatistics // of spans with an end, in seconds; nil if there were none
}

func newMapping() mapping.IndexMapping {
	index, _ := mapping.NewLogarithmicMapping(accuracy) // it fails for accuracies that are none
	return index
}

func newTally(index mapping.IndexMapping) *tally { return &tally{mapping: index} }

// add counts an item, or what stands for many.
func (t *tally) add(item *items.Item, n uint64) {
	t.items += n
	if item.Error {
		t.errors += n
	}
	switch item.Signal {
	case tapclient.Logs:
		t.levels[levelOf(item.Severity)] += n
	case tapclient.Traces:
		if item.Duration >= 0 { // it has an end
			t.addDuration(item.Duration)
		}
	default:
	}
}

func (t *tally) addDuration(d time.Duration) {
	if t.durations == nil {
		t.durations = ddsketch.NewDDSketchWithExactSummaryStatistics(t.mapping,
			func() store.Store { return store.NewCollapsingLowestDenseStore(maxBins) })
	}
	_ = t.durations.Add(d.Seconds()) // a sketch refuses infinity, which no duration is
}

// levelOf is the place of a severity in the table of levels: 0 for none, 1 for TRACE to 6 for FATAL.
func levelOf(n plog.SeverityNumber) int {
	if n < plog.SeverityNumberTrace || n > plog.SeverityNumberFatal4 {
		return 0
	}
	return 1 + int(n-1)/4
}

// clear begins anew, with the memory that is there.
func (t *tally) clear() {
	t.items, t.errors, t.levels = 0, 0, [levels]uint64{}
	if t.durations != nil {
		t.durations.Clear()
	}
}

// figures are what is known of some items.
type figures struct {
	items, errors uint64
	levels        [levels]uint64
	// p50, p95 and p99 are percentiles of the spans' durations; noDuration if none has an end.
	p50, p95, p99 time.Duration
}

// noDuration stands for a percentile of nothing.
const noDuration = time.Duration(-1)

// noFigures are those of nothing.
func noFigures() figures { return figures{p50: noDuration, p95: noDuration, p99: noDuration} }

func (t *tally) figures() figures {
	f := noFigures()
	f.items, f.errors, f.levels = t.items, t.errors, t.levels
	if t.durations == nil || t.durations.IsEmpty() {
		return f
	}
	for _, p := range []struct {
		to       *time.Duration
		quantile float64
	}{{&f.p50, 0.50}, {&f.p95, 0.95}, {&f.p99, 0.99}} {
		*p.to = t.percentile(p.quantile)
	}
	return f
}

// percentile is the smallest duration that at least this share of the spans did not exceed: of two
// spans the p99 is that of the slower. The sketch itself would say the faster.
func (t *tally) percentile(quantile float64) time.Duration {
	n := t.durations.GetCount()
	if n > 1 {
		rank := math.Ceil(quantile*n) - 1
		quantile = min((rank+0.5)/(n-1), 1) // a half more, so that rounding does not lose the rank
	}
	seconds, err := t.durations.GetValueAtQuantile(quantile)
	if err != nil { // there are no durations
		return noDuration
	}
	return time.Duration(seconds * float64(time.Second))
}

// plus is the sum of two; percentiles cannot be added.
func (f figures) plus(g figures) figures {
	sum := noFigures()
	sum.items, sum.errors = f.items+g.items, f.errors+g.errors
	for i := range sum.levels {
		sum.levels[i] = f.levels[i] + g.levels[i]
	}
	return sum
}

// share is that of errors; 0 if there are no items.
func (f figures) share() float64 {
	if f.items == 0 {
		return 0
	}
	return float64(f.errors) / float64(f.items)
}
