package remotetapprocessor

import (
	"time"

	"go.uber.org/zap"

	"github.com/remotetap/remotetapprocessor/internal/format"
)

const (
	// renderTime is about how long a message takes to render.
	renderTime = 200 * time.Microsecond
	// keepScratch is the size up to which the renderer keeps its scratch from batch to batch.
	keepScratch = 1 * mib
	// entryOverhead is what an entry of the log holds besides its message, about.
	entryOverhead = 256
)

// render turns the view's captures into messages until the view is closed. It is the view's only
// goroutine, started with the view, and ends when that is closed. It works when a tap is about to run out of
// messages, not before: what nobody will read is not rendered.
func (v *view) render() {
	defer func() {
		if problem := recover(); problem != nil {
			v.fail(problem, nil, 0)
		}
	}()
	renderer := format.New(v.format(), format.Options{
		MaxMessage: v.messageBytes - len("data: \n"), // the most that a transport puts around it on a line
		HardLimit:  v.itemBytes,
		Envelope:   v.selection.Delivery.Envelope,
	})
	var scratch []byte
	for {
		c := v.nextCapture()
		if c == nil {
			return
		}
		if !v.redact(c) {
			v.finishCapture(c, 0, cap(scratch))
			continue
		}
		renderer.Reset(format.Batch{Signal: c.source.signal, Proto: c.proto, Point: c.source.point.String(), Time: c.time})
		scratch = v.renderCapture(c, renderer, scratch)
		if cap(scratch) > keepScratch {
			scratch = nil
		}
		v.finishCapture(c, renderer.TooLarge(), cap(scratch))
	}
}

// renderCapture renders one capture, message by message, and returns the scratch for the next.
func (v *view) renderCapture(c *capture, renderer format.Renderer, scratch []byte) []byte {
	for v.wantsMore() {
		work := v.meters.rendering.begin(&v.renderShare, renderTime)
		if work.granted <= 0 {
			v.lose(c, dropOverhead)
			return scratch
		}
		if items, whole := share(renderer); whole {
			work.end()
			v.append(c, &entry{items: items, line: c.proto, bare: true}, scratch)
			return scratch
		}
		message, items, more, err := renderer.Next(scratch[:0])
		work.end()
		if err != nil {
			v.logger.Error("remote_tap could not render a batch that it captured itself", zap.Error(err))
			v.lose(c, dropInternalError)
			return scratch
		}
		if !more {
			return scratch
		}
		scratch = message
		if items > 0 { // not only containers without items
			line := make([]byte, 0, len(message)+1)
			v.append(c, &entry{items: items, line: append(append(line, message...), '\n')}, scratch)
		}
	}
	return scratch
}

// share reports whether the batch itself is the only message, which spares a copy.
func share(renderer format.Renderer) (items int, whole bool) {
	if sharer, ok := renderer.(format.Sharer); ok {
		return sharer.Share()
	}
	return 0, false
}

// format is the form that the view's taps want.
func (v *view) format() format.Format {
	f, err := format.Parse(string(v.selection.Delivery.Format))
	if err != nil { // the selection knows the same names
		panic(err)
	}
	return f
}

// nextCapture waits for a capture that a tap is waiting for; nil when the view is closed.
func (v *view) nextCapture() *capture {
	v.mu.Lock()
	defer v.mu.Unlock()
	for !v.closed && (len(v.captures) == 0 || v.isAhead()) {
		v.work.Wait()
	}
	if v.closed {
		return nil
	}
	c := v.popCapture()
	v.rendering, v.settled, v.abandoned = &c, 0, false
	return &c
}

// wantsMore waits until a tap is waiting for the next message of the capture under way; false
// when the capture was given up.
func (v *view) wantsMore() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for !v.closed && !v.abandoned && v.isAhead() {
		v.work.Wait()
	}
	return !v.closed && !v.abandoned
}

// isAhead tells whether enough messages are ready for the fastest tap.
func (v *view) isAhead() bool { return v.frontier()-v.furthest >= renderAhead }

// append puts a message of a capture into the log and wakes the taps that wait for it.
func (v *view) append(c *capture, e *entry, scratch []byte) {
	e.source, e.ordinal, e.time, e.bytes = c.source, c.ordinal, c.time, len(e.line)+entryOverhead
	v.mu.Lock()
	defer v.mu.Unlock()
	v.scratch = cap(scratch)
	room := v.makeRoom(e.bytes)
	if v.abandoned || v.closed {
		return
	}
	if !room {
		e.line, e.bytes, e.gap = nil, entryOverhead, dropQueueFull
	}
	v.push(e)
}

// push puts an entry at the end of the log, for the taps that joined before its batch passed.
func (v *view) push(e *entry) {
	for _, t := range v.taps {
		if t.from <= e.ordinal {
			e.wanted++
		}
	}
	v.settled += e.items
	v.log = append(v.log, e)
	v.bytes += e.bytes
	e.logged = true
	for _, t := range v.waiting {
		t.waiting = false
		t.wake()
	}
	v.waiting = v.waiting[:0]
}

// lose gives up what is left of a capture.
func (v *view) lose(c *capture, reason dropReason) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if left := c.items - v.settled; left > 0 && !v.abandoned {
		v.push(&entry{source: c.source, ordinal: c.ordinal, items: left, bytes: entryOverhead, gap: reason})
	}
}

// finishCapture lets go of a capture. Items that were too large for the queue were left out by
// the splitter; they are a gap.
func (v *view) finishCapture(c *capture, tooLarge, scratch int) {
	if tooLarge > 0 {
		v.lose(c, dropQueueFull)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.bytes -= c.size()
	v.scratch = scratch
	v.rendering = nil
}
