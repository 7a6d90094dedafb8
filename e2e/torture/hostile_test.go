//go:build linux

package torture

import (
	"context"
	"fmt"
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
	// fills: it does not read, and is measured for as long as would fill more than what may wait.
	fills bool
	// crowd: it comes from so many addresses that nobody else gets in.
	crowd bool
}

// attacks are all of them.
func attacks() []attack {
	return slices.Concat(attacksOnConnections(), attacksOnHTTP1(), attacksWithTaps(), attacksOnWebSockets(),
		attacksOnHTTP2(), attacksOnGRPC(), attacksOnTLS())
}

const (
	// within is the share of its throughput that the pipeline must keep in the long form, by the
	// medians of interleaved rounds, and withinTaps the same where taps are open: these have a tenth of
	// the time of the pipeline's goroutine, which is their max_overhead, and a tenth of a core for
	// rendering; writing to sockets is bounded by per_tap::mib_per_second only.
	within, withinTaps = 0.9, 0.75
	// leastShare is the share of the collector's CPU time that the pipeline must keep in the short
	// form, if what remains is more than mostCores. It keeps 0.6 and more on a quiet machine and 0.2 on one
	// with four times as much to do as it can, where rounds without an attack have 0.8; and a
	// collector that serves whoever asks leaves it 0.05 to 0.1 under a flood.
	leastShare = 0.15
	mostCores  = 0.2
	// manyRounds is how often an attack is measured at most, as long as it looks worse than that.
	manyRounds = 9
	// progress is how many batches the pipeline must pass on in any case while it is attacked: then
	// nothing has stopped it.
	progress = 20
	// tapsOverhead is max_overhead where attacks open taps.
	tapsOverhead = 0.1
	// longestFarewell is how long the collector may be busy with what an attack has left behind: up to
	// some megabytes for each connection, which it hears at the throttle's pace until it hangs up.
	longestFarewell = 3 * time.Minute
	// perConnection is what a connection may hold, in bytes, besides what waits for a tap.
	perConnection = 256 << 10
	// saved is how long attacks may take to use up what clients have saved up before the collector is
	// measured, and savedOverhead is the same for the taps of the long form: a second's max_overhead.
	saved         = 200 * time.Millisecond
	savedOverhead = time.Second
	// overfull is how long taps that are not read take to fill their queues several times over: each
	// could have 10 MiB a second.
	overfull = 1500 * time.Millisecond
	// looks is how often the memory is looked at in a round, at most.
	looks = 5
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
		{"with taps", true, tapsOverhead},
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
	speeds := &comparison{long: f.long, least: within}
	if a.taps {
		speeds.least = withinTaps
	}
	for round := 0; round < f.rounds() || round < manyRounds && !speeds.good(); round++ {
		without := s.measure(f.window())
		// Most of them leave by a reset. In the long form some leave with much still to be said,
		// which the collector hears as slowly as before.
		resets := !f.long || round%3 != 2
		with := s.underAttack(a, attackers, resets, f, &row, before)
		s.awaitCalm(before)
		speeds.add(without, with)
		row.opened += with.to.Opened - without.to.Opened
		row.cores = max(row.cores, with.cores()-without.cores())
	}
	row.throughput = speeds.throughput()
	s.checkEverybody(watching, &row)
	assert.Positive(t, row.tries, "the attack never took place")
	assert.True(t, speeds.good(), "%v", speeds)
	row.survived = !t.Failed()
	f.add(row)
	t.Logf("%d tries, %d taps; throughput %.3f of none; %.2f of the CPU time; %.2f cores; %.1f MiB of %.1f; %d unread; in %s", row.tries, row.opened, row.throughput, median(speeds.shares), row.cores,
		mebibytes(row.memory), mebibytes(row.bound), row.unread, time.Since(row.began).Round(time.Millisecond))
}

// underAttack measures the collector while it is attacked.
func (s *subject) underAttack(a attack, attackers *worker, resets bool, f *figures, row *figure, before report) measurement {
	s.t.Helper()
	begun := s.state()
	attackers.do(s.t, order{Do: "attack", Attack: a.name, Plain: s.address, Secure: s.tlsServer, Resets: resets})
	defer func() { row.tries += attackers.do(s.t, order{Do: "stop"}).Tries }()
	s.await("the pipeline to go on", func(r report) bool { return r.Calls >= begun.Calls+progress })
	if a.taps && !a.fails {
		s.await("the attack's first tap", func(r report) bool { return r.Opened > begun.Opened })
	}
	if f.long && a.taps {
		pause(context.Background(), savedOverhead)
	} else {
		pause(context.Background(), saved)
	}
	window := f.window()
	if a.fills {
		window = max(window, overfull)
	}
	m := s.measure(window)
	s.checkMemory(row, before, m.to)
	if !a.crowd {
		// Somebody else, from elsewhere, gets in meanwhile.
		asking, stop := context.WithTimeout(context.Background(), patience)
		defer stop()
		_, err := s.points(asking, "127.0.0.3")
		assert.NoError(s.t, err, "somebody who comes from another address")
	}
	return m
}

// checkMemory checks that the collector holds no more than its connections explain. Connections
// come and go while they and the memory are looked at, one after the other: so memory must be within
// its bound at one of a few looks. What a collector really holds, it holds at all of them.
func (s *subject) checkMemory(row *figure, before, last report) {
	s.t.Helper()
	for look := 1; ; look++ {
		held := s.do(order{Do: "live"})
		connections := max(last.Files-before.Files, held.Files-before.Files, 0)
		bound := int64(tapLimit*queueMiB<<20) + int64(connections)*perConnection + slack
		grown := max(held.Live-before.Live, 0)
		last = held
		if look < looks && grown >= bound {
			continue
		}
		assert.Less(s.t, grown, bound, "memory, with %d connections", connections)
		if grown >= row.memory {
			row.memory, row.bound = grown, bound
		}
		row.connections = max(row.connections, connections)
		return
	}
}

// awaitCalm waits until nothing of an attack is left in the collector: no connection, no goroutine.
func (s *subject) awaitCalm(before report) {
	s.t.Helper()
	s.awaitWithin(longestFarewell, order{Do: "state"}, "the end of all connections of the attack", func(r report) bool { return r.Files <= before.Files })
	s.awaitWithin(longestFarewell, order{Do: "leaks"}, "the end of all goroutines of the attack", func(r report) bool { return r.Leaks == "" })
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

// measure lets some time pass, of the time that counts: on a busy machine it takes longer.
func (s *subject) measure(window time.Duration) measurement {
	s.t.Helper()
	m := measurement{from: s.state()}
	for left := window; left > 0; left = window - m.counted() {
		pause(context.Background(), max(left, glance))
		m.to = s.state()
	}
	return m
}

// counted is the time that counts: that in which the load's thread had a processor, and that in which
// it waited for anything else than one. What other processes take from the machine is not the
// collector's doing.
func (m measurement) counted() time.Duration {
	return (m.to.At - m.from.At) - (m.to.Waited - m.from.Waited)
}

// speed is how many batches a second the pipeline passed on.
func (m measurement) speed() float64 {
	return float64(m.to.Calls-m.from.Calls) / m.counted().Seconds()
}

// share is the pipeline's part of the CPU time that the collector had. Other processes have no part
// in it: they slow both down.
func (m measurement) share() float64 {
	return (m.to.Ran - m.from.Ran).Seconds() / max(m.to.CPU-m.from.CPU, time.Microsecond).Seconds()
}

// cores is how many processors the collector kept busy besides the pipeline.
func (m measurement) cores() float64 {
	return ((m.to.CPU - m.from.CPU) - (m.to.Ran - m.from.Ran)).Seconds() / (m.to.At - m.from.At).Seconds()
}

// comparison compares rounds with and without an attack, and judges.
type comparison struct {
	long           bool
	least          float64 // throughput, in the long form
	calm, attacked []float64
	shares, cores  []float64 // with the attack
}

func (c *comparison) add(without, with measurement) {
	c.calm, c.attacked = append(c.calm, without.speed()), append(c.attacked, with.speed())
	c.shares, c.cores = append(c.shares, with.share()), append(c.cores, with.cores())
}

// throughput is that of the pipeline with the attack, as a share of what it is without.
func (c *comparison) throughput() float64 { return median(c.attacked) / median(c.calm) }

// good tells whether the pipeline has kept what it must keep. In the long form, which needs a machine
// for itself, that is throughput.
//
// The short form must not fail on a busy machine, which slows the pipeline down and can stop a thread
// that its goroutine waits for. It fails if the collector itself is busy with something else and has
// little time left for the pipeline: both at once, by its own CPU time. On a busy machine the throttle,
// which goes by the clock on the wall, lets as much through as ever, and the pipeline's share is
// smaller; but then the rest is few cores' time. And where there is time for the rest there would be as
// much for the pipeline's thread, if the collector let it run: the kernel is fair to threads.
func (c *comparison) good() bool {
	if c.long {
		return c.throughput() >= c.least
	}
	return median(c.shares) >= leastShare || median(c.cores) <= mostCores
}

func (c *comparison) String() string {
	return fmt.Sprintf("the pipeline's batches per second, with the attack: %.0f; without: %.0f; its share of the collector's CPU time, with the attack: %.2f, and what remains, in cores: %.2f",
		c.attacked, c.calm, c.shares, c.cores)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func mebibytes(n int64) float64 { return math.Round(float64(n)/(1<<20)*10) / 10 }
