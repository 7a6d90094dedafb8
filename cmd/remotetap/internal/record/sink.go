package record

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/klauspost/compress/zstd"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
)

// flushEvery is after how many bytes of lines what is compressed goes to the disk, and so how far the
// size of a compressed file is known.
const flushEvery = 1 << 20

// encoder compresses.
type encoder interface {
	io.WriteCloser
	Flush() error
}

// sink is one file that is written, or the standard output.
type sink struct {
	name    string
	file    *os.File  // nil for the standard output
	out     io.Writer // of the file, counted
	size    int64     // bytes that out has taken
	encoder encoder   // nil for what is not compressed
	waiting int       // bytes that the encoder may still hold
}

// flagsOf is how a file has to be opened. The error says that it must not be written over.
func flagsOf(name string, force bool) (int, error) {
	switch info, err := os.Stat(name); {
	case errors.Is(err, fs.ErrNotExist):
		return os.O_WRONLY | os.O_CREATE | os.O_EXCL, nil
	case err != nil:
		return 0, err
	case info.IsDir():
		return 0, app.Usage("%s is a directory: name a file in it", name)
	case !info.Mode().IsRegular():
		return os.O_WRONLY, nil
	case force:
		return os.O_WRONLY | os.O_TRUNC, nil
	default:
		return 0, app.Usage("%s exists: name another file, or give --force to write over it", name)
	}
}

// create makes a file. It does not write over one that exists unless it is told to; what is no regular
// file, such as a pipe, is just written to.
func create(name string, force bool) (*sink, error) {
	flags, err := flagsOf(name, force)
	if err != nil {
		return nil, err
	}
	// Telemetry may hold what others must not read.
	file, err := os.OpenFile(name, flags, 0o600) //nolint:gosec // the user names it
	if err != nil {
		return nil, err
	}
	s := &sink{name: name, file: file, out: file}
	switch compressionOf(name) {
	case zstandard:
		s.encoder, err = zstd.NewWriter(&sized{s}, zstd.WithEncoderConcurrency(1))
	case gzipped:
		s.encoder = gzip.NewWriter(&sized{s})
	case none:
	}
	return s, err
}

// sized writes to a sink's file and counts.
type sized struct{ s *sink }

// Write writes, and counts.
func (w *sized) Write(data []byte) (int, error) {
	n, err := w.s.out.Write(data)
	w.s.size += int64(n)
	if err != nil {
		err = explain(w.s.name, err)
	}
	return n, err
}

// explain says in words what is wrong with a disk.
func explain(name string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%s: the disk is full: %w", name, err)
	}
	return err
}

// write writes a line whole.
func (s *sink) write(line []byte) error {
	if s.encoder == nil {
		_, err := (&sized{s}).Write(line)
		return err
	}
	_, err := s.encoder.Write(line)
	if s.waiting += len(line); err == nil && s.waiting >= flushEvery {
		err = s.flush()
	}
	return err
}

// flush puts everything into the file, so that what is there can be read if this program is killed.
func (s *sink) flush() error {
	if s.encoder == nil || s.waiting == 0 {
		return nil
	}
	s.waiting = 0
	return s.encoder.Flush()
}

// close completes the file, and waits until the disk has it.
func (s *sink) close() error {
	var errs []error
	if s.encoder != nil {
		errs = append(errs, s.encoder.Close())
	}
	if s.file != nil {
		if err := s.file.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) { // pipes have none
			errs = append(errs, explain(s.name, err))
		}
		errs = append(errs, s.file.Close())
	}
	return errors.Join(errs...)
}
