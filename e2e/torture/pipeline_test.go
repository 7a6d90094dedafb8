//go:build linux

package torture

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/remotetap/remotetapprocessor/tapclient"
)

// limiterMiB is how much memory a collector with memory_limiter may use, far more than it needs
// itself; the test's ballast is what takes it.
const limiterMiB = 256

// brokenPipelines is what can go wrong in the collector around the tap, one thing after the other.
func brokenPipelines(t *testing.T, f *figures) {
	t.Helper()
	for _, fault := range []struct {
		name string
		run  func(*subject, *figure)
	}{
		{"the next consumer fails", func(s *subject, row *figure) { s.outlivesNext(row, "fail") }},
		{"the next consumer panics", func(s *subject, row *figure) { s.outlivesNext(row, "panic") }},
		{"the next consumer blocks", (*subject).outlivesABlockedNext},
		{"memory_limiter in front of the tap refuses", func(s *subject, row *figure) { s.outlivesLimiter(row, "memory_limiter", "remote_tap") }},
		{"memory_limiter behind the tap refuses", func(s *subject, row *figure) { s.outlivesLimiter(row, "remote_tap", "memory_limiter") }},
		{"the collector reloads under load", (*subject).outlivesReloads},
	} {
		t.Run(fault.name, func(t *testing.T) {
			row := figure{part: "faults", name: "pipeline: " + fault.name, began: time.Now()}
			s := startWith(t, pipeline{}.yaml())
			fault.run(s, &row)
			s.stop()
			row.survived = !t.Failed()
			f.add(row)
		})
	}
}

// watchAll opens a tap on each transport.
func (s *subject) watchAll(row *figure, address, query string) []*viewer {
	s.t.Helper()
	var viewers []*viewer
	for _, kind := range transportNames() {
		viewers = append(viewers, view(s.t, visit{
			kind: kind, address: address, agent: fmt.Sprintf("%s%s %d", viewerPrefix, kind, row.tries), query: "stats=100ms" + query,
		}))
		row.tries++
	}
	return viewers
}

// awaitMore waits until each viewer has got more telemetry, and an account of it.
func (s *subject) awaitMore(viewers []*viewer) {
	s.t.Helper()
	for _, w := range viewers {
		before := w.look()
		w.await(s.t, "more", func(b book) bool {
			return b.got > before.got && b.accounts > before.accounts+1 && b.last.Sent > before.got
		})
	}
}

// awaitAll waits until the flow has come to a stop and each viewer has seen all of it: its account says
// so, by which nothing waits.
func (s *subject) awaitAll(viewers []*viewer, seen uint64) {
	s.t.Helper()
	for _, w := range viewers {
		b := w.await(s.t, "all that passed", func(b book) bool { return b.last != nil && b.last.Seen >= seen && b.last.Pending == 0 })
		require.Equal(s.t, seen, b.last.Seen, b)
		require.Empty(s.t, b.wrong, w.visit.agent)
	}
}

// leaveAll has all viewers leave, and compares their books with the collector's.
func (s *subject) leaveAll(viewers []*viewer) {
	s.t.Helper()
	for _, w := range viewers {
		w.leave()
		b, final := w.look(), s.awaitAccount(w)
		require.Empty(s.t, b.wrong, w.visit.agent)
		require.Equal(s.t, "client_closed", final.Reason, w.visit.agent)
		require.True(s.t, final.Ledger.addsUp(), "%+v", final)
		require.LessOrEqual(s.t, b.got, final.Ledger.Sent+b.largest, w.visit.agent)
	}
}

// outlivesNext has the exporter fail, or panic, at everything for a while.
func (s *subject) outlivesNext(row *figure, how string) {
	s.t.Helper()
	viewers := s.watchAll(row, s.address, "")
	s.flow(true, true)
	s.awaitMore(viewers)
	before := s.do(order{Do: "become", Next: how})
	s.awaitMore(viewers)
	s.await("some calls that "+how, func(r report) bool { return r.Failures+r.Panics >= before.Failures+before.Panics+100 })
	s.do(order{Do: "become", Next: "pass"})
	s.awaitMore(viewers)
	s.flow(false, false)
	r := s.awaitStill()
	require.Zero(s.t, r.Mistaken, "calls that ended otherwise than the exporter's")
	if how == "panic" {
		require.Zero(s.t, r.Failures, "calls that ended with an error")
	} else {
		require.Zero(s.t, r.Panics, "calls that panicked")
	}
	s.awaitAll(viewers, uint64(r.Offered))
	s.leaveAll(viewers)
}

// awaitStill waits until the source, which has been told to stop, does nothing any more.
func (s *subject) awaitStill() report {
	s.t.Helper()
	return s.await("the end of the flow", func(r report) bool { return !r.Flows })
}

// outlivesABlockedNext has the exporter block for ever, or so it seems.
func (s *subject) outlivesABlockedNext(row *figure) {
	s.t.Helper()
	viewers := s.watchAll(row, s.address, "")
	s.flow(true, true)
	s.awaitMore(viewers)
	s.do(order{Do: "become", Next: "block"})
	blocked := s.await("both flows to be blocked", func(r report) bool { return r.Blocked == 2 })
	// What stands before the exporter has passed the tap.
	s.awaitAll(viewers, uint64(blocked.Offered))
	late := s.watchAll(row, s.address, "") // who comes now is let in, and sees nothing yet
	for _, w := range late {
		b := w.await(s.t, "two accounts", func(b book) bool { return b.accounts >= 2 })
		require.Zero(s.t, b.last.Seen, b)
	}
	s.leaveAll(late[:3])
	s.do(order{Do: "become", Next: "pass"})
	s.awaitMore(append(viewers, late[3:]...))
	s.flow(false, false)
	r := s.awaitStill()
	s.awaitAll(viewers, uint64(r.Offered))
	s.leaveAll(append(viewers, late[3:]...))
	// A shutdown may come while it is blocked, too.
	s.watchAll(row, s.address, "")
	s.do(order{Do: "become", Next: "block"})
	s.flow(true, true)
	s.await("both flows to be blocked", func(r report) bool { return r.Blocked == 2 })
}

// outlivesLimiter has memory_limiter refuse everything for a while. Beside the tapped pipeline
// stands one without a tap, whose answers are the same.
func (s *subject) outlivesLimiter(row *figure, processors ...string) {
	s.t.Helper()
	s.reload(pipeline{processors: processors}.yaml())
	viewers := s.watchAll(row, s.address, "&service=app")
	tapped, plain := dialApplication(s.t, s.receiver), dialApplication(s.t, s.untapped)
	offered, refused := uint64(0), uint64(0)
	send := func() (answer error) {
		answer = tapped.send("app", applicationSpans)
		offered += applicationSpans
		if answer != nil {
			refused += applicationSpans
		}
		return answer
	}
	// Until it refuses on both sides, or takes on both.
	both := func(refuse bool) error {
		var answers [2]error
		s.await(fmt.Sprintf("memory_limiter to refuse: %t", refuse), func(report) bool {
			answers = [2]error{send(), plain.send("app", applicationSpans)}
			return (answers[0] != nil) == refuse && (answers[1] != nil) == refuse
		})
		require.Equal(s.t, status.Code(answers[1]), status.Code(answers[0]))
		require.Equal(s.t, status.Convert(answers[1]).Message(), status.Convert(answers[0]).Message())
		return answers[0]
	}
	require.NoError(s.t, both(false))
	s.do(order{Do: "ballast", Ballast: 2 * limiterMiB})
	answer := both(true)
	require.Equal(s.t, codes.Unavailable, status.Code(answer), answer)
	require.ErrorContains(s.t, answer, "memory")
	for range 10 {
		_ = send()
	}
	s.do(order{Do: "ballast"})
	require.NoError(s.t, both(false))
	require.GreaterOrEqual(s.t, refused, uint64(10*applicationSpans))
	seen := offered
	if processors[0] == "memory_limiter" {
		seen -= refused // that never came as far as the tap
	}
	s.awaitAll(viewers, seen)
	s.leaveAll(viewers)
}

// reload gives the collector a configuration and waits until it runs by that.
func (s *subject) reload(config string) {
	s.t.Helper()
	s.listensAt(s.do(order{Do: "reload", Config: config}))
}

// outlivesReloads reloads the collector again and again, while load passes on all ways. Who watches is
// told so, and has got all that was sent by then; the port is the same.
func (s *subject) outlivesReloads(row *figure) {
	s.t.Helper()
	config := pipeline{tap: s.address, otlp: s.receiver}.yaml()
	app := startApplication(s.t, s.receiver)
	stays := view(s.t, visit{kind: "gRPC", address: s.address, agent: viewerPrefix + "who stays", query: "stats=100ms&service=app"})
	row.tries++
	goroutines := 0
	for round := range 4 {
		address := s.address
		viewers := s.watchAll(row, s.address, "")
		s.flow(true, true)
		app.awaitMore(s.t)
		s.awaitMore(viewers)
		s.reload(config)
		require.Equal(s.t, address, s.address, "the port")
		for i, w := range viewers {
			s.isToldOfShutdown(w)
			viewers[i].leave()
		}
		stays.await(s.t, "its next connection", func(b book) bool {
			return b.connections == round+2 && len(b.missed) == round+1 && b.last != nil && b.last.Sent > 0
		})
		// Nothing of the old server is left: but for the first round's warm-up, the goroutines are as many.
		s.flow(false, false)
		s.awaitStill()
		if round == 0 {
			goroutines = s.awaitTaps(1).Goroutines
			continue
		}
		s.await(fmt.Sprintf("%d goroutines", goroutines), func(r report) bool { return r.Goroutines <= goroutines })
	}
	known := stays.look()
	require.Empty(s.t, known.wrong)
	for i, lost := range known.lost {
		var ended *tapclient.EndedError
		require.ErrorAs(s.t, lost.err, &ended)
		require.Equal(s.t, tapclient.EndShutdown, ended.Reason)
		require.Equal(s.t, lostItems(lost.final), known.missed[i].Items)
		require.Positive(s.t, known.missed[i].Duration())
	}
	require.Len(s.t, known.lost, 4)
	app.stop()
	stays.leave()
}

// awaitTaps waits until so many taps are open.
func (s *subject) awaitTaps(n int) report {
	s.t.Helper()
	return s.await(fmt.Sprintf("%d open taps", n), func(r report) bool {
		ended := 0
		for _, taps := range r.Ended {
			ended += taps
		}
		return r.Opened-ended == n
	})
}

// isToldOfShutdown checks that a viewer's tap was ended by the collector, in the transport's own way,
// and that all has arrived that was sent.
func (s *subject) isToldOfShutdown(w *viewer) {
	s.t.Helper()
	final := s.awaitAccount(w)
	require.Equal(s.t, "shutdown", final.Reason, w.visit.agent)
	require.True(s.t, final.Ledger.addsUp(), "%+v", final)
	var known book
	var got uint64 // on the connection that has ended
	if w.visit.kind == "gRPC" {
		known = w.await(s.t, "the end of its connection", func(b book) bool { return len(b.lost) > 0 })
		got = known.lost[0].final.Sent
		require.Equal(s.t, final.Ledger.Sent, known.lost[0].final.Sent, known)
	} else {
		known = w.await(s.t, "the end", func(b book) bool { return b.end != nil })
		got = known.got
	}
	require.Empty(s.t, known.wrong, w.visit.agent)
	require.LessOrEqual(s.t, got, final.Ledger.Sent+known.largest, w.visit.agent)
	if errors.Is(known.end, io.EOF) {
		require.Contains(s.t, []string{"shutdown", ""}, known.reason)
		require.Equal(s.t, final.Ledger.Sent, got, "%s: %s", w.visit.agent, known)
	}
}
