package recording

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"
)

// Stdin is the name that stands for the standard input.
const Stdin = "-"

// The limits of what a compressed file can make this program hold: a window of zstd, and one document
// of the file exporter's compressed form.
const (
	maxWindow = 128 << 20
	maxFrame  = maxDocument
)

// Endings are those of recordings' names, without what compression adds.
func Endings() []string { return []string{".json", ".jsonl", ".ndjson"} }

// IsFile reports whether an argument names a recording rather than an endpoint: "-", a file or named
// pipe that exists, or a name with the ending of one. What it names need not exist.
func IsFile(path string) bool {
	if path == Stdin {
		return true
	}
	if info, err := os.Stat(path); err == nil {
		return info.Mode().IsRegular() || info.Mode()&fs.ModeNamedPipe != 0
	}
	if strings.Contains(path, "://") {
		return false
	}
	name := strings.ToLower(path)
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".zst"), ".gz")
	for _, ending := range Endings() {
		if strings.HasSuffix(name, ending) {
			return true
		}
	}
	return false
}

// check says what is wrong with a file before any is read. The size is 0 if it has none.
func check(path string) (size int64, err error) {
	if path == Stdin {
		return 0, nil
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, fmt.Errorf("%s: there is no such file", path)
	case err != nil:
		return 0, err
	case info.IsDir():
		return 0, fmt.Errorf("%s is a directory: name the files in it", path)
	case info.Mode().IsRegular():
		return info.Size(), nil
	default:
		return 0, nil
	}
}

// open opens a recording. When ctx is done, reads from it fail. The bytes that are read from the disk
// are added to a counter.
func open(ctx context.Context, path string, read *atomic.Int64) (io.Reader, io.Closer, error) {
	if path == Stdin {
		in := interruptible(ctx, os.Stdin)
		content, err := decompress(in, read)
		return content, in, err
	}
	file, err := os.Open(path) //nolint:gosec // the user names it
	if err != nil {
		return nil, nil, err
	}
	closer := &interrupted{File: file}
	closer.stop = context.AfterFunc(ctx, func() { _ = file.Close() }) // only read: there is nothing to lose
	content, err := decompress(file, read)
	return content, closer, err
}

// interrupted is a file that is closed when a context is done.
type interrupted struct {
	*os.File
	stop func() bool
}

// Close closes it before.
func (i *interrupted) Close() error {
	i.stop()
	return i.File.Close()
}

// interruptible reads from what cannot be interrupted, such as a terminal. After ctx is done, the
// goroutine behind it ends with the next byte or with the program.
func interruptible(ctx context.Context, from io.Reader) *io.PipeReader {
	out, in := io.Pipe()
	context.AfterFunc(ctx, func() { in.CloseWithError(context.Cause(ctx)) })
	go func() {
		_, err := io.Copy(in, from)
		in.CloseWithError(err)
	}()
	return out
}

// counter counts what is read through it: what was used, not what is in the buffer for later.
type counter struct {
	from  *bufio.Reader
	count *atomic.Int64
}

// Read reads, and counts.
func (c *counter) Read(into []byte) (int, error) {
	n, err := c.from.Read(into)
	c.count.Add(int64(n))
	return n, err
}

// ReadByte reads, and counts: with it gzip takes no more than it needs.
func (c *counter) ReadByte() (byte, error) {
	b, err := c.from.ReadByte()
	if err == nil {
		c.count.Add(1)
	}
	return b, err
}

// decompress finds out by the first bytes how a file is compressed. An empty file is not.
func decompress(from io.Reader, read *atomic.Int64) (io.Reader, error) {
	buffered := bufio.NewReaderSize(from, 256<<10)
	start, err := buffered.Peek(8)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	content := &counter{from: buffered, count: read}
	zstandard := []byte{0x28, 0xb5, 0x2f, 0xfd} // RFC 8878, section 3.1.1
	switch {
	case bytes.HasPrefix(start, []byte{0x1f, 0x8b}): // RFC 1952, section 2.3.1
		return gzip.NewReader(content)
	case bytes.HasPrefix(start, zstandard):
		return zstd.NewReader(content, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	case len(start) == 8 && bytes.Equal(start[4:], zstandard):
		decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxFrame))
		return &frames{from: content, decoder: decoder}, err
	}
	return content, nil
}

// frames reads the form that the collector's file exporter gives to compressed JSON: before each
// document, which is compressed by itself, its length in four bytes, the highest first. They become lines.
type frames struct {
	from    io.Reader
	decoder *zstd.Decoder
	packed  []byte
	plain   []byte
	rest    []byte // of plain: what has not been read
}

// Read reads the documents as lines.
func (f *frames) Read(into []byte) (int, error) {
	for len(f.rest) == 0 {
		if err := f.next(); err != nil {
			return 0, err
		}
	}
	n := copy(into, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

func (f *frames) next() error {
	var head [4]byte
	if _, err := io.ReadFull(f.from, head[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxFrame {
		return fmt.Errorf("a document of %d bytes is announced: this is no recording, or it is damaged", size)
	}
	if uint32(cap(f.packed)) < size {
		f.packed = make([]byte, size)
	}
	f.packed = f.packed[:size]
	_, err := io.ReadFull(f.from, f.packed)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	f.plain, err = f.decoder.DecodeAll(f.packed, f.plain[:0])
	f.plain = append(f.plain, '\n')
	f.rest = f.plain
	return err
}
