package collectortest

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap/zapcore"
)

// journal is what a collector has logged.
type journal struct {
	mu      sync.Mutex
	entries []entry       // guarded by mu
	changed chan struct{} // guarded by mu; closed, and replaced, with each entry
}

// entry is one entry of the log, with its fields.
type entry struct {
	zapcore.Entry
	fields map[string]any
}

func (j *journal) add(e entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, e)
	close(j.changed)
	j.changed = make(chan struct{})
}

// find returns the n-th entry with a message, if it is there, and what tells of the next entry.
func (j *journal) find(message string, n int) (entry, bool, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.entries {
		if e.Message == message {
			if n--; n == 0 {
				return e, true, nil
			}
		}
	}
	return entry{}, false, j.changed
}

func (j *journal) await(message string, n int, over <-chan struct{}, late <-chan time.Time) (entry, error) {
	for {
		e, ok, changed := j.find(message, n)
		if ok {
			return e, nil
		}
		select {
		case <-changed:
		case <-over:
			return entry{}, fmt.Errorf("the collector has ended, and never logged %q %d times", message, n)
		case <-late:
			return entry{}, fmt.Errorf("the collector has not logged %q %d times", message, n)
		}
	}
}

// String is the log.
func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var b strings.Builder
	for _, e := range j.entries {
		fmt.Fprintf(&b, "%s %s %v\n", e.Level, e.Message, e.fields)
	}
	return b.String()
}
