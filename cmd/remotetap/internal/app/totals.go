package app

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// Number is a count with commas between thousands.
func Number[T ~int | ~int64 | ~uint64](n T) string { return humanize.Comma(int64(n)) }

// Counted is a number of things, whose plural ends with "s": "1 span", "1,204 spans".
func Counted[T ~int | ~int64 | ~uint64](n T, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Number(n) + " " + noun + "s"
}

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
	if t.Ledger.Pending > 0 {
		fmt.Fprintf(&b, "; %s more matched after the end", Number(t.Ledger.Pending))
	}
	if t.Ledger.Skipped > 0 {
		fmt.Fprintf(&b, "; %s passed unread (skipped, since taps may take only max_overhead of the collector's time)", Number(t.Ledger.Skipped))
	}
	if t.Ledger.EvalErrors > 0 {
		fmt.Fprintf(&b, "; where failed on %s", Number(t.Ledger.EvalErrors))
	}
	if t.Missed > 0 {
		fmt.Fprintf(&b, "; not connected for %s", terminal.Took(t.Missed))
	}
	return b.String()
}

// withoutRest is the account of a tap that has brought what it was asked for: what was still on its way
// then is not lost, it is Pending for good.
func withoutRest(l tapclient.Ledger) tapclient.Ledger {
	l.Pending += l.Dropped[tapclient.DropTapEnded]
	l.Dropped = maps.Clone(l.Dropped)
	delete(l.Dropped, tapclient.DropTapEnded)
	return l
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
	text := "nothing was seen for " + terminal.Took(m.Duration())
	if m.Items > 0 {
		text += fmt.Sprintf("; %s items that matched before did not arrive", Number(m.Items))
	}
	return text
}
