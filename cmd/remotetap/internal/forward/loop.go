package forward

import (
	"bytes"
	"sync"
	"time"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// How a loop is recognised: of what is sent, an item is remembered every few seconds, and looked for in
// what comes. One that comes again and again goes in circles. A few times are no sign: an item may pass
// several tap points, and several collectors.
const (
	rememberEvery = 4 * time.Second
	remembered    = 8  // items: half a minute
	minItem       = 24 // bytes; shorter items are not unique
	maxReturns    = 10
)

// loop notices when what is sent comes back: the receiver leads to the tap. It may be used by two
// goroutines, one that sends and one that receives.
type loop struct {
	mu      sync.Mutex
	items   [remembered][]byte // encoded, as they are in batches
	returns [remembered]int
	next    int
	last    time.Time
}

// sent may remember an item of a batch.
func (l *loop) sent(signal otlp.Signal, proto []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.last.IsZero() && time.Since(l.last) < rememberEvery {
		return
	}
	item := firstItem(signal.Message(), proto)
	if len(item) < minItem {
		return
	}
	l.last = time.Now()
	l.items[l.next], l.returns[l.next] = bytes.Clone(item), 0
	l.next = (l.next + 1) % remembered
}

// received looks at a batch. It returns true when something has come back too often.
func (l *loop) received(proto []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, item := range l.items {
		if item == nil || !bytes.Contains(proto, item) {
			continue
		}
		if l.returns[i]++; l.returns[i] >= maxReturns {
			return true
		}
	}
	return false
}

// firstItem finds the first item of a message; nil if there is none.
func firstItem(m *otlp.Message, data []byte) []byte {
	for pos := 0; pos < len(data); {
		number, wire, next := otlp.Tag(data, pos)
		if next < 0 {
			return nil
		}
		pos = otlp.Skip(data, next, wire)
		if pos < 0 {
			return nil
		}
		f := m.FieldByNumber(number)
		if f == nil || f.Role == otlp.RoleValue || wire != otlp.WireLen {
			continue
		}
		start, end := otlp.Len(data, next)
		if f.Role == otlp.RoleItem {
			return data[start:end]
		}
		if found := firstItem(f.Message, data[start:end]); found != nil {
			return found
		}
	}
	return nil
}
