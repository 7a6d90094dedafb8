package trace

import (
	"time"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
)

// ring is the batches that have passed last, in the form in which they came.
type ring struct {
	keep time.Duration
	most int // bytes
	held []held
	size int // bytes
}

// held is one batch, and when it came.
type held struct {
	at    time.Time
	batch *app.Batch
}

// add keeps a batch. What is too old, or too much, goes.
func (r *ring) add(batch *app.Batch, now time.Time) {
	r.held = append(r.held, held{at: now, batch: batch})
	r.size += len(batch.Proto)
	gone := 0
	for gone < len(r.held) && (r.size > r.most || now.Sub(r.held[gone].at) > r.keep) {
		r.size -= len(r.held[gone].batch.Proto)
		r.held[gone] = held{}
		gone++
	}
	r.held = r.held[gone:]
}
