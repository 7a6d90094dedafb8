//go:build linux

package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// shortSoak and longSoak are how long clients come and go, and warmUp is how long they do before
	// anything is compared.
	shortSoak = 12 * time.Second
	longSoak  = 10 * time.Minute
	warmUp    = 3 * time.Second
	// perTransport is how many visitors of each transport there are at once.
	perTransport = 2
	// grownAtMost is by how many bytes the live heap may have grown at the end of the long soak: a
	// leak of 200 bytes for each tap is more. The short one does not wait a minute for what
	// is gone by then: 1 to 1.6 MiB were measured right after a short soak, none a minute later. Timers
	// of net/http's HTTP/2 may hold it.
	grownAtMost    = 1 << 20
	heldAtMost     = 8 << 20
	untilNothingIs = 3 * patience
)

// soak lets clients of every transport come and go for a long time at full rate. In the end nothing of
// it is left: no goroutine, no file descriptor, no memory; and all accounts have added up at all times.
func soak(t *testing.T, f *figures) {
	t.Helper()
	duration, bound := shortSoak, int64(heldAtMost)
	if f.long {
		duration, bound = longSoak, grownAtMost
	}
	row := figure{part: "soak", name: "clients of every transport come and go at full rate", began: time.Now(), bound: bound}
	s := startWith(t, pipeline{maxOverhead: 0.1}.yaml())
	s.soakFor(warmUp)
	before := s.quiet()
	s.do(order{Do: "baseline"})
	row.tries = s.soakFor(duration)
	s.awaitDoing(order{Do: "leaks"}, "the end of all goroutines", func(r report) bool { return r.Leaks == "" })
	after := s.awaitBackTo(before, bound)
	row.memory = max(after.Live-before.Live, 0)
	r := s.stop()
	require.Zero(t, r.Mistaken)
	require.Empty(t, r.Complaints)
	row.survived = true
	f.add(row)
	t.Logf("%d taps; %d batches; seen %+v; the heap was %d bytes and is %d, %d files, %d goroutines", row.tries, r.Calls, r.Items,
		before.Live, after.Live, after.Files, after.Goroutines)
}

// awaitBackTo waits until the collector holds no more than before.
func (s *subject) awaitBackTo(before report, bound int64) report {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), untilNothingIs)
	defer cancel()
	for {
		r := s.do(order{Do: "live"})
		if r.Live <= before.Live+bound && r.Files <= before.Files && r.Goroutines <= before.Goroutines {
			return r
		}
		require.True(s.t, pause(ctx, 10*glance), "%d bytes, %d files and %d goroutines have become %d, %d and %d",
			before.Live, before.Files, before.Goroutines, r.Live, r.Files, r.Goroutines)
	}
}

// quiet waits until no tap is open and nothing flows, and takes stock.
func (s *subject) quiet() report {
	s.t.Helper()
	s.awaitStill()
	s.awaitTaps(0)
	files := s.state().Files
	// What is done with is gone a moment later, and what was pooled after two collections.
	for calm := 0; calm < 3; {
		r := s.do(order{Do: "live"})
		if r.Files < files {
			files, calm = r.Files, 0
			continue
		}
		calm++
	}
	return s.do(order{Do: "live"})
}

// soakFor lets visitors come and go, and returns how many there were. All have left when it returns.
func (s *subject) soakFor(duration time.Duration) (visits int64) {
	s.t.Helper()
	app := startApplication(s.t, s.receiver)
	s.flow(true, true)
	ctx, cancel := context.WithTimeout(context.Background(), duration)
	defer cancel()
	var visitors sync.WaitGroup
	var count atomic.Int64
	problems := make(chan error, 100)
	for i, kind := range transportNames() {
		for j := range perTransport {
			from := net.IPv4(127, 3, byte(i), byte(1+j))
			visitors.Go(func() {
				for n := j; ctx.Err() == nil; n++ {
					if err := s.receives(kind, from, n); err != nil {
						problems <- fmt.Errorf("%s, visit %d: %w", kind, n, err)
						return
					}
					count.Add(1)
				}
			})
		}
	}
	visitors.Go(func() { s.oversees(ctx, problems) })
	visitors.Wait()
	s.flow(false, false)
	app.stop()
	_ = app.conn.Close()
	s.quiet()
	close(problems)
	for err := range problems {
		s.t.Error(err)
	}
	require.False(s.t, s.t.Failed())
	require.Positive(s.t, count.Load())
	return count.Load()
}

// manners are the ways in which visitors behave, in turn.
func manners() []manner {
	return []manner{
		{query: "&count=2000", ends: "count_reached"},
		{query: "&duration=300ms", ends: "duration_reached"},
		{query: "&service=app&count=200", ends: "count_reached"},
		{query: "", ends: "client_closed", leaves: true},
		{query: "&duration=500ms", ends: "duration_reached", slow: true},
		{query: "&service=canary&duration=300ms", ends: "duration_reached"},
		{query: "", ends: "client_closed", leaves: true, slow: true},
	}
}

// manner is how a visitor behaves.
type manner struct {
	query, ends  string
	slow, leaves bool
}

// receives is a visit, with the books compared at the end.
func (s *subject) receives(kind string, from net.IP, n int) error {
	m := manners()[n%len(manners())]
	v := visit{
		kind: kind, address: s.address, agent: fmt.Sprintf("%s%s %s %d", viewerPrefix, kind, from, n),
		query: "stats=100ms" + m.query, from: from, slow: m.slow,
	}
	w, err := enter(v)
	if err != nil {
		return err
	}
	defer w.leave()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	for w.busy(m) {
		if !pause(ctx, glance) {
			return fmt.Errorf("nothing more comes: %s", w.look())
		}
	}
	w.leave()
	final, err := s.final(ctx, v.agent)
	if err != nil {
		return err
	}
	return m.compare(kind, w.look(), final)
}

// busy tells whether a visitor has not yet seen enough, and his tap has not ended.
func (w *viewer) busy(m manner) bool {
	b := w.look()
	return b.end == nil && (!m.leaves || b.accounts < 2 || b.got == 0)
}

// final waits for the collector's account of a tap.
func (s *subject) final(ctx context.Context, agent string) (account, error) {
	for pause(ctx, glance) {
		r := s.do(order{Do: "accounts", Agent: agent})
		if n := len(r.Accounts); n > 0 {
			return r.Accounts[n-1], nil
		}
	}
	return account{}, errors.New("the tap does not end")
}

// compare compares a visitor's book with the collector's account of the tap.
func (m manner) compare(kind string, b book, final account) error {
	switch {
	case len(b.wrong) > 0 || b.accounts == 0:
		return fmt.Errorf("the accounts: %s", b)
	case !final.Ledger.addsUp():
		return fmt.Errorf("does not add up: %+v", final)
	case b.got > final.Ledger.Sent+b.largest:
		return fmt.Errorf("more has come than was sent, %+v: %s", final, b)
	case m.slow && final.Reason == "write_timeout": // too slow on a busy machine
		return nil
	case len(b.lost) > 0:
		return fmt.Errorf("a connection broke: %s", b)
	case final.Reason != m.ends:
		return fmt.Errorf("ended with %s instead of %s: %s", final.Reason, m.ends, b)
	case m.slow && b.reason == "": // a slow reader's socket has no room for the farewell in its one second
		return nil
	case m.leaves, m.slow && !errors.Is(b.end, io.EOF), kind == "gRPC" && m.ends == "duration_reached" && (b.last.Seen < final.Ledger.Seen || b.last.Pending > 0):
		return nil // did not stay to hear the end: tapclient waits for it for a second, the collector too
	case !errors.Is(b.end, io.EOF):
		return fmt.Errorf("no proper end: %s", b)
	case b.last.Pending > 0 || b.got != b.last.Sent || b.got != final.Ledger.Sent || b.last.Seen != final.Ledger.Seen:
		return fmt.Errorf("the account at the end is %+v: %s", final, b)
	}
	return nil
}

// oversees checks the accounts of all open taps from time to time.
func (s *subject) oversees(ctx context.Context, problems chan<- error) {
	for pause(ctx, 200*time.Millisecond) {
		o, err := s.points(context.WithoutCancel(ctx), "127.0.0.3")
		if err != nil {
			problems <- err
			return
		}
		for _, tap := range o.Taps {
			if !tap.Ledger.addsUp() {
				problems <- fmt.Errorf("%s: %+v", tap.UserAgent, tap.Ledger)
				return
			}
		}
	}
}
