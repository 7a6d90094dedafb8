package tapclient

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

// arbitrary is an account that balances.
func arbitrary(r *rand.Rand) Ledger {
	l := Ledger{
		Since: time.Unix(r.Int64N(1000), 0), Now: time.Unix(1000+r.Int64N(1000), 0),
		Skipped: r.Uint64N(9), Unmatched: r.Uint64N(9), Sent: r.Uint64N(9), Pending: r.Uint64N(9), EvalErrors: r.Uint64N(3), Bytes: r.Uint64N(99),
	}
	for _, reason := range []string{"rate_limit", "queue_full", DropTapEnded} {
		if n := r.Uint64N(5); n > 0 {
			if l.Dropped == nil {
				l.Dropped = map[string]uint64{}
			}
			l.Dropped[reason] = n
		}
	}
	l.Matched = l.Sent + l.Pending + l.Lost()
	l.Seen = l.Skipped + l.Unmatched + l.Matched
	return l
}

func requireBalance(t *testing.T, l Ledger) {
	t.Helper()
	require.Equal(t, l.Seen, l.Skipped+l.Unmatched+l.Matched, "%+v", l)
	require.Equal(t, l.Matched, l.Sent+l.Pending+l.Lost(), "%+v", l)
}

func TestSumsAndSettledAccountsBalance(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		a, b := arbitrary(r), arbitrary(r)
		before := a.Lost() + b.Lost()
		sum := a.Plus(b)
		requireBalance(t, sum)
		require.Equal(t, before, sum.Lost())
		require.Equal(t, before, a.Lost()+b.Lost(), "the parts are as they were")
		require.Equal(t, a.Seen+b.Seen, sum.Seen)
		require.Equal(t, a.Bytes+b.Bytes, sum.Bytes)
		require.Equal(t, a.EvalErrors+b.EvalErrors, sum.EvalErrors)
		require.False(t, sum.Since.After(a.Since) || sum.Since.After(b.Since))
		require.False(t, sum.Now.Before(a.Now) || sum.Now.Before(b.Now))
		require.Equal(t, a.String(), a.Plus(Ledger{}).String())
		require.Equal(t, a.Since, (Ledger{}).Plus(a).Since)

		arrived := Received{Items: r.Uint64N(20), Bytes: 3}
		settled := a.settled(arrived, DropConnectionLost)
		requireBalance(t, settled)
		require.Equal(t, arrived.Items, settled.Sent)
		require.Equal(t, arrived.Bytes, settled.Bytes)
		require.Zero(t, settled.Pending)
		require.GreaterOrEqual(t, settled.Matched, a.Matched)
		require.GreaterOrEqual(t, settled.Lost(), a.Lost())
	}
}

func TestLedgerInWords(t *testing.T) {
	require.Equal(t, "sent 3 of 3 matched", Ledger{Sent: 3, Matched: 3}.String())
	require.Equal(t, "sent 3 of 10 matched, dropped 7 (queue_full 4, rate_limit 3)",
		Ledger{Sent: 3, Matched: 10, Dropped: map[string]uint64{"rate_limit": 3, "queue_full": 4, "byte_limit": 0}}.String())
}

func TestLedgerAndLimitsAreReadWhole(t *testing.T) {
	l := ledgerOf(&remotetapv1.Ledger{
		Since: &timestamppb.Timestamp{Seconds: 1}, Now: &timestamppb.Timestamp{Seconds: 2},
		Seen: 3, Skipped: 4, Unmatched: 5, Matched: 6, Sent: 7, Pending: 8, Dropped: map[string]uint64{"x": 9}, EvalErrors: 10, Bytes: 11,
	})
	require.Equal(t, Ledger{
		Since: time.Unix(1, 0).UTC(), Now: time.Unix(2, 0).UTC(),
		Seen: 3, Skipped: 4, Unmatched: 5, Matched: 6, Sent: 7, Pending: 8, Dropped: map[string]uint64{"x": 9}, EvalErrors: 10, Bytes: 11,
	}, l)
	require.Equal(t, 11, (&remotetapv1.Ledger{}).ProtoReflect().Descriptor().Fields().Len(), "a new field belongs into Ledger")
	require.True(t, ledgerOf(nil).Since.IsZero())
	require.Equal(t, Limits{Taps: 1, ItemsPerSecond: 2, MiBPerSecond: 3, QueueMiB: 4, MaxDuration: 5, MaxOverhead: 6}, limitsOf(&remotetapv1.Limits{
		Limit: 1, ItemsPerSecond: 2, MibPerSecond: 3, QueueMib: 4, MaxDuration: durationpb.New(5), MaxOverhead: 6,
	}))
	require.Equal(t, 6, (&remotetapv1.Limits{}).ProtoReflect().Descriptor().Fields().Len(), "a new field belongs into Limits")
}
