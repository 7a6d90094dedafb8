package tail

import (
	"context"
	"sync"
	"time"
)

// flushSize is how many bytes wait for a write at most, one batch aside.
const flushSize = 64 << 10

// sink is where output goes. Into a pipe or a file it is written in large pieces, for tens of thousands
// of items a second, but none waits longer than flushPeriod; onto a terminal batch by batch. Its methods
// may be called from any goroutine.
type sink struct {
	// set at construction

	out     func([]byte) error
	cancel  context.CancelCauseFunc // called when a write fails while nobody calls
	buffers bool

	// guarded by mu

	mu    sync.Mutex
	buf   []byte
	timer *time.Timer // runs if something waits; nil before the first
	err   error       // of the first write that failed
}

func newSink(out func([]byte) error, cancel context.CancelCauseFunc, buffers bool) *sink {
	return &sink{out: out, cancel: cancel, buffers: buffers}
}

// write has a function append to what is written. The error is the function's, or that of a write now
// or before. It blocks while the reader of a pipe does not read.
func (s *sink) write(fill func([]byte) ([]byte, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	waiting := len(s.buf) > 0
	buf, err := fill(s.buf)
	s.buf = buf
	if !s.buffers || err != nil || len(s.buf) >= flushSize {
		s.flush()
	} else if !waiting && len(s.buf) > 0 {
		s.arm()
	}
	if err != nil {
		return err
	}
	return s.err
}

// arm has what waits written soon. The caller holds mu.
func (s *sink) arm() {
	if s.timer == nil {
		s.timer = time.AfterFunc(flushPeriod, s.late)
		return
	}
	s.timer.Reset(flushPeriod)
}

// late writes what has waited.
func (s *sink) late() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flush(); s.err != nil {
		s.cancel(s.err)
	}
}

// flush writes what waits. The caller holds mu.
func (s *sink) flush() {
	if len(s.buf) == 0 || s.err != nil {
		return
	}
	s.err = s.out(s.buf)
	s.buf = s.buf[:0]
	if cap(s.buf) > 16*flushSize { // of a batch that was unusually large
		s.buf = nil
	}
}

// close writes what is left and returns the error of the first write that failed. Nothing may be
// written afterwards.
func (s *sink) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
	}
	s.flush()
	return s.err
}
