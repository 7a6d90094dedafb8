package tapclient_test

import (
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// tally is what came of a stream until its end.
type tally struct {
	spans map[string][]string                     // by address
	ends  map[tapclient.Origin]*tapclient.End     // the End of each
	after map[tapclient.Origin][]tapclient.Event  // what came after it
	kinds map[tapclient.Origin]map[string]int     // how many of each kind
	err   error                                   // of the last Next
	stats map[tapclient.Origin][]*tapclient.Stats // all
	down  map[tapclient.Origin][]*tapclient.Down  // all
	total tapclient.Totals
}

// drain reads a stream to its end.
func (r *reader) drain() *tally {
	r.t.Helper()
	all := &tally{
		spans: map[string][]string{}, ends: map[tapclient.Origin]*tapclient.End{},
		after: map[tapclient.Origin][]tapclient.Event{}, kinds: map[tapclient.Origin]map[string]int{},
		stats: map[tapclient.Origin][]*tapclient.Stats{}, down: map[tapclient.Origin][]*tapclient.Down{},
	}
	for {
		event, err := r.Next(r.t.Context())
		if err != nil {
			all.err, all.total = err, r.Totals()
			return all
		}
		from := event.From()
		if all.ends[from] != nil {
			all.after[from] = append(all.after[from], event)
		}
		switch e := event.(type) {
		case *tapclient.Batch:
			all.spans[from.Address] = append(all.spans[from.Address], spanNames(r.t, e)...)
		case *tapclient.End:
			all.ends[from] = e
		case *tapclient.Stats:
			all.stats[from] = append(all.stats[from], e)
		case *tapclient.Down:
			all.down[from] = append(all.down[from], e)
		}
	}
}

func (all *tally) count() int {
	n := 0
	for _, names := range all.spans {
		n += len(names)
	}
	return n
}

func TestSeveralEndpointsComeInOneStreamEachWithItsOrigin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		for _, name := range []string{"a", "b", "c"} {
			n.start(name+":1", &service{play: func(tap *served) error {
				for range 10 {
					_ = tap.spans(name)
				}
				return tap.end("duration_reached", account(10, 0, map[string]uint64{"queue_full": 1}))
			}})
		}
		all := n.tap("a:1, b:1 ,http://c:1/", tapclient.Selection{Duration: time.Minute}).drain()
		require.ErrorIs(t, all.err, io.EOF)
		for _, name := range []string{"a", "b", "c"} {
			require.Equal(t, slices.Repeat([]string{name}, 10), all.spans[name+":1"])
		}
		require.NotNil(t, all.ends[tapclient.Origin{Endpoint: "http://c:1/", Address: "c:1"}])
		require.Equal(t, uint64(30), all.total.Received.Items)
		require.Equal(t, uint64(33), all.total.Ledger.Matched)
		require.Equal(t, uint64(3), all.total.Ledger.Dropped["queue_full"])
		require.Equal(t, 3, all.total.Connections)
		requireBalanced(t, all.total.Ledger)
		require.Empty(t, all.after)
	})
}

func TestCountIsTheTotalOverAllEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for count := uint64(1); count < 40; count += 6 {
			n := newInternet(t)
			asked := make(chan uint64, 2)
			endless := &service{play: func(tap *served) error {
				asked <- tap.request.GetCount()
				for {
					if err := tap.spans("1", "2", "3", "4", "5"); err != nil {
						return err
					}
				}
			}}
			n.start("a:1", endless)
			n.start("b:1", endless)
			all := n.tap("a:1,b:1", tapclient.Selection{Count: count}).drain()
			require.ErrorIs(t, all.err, io.EOF)
			require.Equal(t, int(count), all.count())
			require.Equal(t, count, all.total.Received.Items)
			require.Len(t, all.ends, 2)
			for _, end := range all.ends {
				require.Equal(t, tapclient.EndCountReached, end.Reason)
			}
			require.Equal(t, count, <-asked)
			n.stop("a:1")
			n.stop("b:1")
		}
	})
}

func TestCountIsReachedWhileAnotherEndpointIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		n.start("a:1", &service{play: func(tap *served) error {
			_ = tap.open()
			<-time.After(time.Minute)
			_ = tap.spans("1", "2", "3")
			return tap.end("count_reached", account(3, 0, nil))
		}})
		all := n.tap("a:1,b:1", tapclient.Selection{Count: 3}).drain()
		require.ErrorIs(t, all.err, io.EOF, "the other was never there, but all that was asked for has come")
		require.Equal(t, 3, all.count())
		require.Equal(t, tapclient.EndCountReached, all.ends[tapclient.Origin{Endpoint: "b:1", Address: "b:1"}].Reason)
		require.Equal(t, time.Minute, all.total.Missed)
	})
}

func TestOneEndpointThatRefusesDoesNotEndTheOthersButIsNamedInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		n.start("a:1", &service{play: func(*served) error {
			return refusal(codes.InvalidArgument, &remotetapv1.Refusal{Error: "no tap point fits point=x", Parameter: "point"})
		}})
		n.start("b:1", &service{play: func(tap *served) error {
			<-time.After(time.Second)
			_ = tap.spans("b")
			return tap.end("duration_reached", account(1, 0, nil))
		}})
		all := n.tap("a:1,b:1", tapclient.Selection{Duration: 5 * time.Second}).drain()
		require.Equal(t, []string{"b"}, all.spans["b:1"])
		require.Equal(t, "a:1: no tap point fits point=x", all.err.Error())
		assert.NoError(t, all.ends[tapclient.Origin{Endpoint: "b:1", Address: "b:1"}].Err)
	})
}

func TestOneEndpointThatIsDownDoesNotHinderTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		n.start("b:1", &service{play: func(tap *served) error {
			for range 5 {
				_ = tap.spans("b")
				<-time.After(time.Second)
			}
			return tap.end("duration_reached", account(5, 0, nil))
		}})
		time.AfterFunc(3*time.Second, func() {
			n.start("a:1", &service{play: func(tap *served) error { return tap.end("duration_reached", account(0, 0, nil)) }})
		})
		all := n.tap("a:1,b:1", tapclient.Selection{Duration: 5 * time.Second}).drain()
		require.ErrorIs(t, all.err, io.EOF, "both were there in the end")
		require.Len(t, all.spans["b:1"], 5)
		downs := all.down[tapclient.Origin{Endpoint: "a:1", Address: "a:1"}]
		require.GreaterOrEqual(t, len(downs), 3)
		require.InDelta(t, 3*time.Second, all.total.Missed, float64(2*time.Second))
	})
}
