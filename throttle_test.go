package remotetapprocessor

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// throttled is a throttled connection on fake time: the server's end, and the client's.
func throttled(t *testing.T, throttle *throttle) (server, client net.Conn) {
	t.Helper()
	network := newMemNetwork(64 * kib)
	listener := throttle.listen(network)
	accepted := make(chan net.Conn)
	go func() {
		conn, err := listener.Accept()
		assert.NoError(t, err)
		accepted <- conn
	}()
	client, err := network.DialContext(t.Context(), "", "")
	require.NoError(t, err)
	server = <-accepted
	t.Cleanup(func() {
		_ = client.Close()
		_ = server.Close()
		_ = listener.Close()
	})
	return server, client
}

// flood writes until the connection ends.
func flood(conn net.Conn) {
	for {
		if _, err := conn.Write(make([]byte, 32*kib)); err != nil {
			return
		}
	}
}

func TestClientThatFloodsIsReadAtItsPaceAndThenClosed(t *testing.T) {
	for name, size := range map[string]int{"in large reads": 64 * kib, "in short reads": 9} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, client := throttled(t, newThrottle())
				go flood(client)
				begin, read, buffer := time.Now(), 0, make([]byte, size)
				var err error
				for err == nil {
					var n int
					n, err = server.Read(buffer)
					read += n
				}
				require.ErrorIs(t, err, errFlood)
				took := time.Since(begin)
				assert.InDelta(t, longestPress, took, float64(200*time.Millisecond))
				assert.InDelta(t, heardBurst+heardPerSecond*took.Seconds(), read, 2*heardAtOnce)
				_, err = client.Write([]byte("x"))
				assert.Error(t, err, "the connection is closed")
			})
		})
	}
}

func TestClientThatPausesIsNeverClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := throttled(t, newThrottle())
		go func() {
			defer client.Close()
			for range 60 {
				_, err := client.Write(make([]byte, heardPerSecond))
				assert.NoError(t, err)
				time.Sleep(1100 * time.Millisecond) //nolint:forbidigo // of fake time
			}
		}()
		n, err := io.Copy(io.Discard, server)
		require.NoError(t, err)
		assert.EqualValues(t, 60*heardPerSecond, n)
	})
}

func TestClientsMaySayAShareOfWhatTheyAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		throttle := newThrottle()
		server, client := throttled(t, throttle)
		a := throttle.account("127.0.0.1", time.Now())
		throttle.charge(a, heardBurst) // all that there is
		go func() { _, _ = io.Copy(io.Discard, client) }()
		_, err := server.Write(make([]byte, 4*mib))
		require.NoError(t, err)
		throttle.charge(a, 4*mib/heardShare)
		assert.Zero(t, throttle.wait(a))
		throttle.charge(a, heardPerSecond)
		assert.Equal(t, time.Second, throttle.wait(a))
	})
}

func TestReadThatWaitsForItsTurnEndsLikeOneThatWaitsForTheClient(t *testing.T) {
	for name, end := range map[string]struct {
		end  func(net.Conn)
		want error
	}{
		"with a deadline that was set before": {func(net.Conn) {}, os.ErrDeadlineExceeded},
		"with a deadline that is set meanwhile": {
			func(conn net.Conn) { _ = conn.SetReadDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded,
		},
		"with a deadline of both ways": {func(conn net.Conn) { _ = conn.SetDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
		"with the connection":          {func(conn net.Conn) { _ = conn.Close() }, net.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				throttle := newThrottle()
				server, client := throttled(t, throttle)
				throttle.charge(throttle.account("127.0.0.1", time.Now()), heardBurst+heardPerSecond*3600)
				_, err := client.Write([]byte("x"))
				require.NoError(t, err)
				require.NoError(t, server.SetReadDeadline(time.Now().Add(time.Minute)))
				failed := make(chan error, 1)
				go func() {
					_, err := server.Read(make([]byte, 1))
					failed <- err
				}()
				synctest.Wait()
				end.end(server)
				require.ErrorIs(t, <-failed, end.want)
			})
		})
	}
}

func TestShortAndLongReadsTogetherGetEveryByteInOrder(t *testing.T) {
	server, client := net.Pipe()
	throttle := newThrottle()
	conn := &throttledConn{Conn: server, throttle: throttle, account: throttle.account("", time.Now()), changed: make(chan struct{})}
	sent := make([]byte, 200*kib)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range sent {
		sent[i] = byte(random.Uint32())
	}
	go func() {
		defer client.Close()
		for rest := sent; len(rest) > 0; {
			n, err := client.Write(rest[:min(len(rest), 1+random.IntN(10*kib))])
			assert.NoError(t, err)
			rest = rest[n:]
		}
	}()
	var got []byte
	sizes := rand.New(rand.NewPCG(3, 4))
	for {
		buffer := make([]byte, 1+sizes.IntN([]int{20, 8 * kib}[sizes.IntN(2)]))
		n, err := conn.Read(buffer)
		got = append(got, buffer[:n]...)
		if err != nil {
			require.Equal(t, io.EOF, err)
			break
		}
	}
	require.True(t, bytes.Equal(sent, got))
	require.NoError(t, conn.Close())
	require.NoError(t, conn.Close())
	require.Equal(t, -1, conn.account.connections, "it is counted once")
}

func TestAddressesDoNotPayForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		throttle := newThrottle()
		now := time.Now()
		one, other := throttle.account("192.0.2.1", now), throttle.account("192.0.2.2", now)
		throttle.charge(one, heardBurst+heardPerSecond)
		assert.Equal(t, time.Second, throttle.wait(one))
		assert.Zero(t, throttle.wait(other))
		throttle.charge(one, allHeardBurst) // but there is a limit to all of them
		throttle.charge(other, heardFree)
		assert.Zero(t, throttle.wait(other), "for those who say much")
		throttle.charge(other, 1)
		assert.Positive(t, throttle.wait(other))
	})
}

func TestNetworkOf(t *testing.T) {
	for host, want := range map[string]string{
		"192.0.2.1":            "192.0.2.1",
		"::ffff:192.0.2.1":     "::ffff:192.0.2.1",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"fe80::1%eth0":         "fe80::/64",
		"":                     "",
		"@":                    "@",
	} {
		assert.Equal(t, want, networkOf(host), host)
	}
}

func TestConnectionsAreAcceptedAtAPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := newMemNetwork(kib)
		listener := newThrottle().listen(network)
		go func() {
			for {
				if _, err := network.DialContext(t.Context(), "", ""); err != nil {
					return
				}
			}
		}()
		begin := time.Now()
		for range acceptedBurst + acceptedPerSecond {
			conn, err := listener.Accept()
			require.NoError(t, err)
			require.NoError(t, conn.Close())
		}
		assert.InDelta(t, time.Second, time.Since(begin), float64(10*time.Millisecond))
		require.NoError(t, listener.Close())
		_, err := listener.Accept()
		require.ErrorIs(t, err, net.ErrClosed)
		assert.InDelta(t, time.Second, time.Since(begin), float64(10*time.Millisecond), "Close does not wait for the pace")
	})
}

// requestFrom is a request from an address.
func requestFrom(ctx context.Context, address string) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/points", nil)
	r.RemoteAddr = address
	return r
}

func TestRequestsWaitForTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		throttle := newThrottle()
		begin := time.Now()
		for range servedBurst + 3*servedPerSecond {
			require.NoError(t, throttle.turn(requestFrom(t.Context(), "192.0.2.1:1234")))
		}
		assert.InDelta(t, 3*time.Second, time.Since(begin), float64(50*time.Millisecond))
		begin = time.Now()
		require.NoError(t, throttle.turn(requestFrom(t.Context(), "192.0.2.2:1234")))
		assert.Zero(t, time.Since(begin), "another address does not wait")
	})
}

func TestRequestsCountAsWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		throttle := newThrottle()
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // the client has reset the stream already
		for range heardBurst/requestCost + heardPerSecond/requestCost {
			_ = throttle.turn(requestFrom(ctx, "192.0.2.1:1234"))
		}
		assert.Equal(t, time.Second, throttle.wait(throttle.account("192.0.2.1", time.Now())))
	})
}

func TestWhoAsksForLittleDoesNotWaitForThoseWhoAskForMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		throttle := newThrottle()
		for i := range allServedBurst + allServedPerSecond*int(longestTurn.Seconds()) {
			throttle.line(requestFrom(t.Context(), fmt.Sprintf("192.0.2.%d:1234", i%20)))
		}
		assert.Greater(t, throttle.line(requestFrom(t.Context(), "192.0.2.1:1234")), longestTurn)
		for range servedFree {
			assert.Zero(t, throttle.line(requestFrom(t.Context(), "192.0.2.20:1234")))
		}
		assert.Greater(t, throttle.line(requestFrom(t.Context(), "192.0.2.20:1234")), longestTurn)
	})
}

func TestClientThatSaysLittleIsNotClosedBecauseOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		throttle := newThrottle()
		server, client := throttled(t, throttle)
		go func() {
			defer client.Close()
			for range 1000 { // it always has something to say, though not much
				_, _ = client.Write(make([]byte, 13))
				time.Sleep(10 * time.Millisecond) //nolint:forbidigo // of fake time
			}
		}()
		account := throttle.account("127.0.0.1", time.Now())
		throttle.charge(account, heardBurst)
		read := 0
		for {
			throttle.charge(account, heardPerSecond/10) // the others
			n, err := server.Read(make([]byte, kib))
			read += n
			if err != nil {
				require.Equal(t, io.EOF, err)
				break
			}
		}
		assert.Equal(t, 13*1000, read)
	})
}

func TestRequestThatWouldWaitForTooLongIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		throttle := newThrottle()
		ctx, cancel := context.WithCancel(t.Context())
		results := make(chan error)
		const many = 1000
		for range many {
			go func() { results <- throttle.turn(requestFrom(ctx, "@")) }()
		}
		synctest.Wait()
		refused, served := 0, 0
		for begin := time.Now(); time.Since(begin) < 2*time.Second; {
			err := <-results
			if err == nil {
				served++
				continue
			}
			var r *refusal
			require.ErrorAs(t, err, &r)
			assert.Equal(t, http.StatusServiceUnavailable, r.status)
			assert.NotEmpty(t, r.header.Get("Retry-After"))
			refused++
		}
		assert.InDelta(t, servedBurst+2*servedPerSecond, served, 2)
		assert.InDelta(t, many-servedBurst-servedPerSecond*longestTurn.Seconds(), refused, 2)
		cancel() // the others leave
		for range many - served - refused {
			require.ErrorIs(t, <-results, context.Canceled)
		}
	})
}

func TestAccountsThatNobodyNeedsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		throttle := newThrottle()
		connected := throttle.account("connected", time.Now())
		connected.connections = 1
		for i := range manyAccounts - 1 {
			a := throttle.account(strconv.Itoa(i), time.Now())
			throttle.charge(a, heardPerSecond)
			a.turns.take(1, time.Now())
		}
		throttle.account("one more", time.Now())
		assert.Len(t, throttle.accounts, manyAccounts+1, "they are all in use")
		time.Sleep(time.Minute) //nolint:forbidigo // of fake time
		throttle.account("and one more", time.Now())
		assert.Len(t, throttle.accounts, 2)
		assert.Same(t, connected, throttle.account("connected", time.Now()))
	})
}
