package tapclient

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

const (
	// farewell is how long a server has to tell the end and the final account when the stream has
	// what it was asked for.
	farewell = time.Second
	// maxFailures is how many failed origins the last error names.
	maxFailures = 16
)

// Why a stream has what it was asked for: the causes of Stream.wanted.
var (
	errCountReached    = errors.New("all items that were asked for have come")
	errDurationReached = errors.New("the time that was asked for is over")
)

// Stream is the telemetry of the client's endpoints, merged, with what happens to the connections.
// Its methods may be called from many goroutines; each event goes to one caller of Next.
//
// Nothing is kept for a caller who does not call Next: then the servers' queues fill, and count what
// they drop (queue_full). Of each origin at most two batches, and 1 MiB of what follows them, are in
// memory.
type Stream struct {
	// set at construction
	client    *Client
	selection Selection
	request   *remotetapv1.TapRequest
	started   time.Time
	ctx       context.Context // done when the caller wants no more
	cancel    context.CancelCauseFunc
	wanted    context.Context // done when ctx is, and when the stream has what it was asked for
	finish    context.CancelCauseFunc
	events    chan Event     // unbuffered
	origins   sync.WaitGroup // goroutines that send events
	finished  chan struct{}  // closed when they have ended

	mu       sync.Mutex
	book     book    // guarded by mu
	left     uint64  // guarded by mu: of Selection.Count, what no batch has taken
	failures []error // guarded by mu: of origins that ended without having been watched as asked
	over     bool    // guarded by mu: the end came from the origins, not from the caller
}

// newStream starts a stream's goroutines.
func (c *Client) newStream(ctx context.Context, cancel context.CancelCauseFunc, selection Selection, request *remotetapv1.TapRequest) *Stream {
	s := &Stream{
		client: c, selection: selection, request: request, started: time.Now(), left: selection.Count,
		ctx: ctx, cancel: cancel, events: make(chan Event), finished: make(chan struct{}),
	}
	s.wanted, s.finish = context.WithCancelCause(ctx)
	if selection.Duration > 0 {
		// Later than asked, to leave the servers time to end by themselves and tell the final account.
		later := max(selection.Duration, selection.Duration+farewell) // the sum of an eternity is negative
		timer := time.AfterFunc(later, func() { s.finish(errDurationReached) })
		context.AfterFunc(s.wanted, func() { timer.Stop() })
	}
	for _, e := range c.endpoints {
		if e.follows {
			f := newFollower(s, e)
			s.origins.Go(f.run)
			continue
		}
		o := s.newOrigin(e, e.address(), nil)
		s.origins.Go(func() { o.run() })
	}
	go func() {
		defer c.working.Done()
		s.origins.Wait()
		s.mu.Lock()
		s.over = ctx.Err() == nil
		s.mu.Unlock()
		close(s.finished)
		s.finish(nil)
		cancel(nil)
	}()
	return s
}

// Next returns the next event. It blocks until there is one, ctx is done, or the stream has ended.
//
// At the end it returns io.EOF if all is well; else an error that tells, as *OriginError, which
// origins were refused, lost for good, or never reached (unless Selection.Count items have come from
// others). After Close it returns
// ErrClosed, and when the context of Tap is done its cause. It may be called again after an error of
// its own ctx.
func (s *Stream) Next(ctx context.Context) (Event, error) {
	select {
	case event := <-s.events:
		return event, nil
	case <-s.finished:
		return nil, s.lastError()
	case <-s.ctx.Done():
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	select {
	case <-s.finished: // before s.ctx
		return nil, s.lastError()
	default:
		return nil, context.Cause(s.ctx)
	}
}

// Events returns the events as a sequence, for a range over it:
//
//	for event, err := range stream.Events(ctx) {
//
// The error is nil but for the last, if the stream ends with another than io.EOF; then the event is
// nil. Leaving the loop does not close the stream.
func (s *Stream) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			event, err := s.Next(ctx)
			if errors.Is(err, io.EOF) || !yield(event, err) || err != nil {
				return
			}
		}
	}
}

// Close ends the stream and its connections, and waits until its goroutines have ended. Servers are
// not waited for: what they still had for this client is counted as DropTapEnded in Totals, as far as
// their last accounts tell. A second call waits as well.
func (s *Stream) Close() {
	s.cancel(ErrClosed)
	<-s.finished
}

// lastError is what Next returns when finished is closed.
func (s *Stream) lastError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.over:
		return context.Cause(s.ctx)
	case len(s.failures) > 0:
		return errors.Join(s.failures...)
	default:
		return io.EOF
	}
}

// deliver hands an event to a caller of Next. It blocks until one takes it, and returns false if none
// will.
func (s *Stream) deliver(event Event) bool {
	select {
	case s.events <- event:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// take claims up to n of the items that are still wanted. The last are those after which no more are.
func (s *Stream) take(n uint64) (granted uint64, last bool) {
	if s.selection.Count == 0 {
		return n, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	granted = min(n, s.left)
	s.left -= granted
	return granted, s.left == 0
}

// remainder is the request for what is still wanted; nil, with the reason, if nothing is.
func (s *Stream) remainder() (*remotetapv1.TapRequest, EndReason) {
	request := proto.CloneOf(s.request)
	if s.selection.Count > 0 {
		s.mu.Lock()
		left := s.left
		s.mu.Unlock()
		if left == 0 {
			return nil, EndCountReached
		}
		request.Count = &left
	}
	if s.selection.Duration > 0 {
		left := time.Until(s.deadline())
		if left <= 0 {
			return nil, EndDurationReached
		}
		request.Duration = durationpb.New(max(left.Round(time.Millisecond), time.Millisecond))
	}
	return request, ""
}

// deadline is when Selection.Duration is over.
func (s *Stream) deadline() time.Time { return s.started.Add(s.selection.Duration) }
