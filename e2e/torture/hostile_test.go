//go:build linux

package torture

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// attack is one way to be hostile.
type attack struct {
	name    string
	clients int
	// run is what one client does, once; it is called again until time is up. It returns soon after
	// its attacker's context is done, which closes its connections.
	run func(*attacker)
	// taps: it opens taps, which may use up what max_overhead gives to all of them.
	taps bool
	// fails: it does not even get a tap.
	fails bool
	// crowd: it comes from so many addresses that nobody else gets in.
	crowd bool
}

// attacks are all of them.
func attacks() []attack {
	return slices.Concat(attacksOnConnections(), attacksOnHTTP1(), attacksWithTaps(), attacksOnWebSockets(),
		attacksOnHTTP2(), attacksOnGRPC(), attacksOnTLS())
}

const (
	// worst is the share of its throughput that the pipeline must keep: of the least that it had
	// without the attack, so that a machine with other work explains what it does to both. The share
	// of the median, on a quiet machine, is in the figures.
	worst = 0.5
	// manyRounds is how often an attack is measured at most, as long as it looks worse than that.
	manyRounds = 15
	// perConnection is what a connection may hold, in bytes, besides what waits for a tap.
	perConnection = 256 << 10
	// slack is what the collector's memory differs by of itself.
	slack = 8 << 20
)

// hostileClients lets attackers loose on collectors, one attack after the other, beside healthy
// clients that watch throughout.
func hostileClients(t *testing.T, f *figures) {
	t.Helper()
	for _, beside := range []struct {
		name        string
		taps        bool
		maxOverhead float64
	}{
		// Those that open no tap must cost the others nothing, so nothing may be skipped either: with a
		// small max_overhead, a machine that is busy enough would do that of itself.
		{"without taps", false, 64},
		{"with taps", true, 0.1},
	} {
		t.Run(beside.name, func(t *testing.T) {
			s := startSubject(t, configuration{maxOverhead: beside.maxOverhead})
			var watching []*healthy
			attackers := startWorker(t, "attackers")
			for kind := range healthyKinds() {
				watching = append(watching, watch(t, kind, s.address, "healthy "+kind))
			}
			s.flow(true, true)
			for _, a := range attacks() {
				if a.taps == beside.taps {
					t.Run(a.name, func(t *testing.T) { s.survives(t, a, attackers, watching, f) })
				}
			}
			s.flow(false, false)
			for _, h := range watching {
				h.leave()
			}
			s.stop()
		})
	}
}

// survives measures the collector with and without an attack, turn by turn, and checks that it
// keeps its promises.
func (s *subject) survives(t *testing.T, a attack, attackers *worker, watching []*healthy, f *figures) {
	t.Helper()
	outer := s.t
	s.t = t
	defer func() { s.t = outer }()
	before := s.do(order{Do: "live"})
	s.do(order{Do: "baseline"})
	row := figure{part: "hostile clients", name: a.name, began: time.Now()}
	var calm, attacked []float64
	explained := func() bool { return median(attacked) > worst*slices.Min(calm) }
	for round := 0; round < f.rounds() || round < manyRounds && !explained(); round++ {
		without := s.measure(f.window())
		with := s.underAttack(a, attackers, f, &row, before)
		s.awaitCalm(before)
		calm, attacked = append(calm, without.speed()), append(attacked, with.speed())
		row.opened += with.to.Opened - without.to.Opened
		row.cores = max(row.cores, with.cores()-without.cores())
	}
	row.throughput = median(attacked) / median(calm)
	s.checkEverybody(watching, &row)
	assert.Positive(t, row.tries, "the attack never took place")
	assert.True(t, explained(), "the pipeline's batches per second, with the attack: %.0f; without: %.0f; no busy machine explains this", attacked, calm)
	if a.taps && !a.fails {
		assert.Positive(t, row.opened, "the attack has not had a tap")
	}
	row.survived = !t.Failed()
	f.add(row)
	t.Logf("%d tries, %d taps; throughput %.3f of none; %.2f cores; %.1f MiB of %.1f; %d unread; in %s", row.tries, row.opened, row.throughput, row.cores,
		mebibytes(row.memory), mebibytes(row.bound), row.unread, time.Since(row.began).Round(time.Millisecond))
}

// underAttack measures the collector while it is attacked.
func (s *subject) underAttack(a attack, attackers *worker, f *figures, row *figure, before report) measurement {
	s.t.Helper()
	attackers.do(s.t, order{Do: "attack", Attack: a.name, Plain: s.address, Secure: s.tlsServer})
	defer func() { row.tries += attackers.do(s.t, order{Do: "stop"}).Tries }()
	m := s.measure(f.window())
	held := s.do(order{Do: "live"})
	connections := max(held.Files-before.Files, 0)
	bound := int64(tapLimit*queueMiB<<20) + int64(connections)*perConnection + slack
	grown := max(held.Live-before.Live, 0)
	assert.Less(s.t, grown, bound, "memory, with %d connections", connections)
	if grown >= row.memory {
		row.memory, row.bound = grown, bound
	}
	row.connections = max(row.connections, connections)
	if !a.crowd {
		// Somebody else, from elsewhere, gets in meanwhile.
		asking, stop := context.WithTimeout(context.Background(), patience)
		defer stop()
		_, err := s.points(asking, "127.0.0.3")
		assert.NoError(s.t, err, "somebody who comes from another address")
	}
	return m
}

// awaitCalm waits until nothing of an attack is left in the collector: no connection, no goroutine.
func (s *subject) awaitCalm(before report) {
	s.t.Helper()
	s.await("the end of all connections of the attack", func(r report) bool { return r.Files <= before.Files })
	s.awaitDoing(order{Do: "leaks"}, "the end of all goroutines of the attack", func(r report) bool { return r.Leaks == "" })
}

// checkEverybody stops the canaries for a moment, and checks all accounts.
func (s *subject) checkEverybody(watching []*healthy, row *figure) {
	s.t.Helper()
	s.flow(true, false)
	for _, h := range watching {
		row.unread += s.requireUnharmed(h)
	}
	r := s.state()
	s.requireHonest(r)
	require.Zero(s.t, r.Mistaken)
	for _, complaint := range r.Complaints {
		require.Contains(s.t, complaint, "closes new connections", "the log has more than that")
	}
	s.flow(true, true)
}

// measurement is what the collector did in a while.
type measurement struct{ from, to report }

// measure lets some time pass.
func (s *subject) measure(window time.Duration) measurement {
	s.t.Helper()
	m := measurement{from: s.state()}
	pause(context.Background(), window)
	m.to = s.state()
	return m
}

// speed is how many batches a second the pipeline passed on. The time that counts is that in which
// the load's thread had a processor, and that in which it waited for anything else than one: what
// other processes take from the machine is not the collector's doing.
func (m measurement) speed() float64 {
	spent := (m.to.At - m.from.At) - (m.to.Waited - m.from.Waited)
	return float64(m.to.Calls-m.from.Calls) / spent.Seconds()
}

// cores is how many processors the collector kept busy besides the pipeline.
func (m measurement) cores() float64 {
	return ((m.to.CPU - m.from.CPU) - (m.to.Ran - m.from.Ran)).Seconds() / (m.to.At - m.from.At).Seconds()
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func mebibytes(n int64) float64 { return math.Round(float64(n)/(1<<20)*10) / 10 }
