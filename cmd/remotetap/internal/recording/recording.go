// Package recording reads files of telemetry: lines of OTLP JSON, as remotetap record and the
// collector's file exporter write them, plain or compressed, with the same selection as live taps.
package recording

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/internal/selection"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// maxNamed is how many broken documents an error names; the others it counts.
const maxNamed = 10

// Recording is some files and what is selected from them.
type Recording struct {
	// set at construction

	files   []string
	matcher *selection.Matcher
	size    int64 // of all files on the disk; 0 if one does not tell

	// atomic

	read atomic.Int64 // of size

	// owned by the caller of Each

	totals tapclient.Totals
	broken Broken
	why    *selection.Recorder // why nothing has matched; nil once something has
}

// New prepares to read files, one after the other; "-" is the standard input. It reads nothing yet. The
// error is a *FileError about a file that is not there, or about a selection that files cannot have.
func New(files []string, sel selection.Selection) (*Recording, error) {
	switch {
	case sel.Delivery.Rate > 0:
		return nil, app.Usage("rate trims what is live; a file is read whole: leave it out, or choose a share with sample=0.1")
	case sel.Delivery.Duration > 0:
		return nil, app.Usage("duration ends a live tap; a file ends by itself: leave it out, or end it with count=100")
	}
	matcher, err := selection.Compile(sel)
	if err != nil {
		return nil, err
	}
	r := &Recording{files: files, matcher: matcher, why: selection.NewRecorder(matcher)}
	known := true
	for _, file := range files {
		size, err := check(file)
		if err != nil {
			return nil, &FileError{err}
		}
		known = known && size > 0
		r.size += size
	}
	if !known {
		r.size = 0
	}
	return r, nil
}

// FileError is the error about a file that cannot be read at all, before any was.
type FileError struct{ Err error }

// Error says what is wrong.
func (e *FileError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e *FileError) Unwrap() error { return e.Err }

// Totals is the account of what was read so far, for who called Each.
func (r *Recording) Totals() tapclient.Totals { return r.totals }

// Hints says why nothing has matched, as selection.Recorder does; none if something has. It is for who
// called Each.
func (r *Recording) Hints() []string {
	if r.why == nil {
		return nil
	}
	return r.why.Hints()
}

// Progress is how many bytes of the files were read, and how many there are; 0 if nobody knows. It may
// be called from any goroutine.
func (r *Recording) Progress() (read, size int64) { return r.read.Load(), r.size }

// Each reads the files as app.Watch watches collectors: it calls a function with what is selected from
// each document, in the files' order, until they end, the selection's count is reached, ctx is done
// (which is no error), or the function fails; app.ErrEnough from it is no error either. It blocks
// meanwhile, and is called once. Documents that cannot be read are passed over, counted, and make a
// *Broken at the end.
func (r *Recording) Each(ctx context.Context, each func(*app.Batch) error) error {
	p := &picker{recording: r, matcher: r.matcher, signals: signals(), left: r.matcher.Selection().Delivery.Count, each: each}
	for _, file := range r.files {
		err := r.file(ctx, file, p)
		switch {
		case errors.Is(err, app.ErrEnough), ctx.Err() != nil:
			return r.broken.orNil()
		case err != nil:
			return err
		}
	}
	return r.broken.orNil()
}

// file reads one file. What is wrong with its content is no error.
func (r *Recording) file(ctx context.Context, path string, p *picker) error {
	content, closer, err := open(ctx, path, &r.read)
	if closer != nil {
		defer closer.Close()
	}
	p.file = path
	if path == Stdin {
		p.file = "stdin"
	}
	if err != nil {
		r.stopped(ctx, p.file, 1, err)
		return nil
	}
	docs := &documents{from: bufio.NewReaderSize(content, 16<<10)}
	cut := false
	for ctx.Err() == nil {
		doc, err := docs.next()
		var broken *fault
		switch {
		case errors.Is(err, io.EOF), cut && errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &broken):
			cut = broken.problem == cutOff
			r.broken.add(p.file, broken.line, broken)
		case err != nil:
			r.stopped(ctx, p.file, docs.number, err)
			return nil
		default:
			if err := p.document(&doc); err != nil {
				return err
			}
		}
	}
	return nil
}

// stopped is for a file that cannot be read any further.
func (r *Recording) stopped(ctx context.Context, file string, line int, err error) {
	switch {
	case ctx.Err() != nil:
	case errors.Is(err, io.ErrUnexpectedEOF):
		r.broken.add(file, line, errors.New("the compressed data "+strings.TrimPrefix(cutOff, "it ")))
	default:
		r.broken.add(file, line, fmt.Errorf("nothing behind this can be read: %w", err))
	}
}

// Broken is the error about what could not be read.
type Broken struct {
	// Documents is how many were passed over.
	Documents uint64

	named []string
}

func (b *Broken) add(file string, line int, err error) {
	b.Documents++
	if len(b.named) < maxNamed {
		b.named = append(b.named, fmt.Sprintf("%s:%d: %v", file, line, err))
	}
}

func (b *Broken) orNil() error {
	if b.Documents == 0 {
		return nil
	}
	return b
}

// Error names the first documents, and counts the others.
func (b *Broken) Error() string {
	text := strings.Join(b.named, "\n")
	if more := b.Documents - uint64(len(b.named)); more > 0 {
		text += fmt.Sprintf("\n... and %s more", app.Number(more))
	}
	if b.Documents == 1 {
		return text + "\n1 document could not be read"
	}
	return text + fmt.Sprintf("\n%s documents could not be read", app.Number(b.Documents))
}
