package compare

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/items"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

const (
	// countPeriod is how often the accounts come.
	countPeriod = 250 * time.Millisecond
	// drawPeriod is how often the live table is drawn.
	drawPeriod = time.Second
	// lookItems is how many items a second of the first point should be looked at.
	lookItems = 1000
	// firstLook is how long to count before the share to look at is chosen.
	firstLook = time.Second
)

// The taps.
const (
	countA = iota
	countB
	looking
)

// watch is the taps of a comparison, and what has come from them. One goroutine for each tap reads it
// and sends on feeds; the rest is for the goroutine that calls watch.
type watch struct {
	*run
	client *tapclient.Client
	plan   plan
	feeds  chan feed
	wg     sync.WaitGroup

	streams [3]*tapclient.Stream
	up      [3]bool
	sample  *sample
	began   time.Time
	lookUp  time.Duration // when the look began, since then
	counted time.Duration // when the counting was over; 0 before
	now     time.Duration // when the watch was over; 0 before
	notes   []string
	panel   panel
}

// feed is one event of a tap, or its end.
type feed struct {
	stream *tapclient.Stream
	event  tapclient.Event
	err    error
}

// errOver ends the watch.
var errOver = errors.New("over")

func newWatch(r *run, client *tapclient.Client, p plan) *watch {
	return &watch{run: r, client: client, plan: p, feeds: make(chan feed), sample: newSample(), panel: panel{app: r.app}}
}

// watch counts and looks until the time is over or ctx is done, which is no error.
func (w *watch) watch(ctx context.Context) error {
	reading, cancel := context.WithCancel(ctx)
	defer w.wg.Wait()
	defer cancel()
	w.began = time.Now()
	for i, point := range []string{w.plan.a, w.plan.b} {
		selection := w.plan.counting(point)
		selection.Duration = w.options.duration
		if err := w.open(reading, i, selection); err != nil {
			return err
		}
	}
	if !w.look.auto {
		w.beginLook(reading)
	}
	err := w.follow(ctx, reading)
	w.now = time.Since(w.began)
	for _, stream := range w.streams {
		if stream != nil {
			stream.Close() // before the totals: then the accounts are complete
		}
	}
	if errors.Is(err, errOver) || ctx.Err() != nil {
		return nil
	}
	return err
}

func (w *watch) follow(ctx, reading context.Context) error {
	draw := time.NewTicker(drawPeriod)
	defer draw.Stop()
	var grace <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-draw.C:
			w.draw()
		case <-grace:
			return errOver
		case f := <-w.feeds:
			if err := w.take(reading, f); err != nil {
				return err
			}
			if w.counted > 0 && grace == nil {
				grace = time.After(w.options.grace)
			}
		}
	}
}

// open opens a tap and reads it.
func (w *watch) open(ctx context.Context, i int, selection tapclient.Selection) error {
	stream, err := w.client.Tap(ctx, selection)
	if err != nil {
		return err
	}
	w.streams[i], w.up[i] = stream, false
	w.wg.Go(func() {
		for {
			event, err := stream.Next(ctx)
			select {
			case w.feeds <- feed{stream: stream, event: event, err: err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	})
	return nil
}

// beginLook opens the tap that shows items, if they can be told apart.
func (w *watch) beginLook(ctx context.Context) {
	if w.look.off || w.plan.signal != tapclient.Traces && w.plan.signal != tapclient.Logs {
		w.look.off = true
		return
	}
	if err := w.open(ctx, looking, w.plan.looking(w.look)); err != nil {
		w.noLook(err)
	}
}

// noLook goes on without it.
func (w *watch) noLook(err error) {
	w.note("could not look at items, so nothing is known about services, errors and attributes: " + err.Error())
	w.look.off = true
	w.streams[looking] = nil
}

// take is what to do about an event.
func (w *watch) take(ctx context.Context, f feed) error {
	i := slices.Index(w.streams[:], f.stream)
	switch {
	case i < 0:
		return nil // of a look that was replaced
	case f.err != nil && i == looking:
		w.noLook(f.err)
		return nil
	case errors.Is(f.err, io.EOF):
		return w.countEnds(i)
	case f.err != nil:
		return f.err
	}
	switch e := f.event.(type) {
	case *tapclient.Up:
		if i == looking && !w.up[i] {
			w.lookUp = time.Since(w.began)
		}
		w.up[i] = true
	case *tapclient.Down:
		return w.down(i, e)
	case *tapclient.Batch:
		w.see(e)
	case *tapclient.Stats:
		return w.account(ctx, i)
	}
	return nil
}

// down is for a tap that was lost, or cannot be opened. Those who are refused from the start do not
// wait: the counting goes on elsewhere.
func (w *watch) down(i int, e *tapclient.Down) error {
	var refused *tapclient.RefusedError
	isRefused := errors.As(e.Err, &refused)
	switch {
	case isRefused && !w.up[i] && i == looking:
		stream := w.streams[i]
		w.noLook(e.Err)
		stream.Close()
	case isRefused && !w.up[i] && refused.Code == codes.ResourceExhausted:
		return &tapclient.OriginError{Origin: e.Origin, Err: refused}
	default:
		w.note(e.From().String() + ": " + e.Err.Error())
	}
	return nil
}

// countEnds is for a tap that has counted for as long as it should.
func (w *watch) countEnds(i int) error {
	w.up[i] = false
	for _, j := range []int{countA, countB} {
		for _, origin := range w.streams[j].Origins() {
			if origin.State != tapclient.StateEnded {
				return nil
			}
		}
	}
	w.counted = time.Since(w.began)
	if w.streams[looking] == nil || !w.sample.outstanding() {
		return errOver
	}
	return nil
}

// see takes items.
func (w *watch) see(b *tapclient.Batch) {
	where := sideA
	if b.Point == w.plan.b {
		where = sideB
	}
	all, err := items.Of(&app.Batch{From: b.From().String(), Point: b.Point, Time: b.Time, Signal: b.Signal, Items: b.Items, Proto: b.Proto()})
	if err != nil {
		w.note(err.Error())
	}
	at := time.Since(w.began)
	for i := range all {
		w.sample.add(&all[i], where, at)
	}
}

// account is for the accounts, which come all the time: there is a rate to choose the look by, nothing is
// on its way any more, or too much was lost.
func (w *watch) account(ctx context.Context, i int) error {
	ledger := w.streams[i].Totals().Ledger
	switch {
	case i == looking && w.counted > 0:
		if !w.sample.outstanding() {
			return errOver
		}
	case i == looking:
		w.lookAtLess(ctx, ledger)
	case i == countA && w.look.auto && w.streams[looking] == nil && !w.look.off:
		if age := ledger.Now.Sub(ledger.Since); age >= min(firstLook, w.options.duration/5) {
			w.look.halvings = halvingsFor(float64(ledger.Matched) / age.Seconds())
			w.beginLook(ctx)
		}
	}
	return nil
}

// halvingsFor is how often a rate has to be halved to be looked at.
func halvingsFor(perSecond float64) int {
	if perSecond <= lookItems {
		return 0
	}
	return min(mostHalvings, int(math.Ceil(math.Log2(perSecond/lookItems))))
}

// lookAtLess begins the look anew, at a quarter, if it loses one item of 100 and there is time.
func (w *watch) lookAtLess(ctx context.Context, l tapclient.Ledger) {
	if !w.look.auto || (l.Lost()+l.Skipped)*100 <= l.Seen || w.look.halvings+2 > mostHalvings || time.Since(w.began) > w.options.duration*3/4 {
		return
	}
	w.streams[looking].Close()
	w.streams[looking] = nil
	w.look.halvings += 2
	w.sample = newSample()
	w.beginLook(ctx)
}

// note remembers words for the report, each once and not too many.
func (w *watch) note(text string) {
	const most = 10
	if len(w.notes) < most && !slices.Contains(w.notes, text) {
		w.notes = append(w.notes, text)
	}
}

// window is the time that counts, so far.
func (w *watch) window() window {
	now := w.now
	if now == 0 {
		now = time.Since(w.began)
	}
	until := now - w.options.grace
	if w.counted > 0 {
		until = w.counted
		if w.now == 0 {
			until = min(until, now-w.options.grace)
		}
	}
	return window{fromB: w.lookUp + w.options.grace, until: until}
}

// draw shows what is known so far, on a terminal.
func (w *watch) draw() {
	if w.options.output != "text" || !w.app.Screen.IsTerminal {
		w.app.Status(w.remaining())
		return
	}
	w.panel.draw(w.report().text(w.app.Screen, w.options.top))
	w.app.Status(w.remaining())
}

func (w *watch) remaining() string {
	if w.counted > 0 {
		return "waiting for what is still on its way to " + w.plan.b
	}
	left := (w.options.duration - time.Since(w.began)).Round(time.Second)
	return "counting, " + max(left, 0).String() + " left"
}
