package remotetapprocessor

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// drivenView is a view that always has work, in pieces of one cost.
type drivenView struct {
	spender
	cost  time.Duration
	taken time.Duration
	done  int
	asked int
}

// drive lets loads work for a time on a fake clock, `perSecond` pieces each, spread evenly.
func drive(o *overhead, seconds, perSecond int, loads ...*drivenView) {
	now := time.Unix(1_700_000_000, 0)
	for range seconds * perSecond {
		now = now.Add(time.Second / time.Duration(perSecond))
		for _, l := range loads {
			l.asked++
			granted := o.ask(&l.spender, l.cost, now)
			if granted == 0 {
				continue
			}
			o.settle(&l.spender, granted, l.cost)
			l.taken += l.cost
			l.done++
		}
	}
}

func TestOverheadStaysWithinTheShareOfACore(t *testing.T) {
	for name, share := range map[string]float64{"a tenth": 0.1, "a hundredth": 0.01, "two cores": 2} {
		t.Run(name, func(t *testing.T) {
			o := newOverhead(share)
			heavy := &drivenView{cost: time.Millisecond}
			o.count(1)
			const seconds = 60
			drive(o, seconds, 5000, heavy)
			assert.InEpsilon(t, share*seconds, heavy.taken.Seconds(), 0.2)
		})
	}
}

func TestOverheadLeavesLightWorkAlone(t *testing.T) {
	o := newOverhead(0.1)
	light := &drivenView{cost: 10 * time.Microsecond}
	o.count(1)
	drive(o, 30, 1000, light) // a hundredth of a core
	assert.Equal(t, light.asked, light.done)
}

func TestOneHeavyViewDoesNotStarveTheOthers(t *testing.T) {
	o := newOverhead(0.1)
	heavy, light := &drivenView{cost: 5 * time.Millisecond}, &drivenView{cost: 20 * time.Microsecond}
	o.count(1)
	o.count(1)
	drive(o, 60, 1000, heavy, light)
	assert.Equal(t, light.asked, light.done, "the light one is served whole")
	assert.Less(t, heavy.done, heavy.asked/10)
	assert.InEpsilon(t, 0.1*60, (heavy.taken + light.taken).Seconds(), 0.2, "and the heavy one gets the rest")
}

func TestNoCallIsGrantedMoreThanTwentyMilliseconds(t *testing.T) {
	o := newOverhead(1)
	var s spender
	assert.Equal(t, 20*time.Millisecond, o.ask(&s, time.Second, time.Unix(1, 0)))
}

func TestGrantsThatAreNotSettledCountAsTaken(t *testing.T) {
	o := newOverhead(0.1) // a tenth of a second can be saved up
	var s spender
	var granted time.Duration
	for range 100 { // as many goroutines at once
		granted += o.ask(&s, 10*time.Millisecond, time.Unix(1, 0))
	}
	assert.LessOrEqual(t, granted, 100*time.Millisecond)
}

func TestClockThatJumpsBackGrantsNothingExtra(t *testing.T) {
	o := newOverhead(0.1)
	var s spender
	now := time.Unix(1_000_000, 0)
	for range 1000 {
		o.ask(&s, time.Millisecond, now)
		now = now.Add(-time.Hour)
	}
	assert.Zero(t, o.ask(&s, time.Millisecond, now))
}

// On the real clock, however busy the machine: what many pipelines take together goes beyond the
// share by no more than what can be saved up, and the calls that were under way.
func TestOverheadHoldsUnderContention(t *testing.T) {
	const share, pipelines = 0.02, 8
	r := newRig(t, PerTapConfig{})
	r.broadcaster.meters = newMeters(share)
	tap := r.subscribe(selected(`where=IsMatch(span.name, "^s.*9$")`))
	batch := spans(2000)
	begin := time.Now()
	var longest [pipelines]time.Duration
	var group sync.WaitGroup
	for i := range pipelines {
		group.Go(func() {
			for range 200 {
				call := time.Now()
				r.publish(batch)
				longest[i] = max(longest[i], time.Since(call))
			}
		})
	}
	group.Wait()
	elapsed := time.Since(begin)
	allowed := time.Duration(share * float64(elapsed+overheadBurst))
	for _, call := range longest {
		allowed += call
	}
	l := checkLedger(t, tap)
	assert.Positive(t, l.skipped)
	assert.Equal(t, uint64(pipelines*200*2000), l.seen)
	meter := r.broadcaster.meters.pipeline
	meter.mu.Lock()
	granted := share*(elapsed+overheadBurst).Seconds() - meter.left
	meter.mu.Unlock()
	assert.LessOrEqual(t, granted, allowed.Seconds())
	r.leave(tap)
}
