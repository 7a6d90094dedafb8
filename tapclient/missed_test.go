package tapclient_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/remotetap/remotetapprocessor/tapclient"
)

func TestMissedSaysForHowLongAndHowManyItems(t *testing.T) {
	for name, connection := range map[string]struct {
		lose  func(n *internet, tap *served) error
		since time.Duration // from the connection's beginning
		items uint64
		sent  uint64
	}{
		"an orderly end": {
			func(_ *internet, tap *served) error {
				return tap.end("shutdown", account(9, 0, map[string]uint64{"tap_ended": 7, "rate_limit": 3}))
			}, 20 * time.Second, 7, 9, // the server's last word is not doubted
		},
		"a connection that breaks, with a last account from before": {
			func(n *internet, tap *served) error {
				_ = tap.stats(account(1, 5, map[string]uint64{"rate_limit": 3}))
				<-time.After(5 * time.Second)
				_ = tap.spans("one of the five")
				<-time.After(2 * time.Second)
				go n.stop(home)
				return tap.untilGone()
			}, 25 * time.Second, 4, 2,
		},
		"a connection that breaks, without any account": {
			func(n *internet, tap *served) error {
				_ = tap.spans("another")
				<-time.After(100 * time.Second)
				go n.stop(home)
				return tap.untilGone()
			}, 80 * time.Second, 0, 0, // 20 and 100 less the 40 that it may take to notice
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newInternet(t)
				n.start(home, &service{play: inTurn(func(tap *served) error {
					_ = tap.spans("first")
					<-time.After(20 * time.Second)
					return connection.lose(n, tap)
				}, watched)})
				r := n.tap(home, tapclient.Selection{Stats: time.Second})
				begin := next[*tapclient.Up](r).Time
				var down *tapclient.Down
				for down == nil {
					event, err := r.Next(t.Context())
					require.NoError(t, err)
					down, _ = event.(*tapclient.Down)
				}
				if connection.sent == 0 {
					require.Nil(t, down.Ledger)
				} else {
					require.Equal(t, connection.sent, down.Ledger.Sent)
					requireBalanced(t, *down.Ledger)
				}
				n.stop(home)
				n.start(home, &service{play: watched})
				up := next[*tapclient.Up](r)
				missed := next[*tapclient.Missed](r)
				require.Equal(t, begin.Add(connection.since), missed.Since)
				require.Equal(t, up.Time, missed.Until)
				require.Equal(t, up.Time.Sub(begin)-connection.since, missed.Duration())
				require.Equal(t, connection.items, missed.Items)
				r.Close()
				totals := r.Totals()
				require.Equal(t, missed.Duration(), totals.Missed)
				require.Equal(t, 2, totals.Connections)
				requireBalanced(t, totals.Ledger)
			})
		})
	}
}

func TestConnectionThatOnlyCountsHasNothingToLose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		n.start(home, &service{play: func(tap *served) error {
			_ = tap.stats(account(1000, 0, nil))
			<-time.After(time.Second)
			go n.stop(home)
			return tap.untilGone()
		}})
		r := n.tap(home, tapclient.Selection{Format: tapclient.FormatNone, Stats: time.Second})
		next[*tapclient.Up](r)
		next[*tapclient.Stats](r)
		ledger := next[*tapclient.Down](r).Ledger
		require.Equal(t, uint64(1000), ledger.Sent)
		require.Zero(t, ledger.Lost())
		r.Close()
	})
}

func TestConnectionThatDiesWithoutAWordIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		n.start(home, &service{play: greets})
		dead := make(chan struct{})
		r := n.tap(home, tapclient.Selection{Stats: time.Second}, tapclient.WithDialer(func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := n.dial(ctx, network, address)
			return &mortal{Conn: conn, dead: dead}, err
		}))
		next[*tapclient.Up](r)
		next[*tapclient.Stats](r)
		died := time.Now()
		close(dead)
		down := next[*tapclient.Down](r)
		require.LessOrEqual(t, time.Since(died), 40*time.Second)
		n.stop(home)
		n.start(home, &service{play: greets})
		require.ErrorContains(t, down.Err, "keepalive")
		r.Close()
	})
}

// mortal is a connection over which nothing comes or goes when it is dead.
type mortal struct {
	net.Conn
	dead chan struct{}
}

func (c *mortal) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	select {
	case <-c.dead:
		if err == nil {
			return c.Read(b) // what came is lost on the way
		}
	default:
	}
	return n, err
}

func (c *mortal) Write(b []byte) (int, error) {
	select {
	case <-c.dead:
		return len(b), nil
	default:
		return c.Conn.Write(b)
	}
}

func requireBalanced(t *testing.T, l tapclient.Ledger) {
	t.Helper()
	require.Equal(t, l.Seen, l.Skipped+l.Unmatched+l.Matched, "%+v", l)
	require.Equal(t, l.Matched, l.Sent+l.Pending+l.Lost(), "%+v", l)
}

func TestMissedComesBeforeTheEndOfAnOriginThatIsRefusedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		n.start(home, &service{play: inTurn(func(tap *served) error {
			_ = tap.open()
			return tap.end("shutdown", account(9, 0, map[string]uint64{"tap_ended": 7}))
		}, func(*served) error {
			return status.Error(codes.Unauthenticated, "the token was revoked")
		})})
		r := n.tap(home, tapclient.Selection{})
		next[*tapclient.Up](r)
		next[*tapclient.Down](r)
		missed := next[*tapclient.Missed](r)
		require.EqualValues(t, 7, missed.Items)
		require.Equal(t, tapclient.EndRefused, next[*tapclient.End](r).Reason)
		require.Positive(t, r.Totals().Missed)
		r.Close()
	})
}
