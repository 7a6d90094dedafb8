//go:build linux

package torture

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// order is what the test tells one of its processes, as a line of JSON on its standard input.
type order struct {
	Do string

	// To the collector.
	Config   string // of start and reload
	Load     bool   // of flow
	Canaries bool   // of flow
	Next     string // of become: pass, fail, panic, block
	Agent    string // of accounts: the User-Agent of the taps
	Ballast  int    // of ballast: MiB

	// To the attackers.
	Attack        string
	Plain, Secure string // where the tap points listen
	Resets        bool   // they leave by resetting their connections
}

// report is the answer, as a line of JSON on its standard output.
type report struct {
	Failed string        `json:",omitempty"` // the order could not be obeyed
	Took   time.Duration // to obey

	// Of the attackers.
	Tries int64

	// Of the collector, from here on.
	Addresses map[string]string // where remote_tap listens, by IP address

	// The pipeline, since the process began.
	Calls, Canary, Sent, Arrived, Failures, Panics, Mistaken int64
	Offered                                                  int64 // spans, taken or not
	Blocked                                                  int64 // calls, now
	Flows                                                    bool  // the source sends, or may

	// The clocks.
	At     time.Duration // since the process began
	Waited time.Duration // the load's thread was ready, and others had the processors
	Ran    time.Duration // the load's thread had a processor
	CPU    time.Duration // all threads had processors

	// What the process holds. Live is what a garbage collection left of the heap, and the stacks.
	Live       int64
	Goroutines int
	Files      int

	// What the log says.
	Opened     int
	Ended      map[string]int // taps, by reason
	Items      items          // of all taps that have ended
	Dishonest  []string       // accounts that do not add up
	Complaints []string       // warnings and errors
	Accounts   []account      // the final ones of the taps that were asked for

	Leaks string // goroutines that were not there at the baseline
}

// obeyAll is the main loop of a process: it obeys orders until there are no more, and returns the
// exit status.
func obeyAll(orders io.Reader, reports io.Writer, obey func(order, *report) error) int {
	debug.SetTraceback("all") // for whoever ends it because it hangs
	decoder, encoder := json.NewDecoder(orders), json.NewEncoder(reports)
	for {
		var o order
		if err := decoder.Decode(&o); err != nil {
			if errors.Is(err, io.EOF) {
				return 0
			}
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		begin := time.Now()
		r := &report{}
		if err := obey(o, r); err != nil {
			r.Failed = err.Error()
		}
		r.Took = time.Since(begin)
		if err := encoder.Encode(r); err != nil {
			return 1
		}
	}
}

// worker is such a process, as the test sees it.
type worker struct {
	t       *testing.T
	role    string
	command *exec.Cmd
	orders  io.WriteCloser
	reports *bufio.Reader
	errors  *bytes.Buffer // what the process says on its standard error; readable when it has ended

	mu sync.Mutex // one order at a time
}

// startWorker starts a process. It ends with the test.
func startWorker(t *testing.T, role string) *worker {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	w := &worker{t: t, role: role, command: exec.Command(program), errors: &bytes.Buffer{}}
	w.command.Env = append(os.Environ(), roleVariable+"="+role)
	w.command.Stderr = w.errors
	w.orders, err = w.command.StdinPipe()
	require.NoError(t, err)
	output, err := w.command.StdoutPipe()
	require.NoError(t, err)
	w.reports = bufio.NewReader(output)
	require.NoError(t, w.command.Start())
	t.Cleanup(w.end)
	return w
}

// end ends the process and waits for it.
func (w *worker) end() {
	_ = w.orders.Close()
	late := time.AfterFunc(patience, w.explain)
	defer late.Stop()
	if err := w.command.Wait(); err != nil {
		w.t.Errorf("the process of the %s: %v", w.role, err)
	}
	if w.t.Failed() && w.errors.Len() > 0 {
		w.t.Logf("the process of the %s says:\n%.100000s", w.role, w.errors)
	}
}

// explain makes a process that hangs say where, and end.
func (w *worker) explain() { _ = w.command.Process.Signal(syscall.SIGQUIT) }

// do gives an order and returns the report.
func (w *worker) do(t testing.TB, o order) report {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	late := time.AfterFunc(2*patience, w.explain)
	defer late.Stop()
	line, err := json.Marshal(o)
	require.NoError(t, err)
	_, err = w.orders.Write(append(line, '\n'))
	require.NoError(t, err, "the process of the %s has ended", w.role)
	answer, err := w.reports.ReadBytes('\n')
	require.NoError(t, err, "the process of the %s has ended, or hangs", w.role)
	var r report
	require.NoError(t, json.Unmarshal(answer, &r), "%s", answer)
	require.Empty(t, r.Failed, "%s", o.Do)
	return r
}
