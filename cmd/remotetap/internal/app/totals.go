package app

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/remotetap/remotetapprocessor/tapclient"
)

// Number is a count with commas between thousands.
func Number[T ~int | ~int64 | ~uint64](n T) string { return humanize.Comma(int64(n)) }

// TotalsWords is what tcpdump says at its end, for telemetry: "matched 1,204, received 1,180, dropped 24:
// rate_limit 24".
func TotalsWords(t tapclient.Totals) string {
	var b strings.Builder
	fmt.Fprintf(&b, "matched %s, received %s", Number(t.Ledger.Matched), Number(t.Received.Items))
	if lost := t.Ledger.Lost(); lost > 0 {
		fmt.Fprintf(&b, ", dropped %s: %s", Number(lost), reasons(t.Ledger.Dropped))
	} else {
		b.WriteString(", dropped 0")
	}
	if t.Ledger.Skipped > 0 {
		fmt.Fprintf(&b, "; %s passed unread (skipped, since taps may take only max_overhead of the collector's time)", Number(t.Ledger.Skipped))
	}
	if t.Ledger.EvalErrors > 0 {
		fmt.Fprintf(&b, "; where failed on %s", Number(t.Ledger.EvalErrors))
	}
	if t.Missed > 0 {
		fmt.Fprintf(&b, "; not connected for %s", short(t.Missed))
	}
	return b.String()
}

// LossWords is what was lost so far; "" if nothing was.
func LossWords(l tapclient.Ledger) string {
	var parts []string
	if lost := l.Lost(); lost > 0 {
		parts = append(parts, fmt.Sprintf("dropped %s of %s: %s", Number(lost), Number(l.Matched), reasons(l.Dropped)))
	}
	if l.Skipped > 0 {
		parts = append(parts, fmt.Sprintf("skipped %s of %s (max_overhead)", Number(l.Skipped), Number(l.Seen)))
	}
	return strings.Join(parts, "; ")
}

// statusWords are the status line: what was lost, or why nothing is to be seen yet; "" if all is well.
func statusWords(t tapclient.Totals) string {
	if loss := LossWords(t.Ledger); loss != "" || t.Received.Items > 0 || t.Ledger.Matched > 0 {
		return loss
	}
	if t.Ledger.Seen == 0 {
		return "waiting: nothing has passed yet"
	}
	return fmt.Sprintf("waiting: %s passed, none of it is selected", Number(t.Ledger.Seen))
}

// reasons are those of a ledger's dropped items, the most important first.
func reasons(dropped map[string]uint64) string {
	names := slices.SortedFunc(maps.Keys(dropped), func(a, b string) int {
		return cmp.Or(cmp.Compare(dropped[b], dropped[a]), cmp.Compare(a, b))
	})
	var parts []string
	for _, name := range names {
		if dropped[name] > 0 {
			parts = append(parts, name+" "+Number(dropped[name]))
		}
	}
	return strings.Join(parts, ", ")
}

// missedWords says for how long an origin was not watched.
func missedWords(m *tapclient.Missed) string {
	text := "nothing was seen for " + short(m.Duration())
	if m.Items > 0 {
		text += fmt.Sprintf("; %s items that matched before did not arrive", Number(m.Items))
	}
	return text
}

// short is a time with as many digits as matter.
func short(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	default:
		return d.Round(time.Second).String()
	}
}
