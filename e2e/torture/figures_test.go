//go:build linux

package torture

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// figures is what the runs have found out.
type figures struct {
	// set at construction
	began time.Time
	long  bool

	mu   sync.Mutex
	rows []figure // guarded by mu
}

// figure is a row of the table: one case.
type figure struct {
	part, name  string
	began       time.Time
	took        time.Duration
	tries       int64
	opened      int // taps
	survived    bool
	throughput  float64 // of the pipeline, as a share of what it is without; 0: not measured
	cores       float64 // that the collector kept busy with it
	connections int
	memory      int64  // the most that was held beyond what was held before, in bytes
	bound       int64  // what might have been, at that time
	unread      uint64 // items that passed the healthy clients unread, because of max_overhead
}

// rounds is how often each attack is measured.
func (f *figures) rounds() int {
	if f.long {
		return 3
	}
	return 1
}

// window is how long each measurement takes.
func (f *figures) window() time.Duration {
	if f.long {
		return 700 * time.Millisecond
	}
	return 150 * time.Millisecond
}

func (f *figures) add(row figure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	row.took = time.Since(row.began)
	f.rows = append(f.rows, row)
}

const (
	tableBegin = "<!-- generated: torture -->"
	tableEnd   = "<!-- end of generated: torture -->"
)

// write puts the table into a file, between its markers. That of a run that failed says so, because a
// case that ends at its first failed check never adds its row.
func (f *figures) write(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(text), tableBegin)
	require.True(t, found, "%s has no line %s", file, tableBegin)
	_, after, found := strings.Cut(rest, tableEnd)
	require.True(t, found, "%s has no line %s", file, tableEnd)
	text = []byte(before + tableBegin + "\n" + f.table(t.Failed()) + tableEnd + after)
	require.NoError(t, os.WriteFile(file, text, 0o600))
}

// table is the figures in Markdown.
func (f *figures) table(failed bool) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	survived := 0
	for _, row := range f.rows {
		if row.survived {
			survived++
		}
	}
	fmt.Fprintf(&b, "%d cases tried, %d survived, in %s on %d processors with %s.\n\n", len(f.rows), survived,
		time.Since(f.began).Round(time.Second), runtime.NumCPU(), runtime.Version())
	if failed {
		b.WriteString("**The run failed.** Cases that failed may be missing from this table and from the numbers above: its log names them.\n\n")
	}
	b.WriteString("| case | tries | survived | pipeline's throughput | cores | connections | memory, MiB | bound, MiB | time |\n")
	b.WriteString("|---|--:|---|--:|--:|--:|--:|--:|--:|\n")
	part := ""
	for _, row := range f.rows {
		if row.part != part {
			part = row.part
			fmt.Fprintf(&b, "| **%s** | | | | | | | | |\n", part)
		}
		b.WriteString(row.line())
	}
	return b.String()
}

func (r *figure) line() string {
	result := "**no**"
	if r.survived {
		result = "yes"
	}
	measured := "| | | | | |"
	switch {
	case r.throughput > 0:
		measured = fmt.Sprintf("| %.2f | %.2f | %d | %.1f | %.1f |", r.throughput, r.cores, r.connections, mebibytes(r.memory), mebibytes(r.bound))
	case r.bound > 0:
		measured = fmt.Sprintf("| | | | %.1f | %.1f |", mebibytes(r.memory), mebibytes(r.bound))
	}
	return fmt.Sprintf("| %s | %d | %s %s %s |\n", r.name, r.tries, result, measured, r.took.Round(100*time.Millisecond))
}
