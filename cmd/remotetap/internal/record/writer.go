package record

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/recording"
)

// writer writes lines to a file, or to one after the other.
type writer struct {
	// set at construction

	name   string
	limits limits
	stdout func([]byte) error // for "-"

	current *sink     // nil before open
	begun   time.Time // when current was created
	flushed time.Time
	items   uint64 // in current

	names   []string // of this run's files that are there, the newest last
	number  int      // of current
	removed int
	before  int64 // bytes in the files before current
}

// newWriter checks whether the first file can be written; open creates it. stdout is where "-" goes.
func newWriter(name string, l limits, stdout func([]byte) error) (*writer, error) {
	w := &writer{name: name, limits: l, stdout: stdout}
	switch {
	case w.rotates() && name == recording.Stdin:
		return nil, app.Usage("--rotate needs a file: the standard output is one stream")
	case w.rotates() && !l.force:
		w.number = w.newest()
	case !w.rotates() && name != recording.Stdin:
		_, err := flagsOf(name, l.force)
		return w, err
	}
	return w, nil
}

// open creates the first file, if that has not been done.
func (w *writer) open() error {
	if w.current != nil {
		return nil
	}
	return w.begin()
}

func (w *writer) rotates() bool { return w.limits.rotateSize > 0 || w.limits.rotateEvery > 0 }

// split divides a name before its ending: shop.jsonl.zst is shop and .jsonl.zst.
func split(name string) (stem, ending string) {
	stem = strings.TrimSuffix(name, name[len(name)-len(compressionOf(name)):])
	stem = strings.TrimSuffix(stem, filepath.Ext(stem))
	return stem, name[len(stem):]
}

// fileName is the name of a file by its number.
func (w *writer) fileName(number int) string {
	stem, ending := split(w.name)
	return fmt.Sprintf("%s-%04d%s", stem, number, ending)
}

// newest is the highest number of the files that are there from another run; 0 if there are none.
func (w *writer) newest() int {
	stem, ending := split(w.name)
	entries, err := os.ReadDir(filepath.Dir(stem))
	if err != nil {
		return 0 // creating the file says what is wrong
	}
	highest := 0
	for _, entry := range entries {
		digits, isOne := strings.CutPrefix(entry.Name(), filepath.Base(stem)+"-")
		digits, hasEnding := strings.CutSuffix(digits, ending)
		if number, err := strconv.Atoi(digits); err == nil && isOne && hasEnding {
			highest = max(highest, number)
		}
	}
	return highest
}

// begin creates the next file.
func (w *writer) begin() error {
	if w.name == recording.Stdin {
		w.current = &sink{name: "stdout", out: printer(w.stdout)}
		return nil
	}
	name := w.name
	if w.rotates() {
		w.number++
		name = w.fileName(w.number)
	}
	s, err := create(name, w.limits.force)
	if err != nil {
		return err
	}
	w.current, w.items, w.begun = s, 0, time.Now()
	w.names = append(w.names, name)
	for w.limits.keep > 0 && len(w.names) > w.limits.keep {
		if err := os.Remove(w.names[0]); err != nil {
			return err
		}
		w.names = w.names[1:]
		w.removed++
	}
	return nil
}

// printer is a Writer of a function.
type printer func([]byte) error

// Write prints.
func (p printer) Write(data []byte) (int, error) {
	if err := p(data); err != nil {
		return 0, err
	}
	return len(data), nil
}

// size is how many bytes were written to all files of this run, those that were removed included.
func (w *writer) size() int64 { return w.before + w.current.size }

// write writes a line, after open, in another file if it is time for that. full says that --max-size leaves no
// room for it.
func (w *writer) write(line []byte, items int) (full bool, err error) {
	if w.limits.maxSize > 0 && w.size()+w.adds(line) > w.limits.maxSize {
		return true, nil
	}
	tooLarge := w.limits.rotateSize > 0 && w.current.size+w.adds(line) > w.limits.rotateSize
	if w.items > 0 && (tooLarge || w.isLate()) {
		if err := w.rotate(); err != nil {
			return false, err
		}
	}
	if err := w.current.write(line); err != nil {
		return false, err
	}
	w.items += uint64(items)
	return false, nil
}

// adds is by how much a line makes the file larger. What it makes when it is compressed nobody knows
// before, so such files may become larger than asked for: by what flushEvery bytes of lines make.
func (w *writer) adds(line []byte) int64 {
	if w.current.encoder != nil {
		return 1
	}
	return int64(len(line))
}

func (w *writer) isLate() bool {
	return w.limits.rotateEvery > 0 && time.Since(w.begun) >= w.limits.rotateEvery
}

func (w *writer) rotate() error {
	if err := w.current.close(); err != nil {
		return err
	}
	w.before += w.current.size
	return w.begin()
}

// tick is for once a second or so, after open: it flushes, and begins another file when it is time.
func (w *writer) tick() error {
	if w.items > 0 && w.isLate() {
		return w.rotate()
	}
	if time.Since(w.flushed) < time.Second {
		return nil
	}
	w.flushed = time.Now()
	return w.current.flush()
}

// close completes the last file.
func (w *writer) close() error {
	if w.current == nil {
		return nil
	}
	return w.current.close()
}

// String names the files.
func (w *writer) String() string {
	switch {
	case len(w.names) == 0:
		return w.current.name
	case w.removed > 0:
		return fmt.Sprintf("%s to %s (%d before were removed: --keep)", w.names[0], w.names[len(w.names)-1], w.removed)
	case len(w.names) > 1:
		return fmt.Sprintf("%s to %s", w.names[0], w.names[len(w.names)-1])
	default:
		return w.names[0]
	}
}
