//go:build linux

package torture

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

// healthy is a client that does nothing wrong: it watches the canaries, and must get each of them
// in order, whatever others do.
type healthy struct {
	t     testing.TB
	name  string // of its kind; also its User-Agent
	leave func() // ends the tap and waits for the client's goroutine

	mu sync.Mutex
	// guarded by mu
	first, last int64 // canaries that it has got; -1 while there are none
	got         int64 // how many
	missing     int64 // between those
	disorder    []string
	unread      uint64 // by its account, when that was looked at last
	end         error  // why its tap has ended
}

// healthyKinds are the ways to watch, by name.
func healthyKinds() map[string]func(ctx context.Context, address, agent string) (read func() ([]byte, error), hangUp func(), err error) {
	return map[string]func(ctx context.Context, address, agent string) (func() ([]byte, error), func(), error){
		"websocket": watchWebSocket,
		"sse":       watchEvents,
		"grpc":      watchGRPC,
	}
}

// watch opens a healthy tap of a kind, through an address that is the collector's or a proxy's.
func watch(t testing.TB, kind, address, agent string) *healthy {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	read, hangUp, err := healthyKinds()[kind](ctx, address, agent)
	require.NoError(t, err, kind)
	h := &healthy{t: t, name: agent, first: -1, last: -1}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			message, err := read()
			if err != nil {
				h.mu.Lock()
				h.end = err
				h.mu.Unlock()
				return
			}
			h.note(message)
		}
	}()
	h.leave = sync.OnceFunc(func() {
		cancel() // first, or closing a response would wait for a read under way
		hangUp()
		<-done
	})
	t.Cleanup(h.leave)
	return h
}

// canaryName finds the canaries in a message, be it JSON or protobuf.
var canaryName = regexp.MustCompile(`canary (\d+)\.`)

// note takes down the canaries of a message.
func (h *healthy) note(message []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, found := range canaryName.FindAllSubmatch(message, -1) {
		n, err := strconv.ParseInt(string(found[1]), 10, 64)
		switch {
		case err != nil:
			h.disorder = append(h.disorder, err.Error())
		case h.last < 0:
			h.first = n
		case n <= h.last:
			h.disorder = append(h.disorder, fmt.Sprintf("%d after %d", n, h.last))
		default:
			h.missing += n - h.last - 1
		}
		h.last = n
		h.got++
	}
}

func (h *healthy) ended() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.end
}

// requireUnharmed checks that a client has got everything that it was to get. The canaries stand
// still. What it may have missed are batches that passed unread, or were not encoded, because the
// time that taps may take was used up: of that it returns the number. It is time by the clock on
// the wall, and a call that a busy machine stops in its middle for more than 20 ms has used it up.
func (s *subject) requireUnharmed(h *healthy) (unread uint64) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var l ledger
	for {
		require.NoError(s.t, h.ended(), "%s has ended with %d canaries", h.name, h.count())
		// The requests of an attack may still be waiting for their turn, and this one behind them.
		o, err := s.points(ctx, "127.0.0.3")
		l = o.of(h.name).Ledger
		if err == nil && l.Pending == 0 && h.count() >= l.Sent {
			break
		}
		require.True(s.t, pause(ctx, glance), "%s has got %d of %+v: %v", h.name, h.count(), l, err)
	}
	require.True(s.t, l.addsUp(), "%+v", l)
	overhead := l.Dropped["overhead"]
	delete(l.Dropped, "overhead")
	require.Empty(s.t, l.Dropped, "%s has lost something", h.name)
	require.Equal(s.t, l.Matched, l.Sent+overhead, h.name)
	require.Equal(s.t, l.Sent, h.count(), h.name)
	h.mu.Lock()
	defer h.mu.Unlock()
	require.Empty(s.t, h.disorder, h.name)
	require.LessOrEqual(s.t, uint64(h.missing), l.Skipped+overhead, "%s has not got all that it was shown", h.name)
	unread, h.unread = l.Skipped+overhead-h.unread, l.Skipped+overhead
	return unread
}

func (h *healthy) count() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return uint64(h.got)
}

// of finds a client's tap by its User-Agent.
func (o overview) of(agent string) openTap {
	for _, tap := range o.Taps {
		if strings.HasPrefix(tap.UserAgent, agent) { // grpc-go adds its own name
			return tap
		}
	}
	return openTap{}
}

func watchWebSocket(ctx context.Context, address, agent string) (func() ([]byte, error), func(), error) {
	dialing, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	transport := &http.Transport{}
	//nolint:bodyclose // "You never need to close resp.Body yourself."
	conn, _, err := coder.Dial(dialing, "ws://"+address+"/v1/traces?service=canary", &coder.DialOptions{
		HTTPClient: &http.Client{Transport: transport}, HTTPHeader: http.Header{"User-Agent": {agent}},
	})
	if err != nil {
		return nil, nil, err
	}
	conn.SetReadLimit(-1)
	read := func() ([]byte, error) {
		_, message, err := conn.Read(ctx)
		return message, err
	}
	return read, func() { _ = conn.CloseNow() }, nil
}

func watchEvents(ctx context.Context, address, agent string) (func() ([]byte, error), func(), error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/v1/traces?service=canary", http.NoBody)
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set("Accept", "text/event-stream")
	request.Header.Set("User-Agent", agent)
	transport := &http.Transport{ResponseHeaderTimeout: patience, DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Do(request) //nolint:bodyclose // its caller closes it
	if err != nil {
		return nil, nil, err
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return nil, nil, errors.New(response.Status)
	}
	lines := bufio.NewReader(response.Body)
	read := func() ([]byte, error) { return lines.ReadBytes('\n') }
	return read, func() { _ = response.Body.Close() }, nil
}

func watchGRPC(ctx context.Context, address, agent string) (func() ([]byte, error), func(), error) {
	dial := func(ctx context.Context, address string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithUserAgent(agent),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(dial))
	if err != nil {
		return nil, nil, err
	}
	calling, cancel := context.WithCancel(ctx)
	late := time.AfterFunc(patience, cancel)
	call, err := remotetapv1.NewTapServiceClient(conn).Tap(calling, &remotetapv1.TapRequest{Service: []string{"canary"}, Signal: []string{"traces"}})
	if err == nil {
		_, err = call.Header() // the tap is open
	}
	late.Stop()
	if err != nil {
		cancel()
		return nil, nil, errors.Join(err, conn.Close())
	}
	read := func() ([]byte, error) {
		response, err := call.Recv()
		if err != nil {
			return nil, err
		}
		return proto.Marshal(response)
	}
	return read, func() { cancel(); _ = conn.Close() }, nil
}
