package top

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// account is what the servers say of what they did not deliver, and how it is with them. It is not
// safe for concurrent use.
type account struct {
	totals, base tapclient.Totals // now, and when counting began anew
	origins      []origin         // in the order in which they came
	hints        []string
}

// origin is how it is with one collector.
type origin struct {
	tapclient.Origin
	up  bool
	err error // why it is down; nil if it is up, or was never tried
}

// event takes note of what happens to the connections.
func (a *account) event(event tapclient.Event) {
	switch e := event.(type) {
	case *tapclient.Up:
		a.set(origin{Origin: e.Origin, up: true})
	case *tapclient.Down:
		a.set(origin{Origin: e.Origin, err: e.Err})
	case *tapclient.End:
		a.origins = slices.DeleteFunc(a.origins, func(o origin) bool { return o.Origin == e.Origin })
		if e.Err != nil && e.Reason != tapclient.EndAddressGone {
			a.set(origin{Origin: e.Origin, err: e.Err})
		}
	case *tapclient.Stats:
		a.hints = e.Hints
	}
}

func (a *account) set(o origin) {
	if i := slices.IndexFunc(a.origins, func(other origin) bool { return other.Origin == o.Origin }); i >= 0 {
		a.origins[i] = o
		return
	}
	a.origins = append(a.origins, o)
}

// connections says in a few words what is watched.
func (a *account) connections() string {
	up := 0
	var down *origin
	for i := range a.origins {
		if a.origins[i].up {
			up++
		} else if down == nil {
			down = &a.origins[i]
		}
	}
	switch n := len(a.origins); {
	case n == 0:
		return "connecting"
	case n == 1 && up == 1:
		return a.origins[0].String()
	case n == 1:
		return fmt.Sprintf("not connected to %s: %v", down.Origin, down.err)
	case down == nil:
		return fmt.Sprintf("%d collectors", n)
	default:
		return fmt.Sprintf("%d of %d collectors; not connected to %s: %v", up, n, down.Origin, down.err)
	}
}

// begin counts losses anew from now on.
func (a *account) begin() { a.base = a.totals }

// lost is how many items are known to be missing. Each time without a connection counts as one more:
// nobody knows what passed meanwhile.
func (a *account) lost() uint64 {
	return a.totals.Ledger.Lost() + a.totals.Ledger.Skipped + a.totals.Ledger.EvalErrors + uint64(a.totals.Missed/time.Millisecond)
}

// since is the totals since counting began.
func (a *account) since() tapclient.Totals { return minus(a.totals, a.base) }

// minus is what was added to totals after some others.
func minus(t, base tapclient.Totals) tapclient.Totals {
	l, b := &t.Ledger, base.Ledger
	l.Seen, l.Skipped, l.Matched, l.EvalErrors = l.Seen-b.Seen, l.Skipped-b.Skipped, l.Matched-b.Matched, l.EvalErrors-b.EvalErrors
	l.Dropped = maps.Clone(l.Dropped)
	for reason, n := range b.Dropped {
		l.Dropped[reason] -= min(n, l.Dropped[reason]) // it was not lost after all: see App.Watch
	}
	t.Received.Items -= base.Received.Items
	t.Missed -= base.Missed
	return t
}

// lossLine says what is missing in what was counted, and what that means; "" if nothing is.
func lossLine(t tapclient.Totals) string {
	var parts []string
	if text := app.LossWords(t.Ledger); text != "" {
		parts = append(parts, text)
	}
	if t.Ledger.EvalErrors > 0 {
		parts = append(parts, "where failed on "+app.Number(t.Ledger.EvalErrors))
	}
	if t.Missed > 0 {
		parts = append(parts, "not connected for "+terminal.Elapsed(max(t.Missed, time.Second)))
	}
	if len(parts) == 0 {
		return ""
	}
	return "Counts are lower bounds: " + strings.Join(parts, "; ")
}
