package tapclient_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// names is a resolver whose answer a test changes.
type names struct {
	mu        sync.Mutex
	addresses []string
	err       error
	lookups   int
	asked     string
}

func (n *names) LookupHost(_ context.Context, host string) ([]string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lookups++
	n.asked = host
	return n.addresses, n.err
}

func (n *names) set(addresses ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addresses, n.err = addresses, nil
}

func (n *names) fail(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addresses, n.err = nil, err
}

func (n *names) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lookups
}

const pods = "dns:///collector.example:4000"

func pod(number int) (address string, origin tapclient.Origin) {
	address = "10.0.0." + strconv.Itoa(number) + ":4000"
	return address, tapclient.Origin{Endpoint: pods, Address: address}
}

func TestNameIsFollowedAsItsAddressesComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		authority := make(chan string, 8)
		there := &service{play: func(tap *served) error {
			md, _ := metadata.FromIncomingContext(tap.stream.Context())
			authority <- md[":authority"][0]
			return watched(tap)
		}}
		one, originOne := pod(1)
		two, originTwo := pod(2)
		three, originThree := pod(3)
		n.start(one, there)
		n.start(two, there)
		dns := &names{}
		dns.set("10.0.0.2", "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2")
		r := n.tap(pods, tapclient.Selection{}, tapclient.WithResolver(dns))

		ups := []tapclient.Origin{next[*tapclient.Up](r).Origin, next[*tapclient.Up](r).Origin}
		require.ElementsMatch(t, []tapclient.Origin{originOne, originTwo}, ups, "and not the IPv6 addresses of the same pods")
		require.Equal(t, "collector.example:4000", <-authority)
		require.Equal(t, "collector.example", dns.asked)

		begin := time.Now()
		n.start(three, there)
		dns.set("10.0.0.1", "10.0.0.2", "10.0.0.3")
		require.Equal(t, originThree, next[*tapclient.Up](r).Origin)
		require.LessOrEqual(t, time.Since(begin), 5*time.Second+100*time.Millisecond)

		// A pod that stops leaves the name first and is watched until its connection ends.
		dns.set("10.0.0.2", "10.0.0.3")
		<-time.After(20 * time.Second)
		require.Len(t, r.Origins(), 3)
		n.stop(one)
		end := next[*tapclient.End](r)
		require.Equal(t, originOne, end.Origin)
		require.Equal(t, tapclient.EndAddressGone, end.Reason)
		require.NoError(t, end.Err)
		synctest.Wait()
		<-time.After(6 * time.Second)
		require.Len(t, r.Origins(), 2, "it is off the list")
		require.Equal(t, 3, r.Totals().Connections, "but not forgotten")

		// A pod that dies and then leaves the name is down, and then ends.
		n.stop(two)
		require.Equal(t, originTwo, next[*tapclient.Down](r).Origin)
		dns.set("10.0.0.3")
		for ended := false; !ended; {
			event, err := r.Next(t.Context())
			require.NoError(t, err)
			require.Equal(t, originTwo, event.From())
			_, ended = event.(*tapclient.End)
		}

		// It comes back with the same address.
		n.start(two, there)
		dns.set("10.0.0.2", "10.0.0.3")
		require.Equal(t, originTwo, next[*tapclient.Up](r).Origin)
		r.Close()
	})
}

func TestAddressThatIsBackInTheNameBeforeItsConnectionEndsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		one, _ := pod(1)
		n.start(one, &service{play: watched})
		dns := &names{}
		dns.set("10.0.0.1", "10.0.0.2")
		r := n.tap(pods, tapclient.Selection{}, tapclient.WithResolver(dns))
		go func() {
			<-time.After(time.Minute)
			dns.set("10.0.0.2")
			<-time.After(10 * time.Second)
			dns.set("10.0.0.1", "10.0.0.2")
			<-time.After(10 * time.Second)
			n.stop(one)
		}()
		for {
			event, err := r.Next(t.Context())
			require.NoError(t, err)
			if event.From().Address != one {
				continue
			}
			if _, up := event.(*tapclient.Up); !up {
				down, ok := event.(*tapclient.Down)
				require.True(t, ok, "%T", event)
				<-time.After(time.Until(down.Retry) - time.Millisecond)
				require.Equal(t, 1, n.attempts(one), "it is tried when it is due, not before")
				break
			}
		}
		r.Close()
	})
}

func TestAddressThatIsBackBeforeItsEndIsReadIsWatchedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		one, _ := pod(1)
		n.start(one, &service{play: watched})
		dns := &names{}
		dns.set("10.0.0.1")
		r := n.tap(pods, tapclient.Selection{}, tapclient.WithResolver(dns))
		next[*tapclient.Up](r)
		dns.set()
		<-time.After(10 * time.Second)
		n.stop(one) // nobody reads now that it is down, and has ended
		<-time.After(10 * time.Second)
		n.start(one, &service{play: watched})
		dns.set("10.0.0.1")
		<-time.After(10 * time.Second)
		for {
			event, err := r.Next(t.Context())
			require.NoError(t, err, "the name has an address")
			if _, up := event.(*tapclient.Up); up {
				break
			}
		}
		r.Close()
	})
}

func TestAddressThatIsGoneIsNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		one, _ := pod(1)
		dns := &names{}
		dns.set("10.0.0.1")
		r := n.tap(pods, tapclient.Selection{}, tapclient.WithResolver(dns), tapclient.WithBackoff(time.Hour, time.Hour))
		next[*tapclient.Down](r)
		dns.set("10.0.0.2")
		begin := time.Now()
		for {
			event, err := r.Next(t.Context())
			require.NoError(t, err)
			if end, ok := event.(*tapclient.End); ok {
				require.Equal(t, one, end.Address)
				require.Equal(t, tapclient.EndAddressGone, end.Reason)
				break
			}
		}
		require.LessOrEqual(t, time.Since(begin), 5*time.Second)
		require.Equal(t, 1, n.attempts(one))
		r.Close()
	})
}

func TestAddressesThatAreGoneButStillUpDoNotKeepOthersOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		dns := &names{}
		var hosts []string
		for i := range 30 {
			address, _ := pod(i)
			n.start(address, &service{play: greets})
			hosts = append(hosts, "10.0.0."+strconv.Itoa(i))
		}
		dns.set(hosts[:29]...)
		r := n.tap(pods, tapclient.Selection{}, tapclient.WithResolver(dns))
		awaitUp := func(number int) {
			for up := 0; up < number; {
				event, err := r.Next(t.Context())
				require.NoError(t, err)
				if _, ok := event.(*tapclient.Up); ok {
					up++
				}
			}
		}
		awaitUp(29)
		dns.set(hosts[29:]...)
		awaitUp(1)
		require.Len(t, r.Origins(), 30)
		r.Close()
	})
}

func TestNameWithoutAddressesIsDownUntilItHasSome(t *testing.T) {
	for name, failure := range map[string]error{
		"it does not exist":   &net.DNSError{Err: "no such host", Name: "collector.example", IsNotFound: true},
		"its server is down":  &net.DNSError{Err: "server misbehaving", Name: "collector.example", IsTemporary: true},
		"it has no addresses": nil,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newInternet(t)
				one, origin := pod(1)
				n.start(one, &service{play: watched})
				dns := &names{}
				dns.fail(failure)
				r := n.tap(pods, tapclient.Selection{}, tapclient.WithResolver(dns))
				for i := range 3 {
					down := next[*tapclient.Down](r)
					require.Equal(t, tapclient.Origin{Endpoint: pods}, down.Origin)
					require.Equal(t, pods, down.String())
					require.Equal(t, i+1, down.Attempt)
					require.Equal(t, down.Time.Add(5*time.Second), down.Retry)
					require.Contains(t, down.Err.Error(), "collector.example")
					var cause *net.DNSError
					require.ErrorAs(t, down.Err, &cause)
				}
				require.Equal(t, tapclient.StateDown, r.Origins()[0].State)
				dns.set("10.0.0.1")
				up := next[*tapclient.Up](r)
				require.Equal(t, origin, up.Origin)
				require.Len(t, r.Origins(), 1, "the name itself is no longer listed")
				r.Close()
			})
		})
	}
}

func TestLookupThatFailsChangesNothingForTheAddressesThereAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		one, origin := pod(1)
		n.start(one, &service{play: watched})
		dns := &names{}
		dns.set("10.0.0.1")
		r := n.tap(pods, tapclient.Selection{}, tapclient.WithResolver(dns))
		next[*tapclient.Up](r)
		dns.fail(errors.New("the name server is down"))
		<-time.After(time.Minute)
		n.stop(one)
		require.Equal(t, origin, next[*tapclient.Down](r).Origin)
		n.start(one, &service{play: watched})
		require.Equal(t, origin, next[*tapclient.Up](r).Origin)
		r.Close()
	})
}

func TestNameIsLookedUpWhenAConnectionFailsButNotTooOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		one, _ := pod(1)
		two, origin := pod(2)
		n.start(one, &service{play: watched})
		n.start(two, &service{play: watched})
		dns := &names{}
		dns.set("10.0.0.1")
		r := n.tap(pods, tapclient.Selection{}, tapclient.WithResolver(dns), tapclient.WithResolvePeriod(time.Hour), tapclient.WithBackoff(time.Millisecond, 10*time.Millisecond))
		next[*tapclient.Up](r)
		require.Equal(t, 1, dns.count())
		<-time.After(time.Minute)
		begin := time.Now()
		dns.set("10.0.0.2")
		n.stop(one)
		for up := false; !up; {
			event, err := r.Next(t.Context())
			require.NoError(t, err)
			_, up = event.(*tapclient.Up)
			if up {
				require.Equal(t, origin, event.From())
			}
		}
		require.Less(t, time.Since(begin), time.Second)
		require.Equal(t, 2, dns.count())

		n.stop(two)
		begin = time.Now()
		for time.Since(begin) < 10*time.Second { // hundreds of attempts
			next[*tapclient.Down](r)
		}
		require.LessOrEqual(t, dns.count(), 2+11)
		r.Close()
	})
}

func TestNameWhoseAddressesAllRefuseEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		one, originOne := pod(1)
		two, originTwo := pod(2)
		no := &service{play: func(*served) error { return status.Error(codes.Unauthenticated, "who?") }}
		n.start(one, no)
		n.start(two, no)
		dns := &names{}
		dns.set("10.0.0.1", "10.0.0.2")
		all := n.tap(pods, tapclient.Selection{}, tapclient.WithResolver(dns)).drain()
		require.Equal(t, tapclient.EndRefused, all.ends[originOne].Reason)
		require.Equal(t, tapclient.EndRefused, all.ends[originTwo].Reason)
		require.Contains(t, all.err.Error(), one+": who?")
		require.Contains(t, all.err.Error(), two+": who?")
	})
}

func TestNameThatIsNeverFoundFailsTheStream(t *testing.T) {
	notFound := &net.DNSError{Err: "no such host", Name: "collector.example", IsNotFound: true}
	for name, stream := range map[string]struct {
		selection tapclient.Selection
		options   []tapclient.Option
		reason    tapclient.EndReason
	}{
		"in the time that it has": {tapclient.Selection{Duration: 12 * time.Second}, nil, tapclient.EndDurationReached},
		"at once":                 {tapclient.Selection{}, []tapclient.Option{tapclient.WithoutReconnect()}, tapclient.EndConnectionLost},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newInternet(t)
				dns := &names{}
				dns.fail(notFound)
				all := n.tap(pods, stream.selection, append(stream.options, tapclient.WithResolver(dns))...).drain()
				require.ErrorAs(t, all.err, &notFound)
				require.Equal(t, stream.reason, all.ends[tapclient.Origin{Endpoint: pods}].Reason)
			})
		})
	}
}

func TestCountEndsAStreamThatFollowsAName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		for i := range 3 {
			address, _ := pod(i)
			n.start(address, &service{play: func(tap *served) error {
				for {
					if err := tap.spans("a", "b"); err != nil {
						return err
					}
				}
			}})
		}
		dns := &names{}
		dns.set("10.0.0.0", "10.0.0.1", "10.0.0.2")
		all := n.tap(pods, tapclient.Selection{Count: 21}, tapclient.WithResolver(dns)).drain()
		require.ErrorIs(t, all.err, io.EOF)
		require.Equal(t, 21, all.count())
	})
}

func TestResolverMayNameWhatOnlyTheDialerKnows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		n.start("otelcol-7d4b9:12001", &service{play: watched, list: &remotetapv1.ListPointsResponse{Version: "1.2.3"}})
		dns := &names{}
		dns.set("otelcol-7d4b9")
		r := n.tap("dns:///deploy-otelcol", tapclient.Selection{}, tapclient.WithResolver(dns))
		require.Equal(t, "otelcol-7d4b9:12001", next[*tapclient.Up](r).String())
		r.Close()
	})
}

func TestReaderWhoStopsReadingDoesNotMakeGoroutinesPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		dns := &names{}
		r := n.tap(pods, tapclient.Selection{}, tapclient.WithResolver(dns), tapclient.WithResolvePeriod(time.Second))
		dns.set("10.0.0.0")
		next[*tapclient.Down](r) // of the name
		for i := range 200 {
			dns.set("10.0.0." + strconv.Itoa(i))
			<-time.After(2 * time.Second)
		}
		assert.Less(t, len(r.Origins()), 30)
		r.Close()
	})
}
