package replay

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
)

// asFastAsPossible is a speed that does not wait.
const asFastAsPossible = 0

// speedOf reads --speed: how many times faster than the recording.
func speedOf(text string) (float64, error) {
	if text == "max" {
		return asFastAsPossible, nil
	}
	speed, err := strconv.ParseFloat(strings.TrimSuffix(text, "x"), 64)
	if err != nil || !(speed >= 0.001 && speed <= 1e6) {
		return 0, app.Usage("--speed %s: write how many times faster than it was recorded, such as 10x or 0.5x, or max", text)
	}
	return speed, nil
}

// tickEvery is how often somebody who waits for the next batch is shown that.
const tickEvery = time.Second

// pace waits between batches as long as passed between them when they were recorded. It is for one
// goroutine.
type pace struct {
	speed    float64
	maxPause time.Duration // of the recording; 0 for no limit
	tick     func()        // called each second of waiting

	begun  time.Time     // when the first batch was due
	last   time.Time     // of the recording's clock
	offset time.Duration // of the recording, from the first batch to last, without what maxPause leaves out
}

// wait waits until a batch of a time of the recording is due, and no longer than until ctx is done.
// Time that goes back, or is not known, takes none.
func (p *pace) wait(ctx context.Context, at time.Time) {
	if p.begun.IsZero() {
		p.begun = time.Now()
	}
	switch {
	case at.IsZero():
		return
	case p.last.IsZero():
		p.last = at
		return
	case at.After(p.last):
		pause := at.Sub(p.last)
		if p.maxPause > 0 {
			pause = min(pause, p.maxPause)
		}
		p.offset, p.last = p.offset+pause, at
	}
	if p.speed == asFastAsPossible {
		return
	}
	due := p.begun.Add(time.Duration(float64(p.offset) / p.speed))
	for left := time.Until(due); left > 0 && ctx.Err() == nil; left = time.Until(due) {
		select {
		case <-time.After(min(left, tickEvery)):
			p.tick()
		case <-ctx.Done():
		}
	}
}
