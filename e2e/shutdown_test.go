package e2e

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

// inTime is what a shutdown may take: the two seconds that the processor promises, and as much
// again for the rest of the collector on a busy machine.
const inTime = 4 * time.Second

func TestShutdownTellsEveryClient(t *testing.T) {
	c := start(t, fourPipelines)
	var clients []*client
	for _, k := range kinds() {
		clients = append(clients, c.watch(k, "/v1/tap"))
	}
	batch := logs().generate("the end", 12)
	c.export(logs(), batch)
	for _, w := range clients {
		requireSame(t, items(t, logs(), batch), w.collect(logs(), 12), w.kind.name)
	}
	c.stopWithin(inTime)
	for _, w := range clients {
		more, err := w.rest()
		require.Empty(t, more, w.kind.name)
		requireEnd(t, w.kind, err, coder.StatusGoingAway, "shutdown", "sent 12 of 12 matched")
	}
}

func TestShutdownUnderLoadEndsEveryStreamAfterAWholeDocument(t *testing.T) {
	c := start(t, fourPipelines)
	s := plainTraces(100)
	var clients []*client
	for _, k := range kinds() {
		clients = append(clients, c.watch(k, "/v1/traces", "User-Agent", k.name))
	}
	flow := c.flow(s, 50)
	for _, w := range clients {
		w.next()
	}
	flow.await(flow.sent() + 3)
	// Read on, or the clients would be stuck.
	type result struct {
		messages [][]byte
		err      error
	}
	results := make([]chan result, len(clients))
	for i, w := range clients {
		results[i] = make(chan result, 1)
		go func() {
			messages, err := w.rest()
			results[i] <- result{messages, err}
		}()
	}
	c.stopWithin(inTime)
	for i, w := range clients {
		r := <-results[i]
		received := 50 // of the first message
		for _, message := range r.messages {
			received += len(w.document(s, message))
		}
		ended := c.journal.await(t, 0, c.over, "the end of a tap", func(e entry) bool {
			return e.Message == "tap ended" && e.fields["user_agent"] == w.kind.name
		})
		require.Equal(t, "shutdown", ended.fields["reason"], w.kind.name)
		require.EqualValues(t, received, ended.fields["sent"], w.kind.name)
		totals := fmt.Sprintf("sent %d of %d matched", received, ended.fields["matched"])
		if lost := ended.fields["dropped"].(map[string]uint64)["tap_ended"]; lost > 0 {
			totals += fmt.Sprintf(", dropped %d (tap_ended %d)", lost, lost)
		}
		requireEnd(t, w.kind, r.err, coder.StatusGoingAway, "shutdown", totals)
	}
}

func TestShutdownWithStuckClientsReturnsInTime(t *testing.T) {
	for name, startSlow := range map[string]func(*testing.T) *collector{
		"over TCP": startSlowTCP,
		// A full unix socket has no room for so much as TLS's goodbye.
		"over TLS on a unix socket": startSlowTLS,
	} {
		t.Run(name, func(t *testing.T) {
			c := startSlow(t)
			// Connections on which nothing was asked, or half of it.
			for _, said := range []string{"", "GET /v1/tap HTTP/1.1\r\nHo"} {
				conn, err := c.dial(context.Background(), "http/1.1")
				require.NoError(t, err)
				t.Cleanup(func() { _ = conn.Close() })
				_, err = conn.Write([]byte(said))
				require.NoError(t, err)
			}
			var stuck []string
			for i, k := range slices.Repeat(plainKinds(), 3) {
				agent := fmt.Sprintf("%s, number %d", k.name, i)
				stuck = append(stuck, agent)
				conn, err := k.open(c, "/v1/tap", http.Header{"User-Agent": {agent}})
				require.NoError(t, err, k.name)
				t.Cleanup(conn.close)
			}
			healthy := c.clog()
			took := c.stopWithin(inTime)
			t.Logf("the collector stopped within %s", took)
			_, err := healthy.rest()
			require.Equal(t, coder.StatusGoingAway, coder.CloseStatus(err))
			for _, agent := range stuck {
				ended := c.journal.await(t, 0, c.over, "the end of a tap", func(e entry) bool {
					return e.Message == "tap ended" && e.fields["user_agent"] == agent
				})
				require.Equal(t, "shutdown", ended.fields["reason"], agent)
				require.NotZero(t, ended.fields["dropped"].(map[string]uint64)["tap_ended"], "%s was not stuck", agent)
			}
			// The clients are still there, but nothing of the collector may be.
			// (That net/http is through with a connection it tells from the connection's goroutine.)
			require.Empty(t, slices.DeleteFunc(stacksWith("remotetapprocessor.("), func(stack string) bool {
				return strings.Contains(stack, "net/http.(*conn).setState(")
			}))
			require.Eventually(t, func() bool { return len(stacksWith("net/http.(*conn).serve")) == 0 },
				inTime, time.Millisecond, "connections are left open")
		})
	}
}

// TestStuckClientEndsWithAWriteTimeoutAndIdleOnesDoNot takes the ten seconds that a client has for
// a message. The idle clients have had one and wait for the next for longer than that.
func TestStuckClientEndsWithAWriteTimeoutAndIdleOnesDoNot(t *testing.T) {
	c := startSlowTCP(t)
	stuck := map[string]connection{}
	var idle []*client
	for _, k := range plainKinds() {
		conn, err := k.open(c, "/v1/traces", http.Header{"User-Agent": {k.name}})
		require.NoError(t, err, k.name)
		t.Cleanup(conn.close)
		stuck[k.name] = conn
		idle = append(idle, c.watch(k, "/v1/logs"))
	}
	everybody := func(label string) {
		batch := logs().generate(label, 2)
		c.export(logs(), batch)
		for _, w := range idle {
			requireSame(t, items(t, logs(), batch), w.collect(logs(), 2), w.kind.name)
		}
	}
	everybody("before")
	c.clog()
	for name := range stuck {
		ended := c.journal.await(t, 0, c.over, "the end of "+name, func(e entry) bool {
			return e.Message == "tap ended" && e.fields["user_agent"] == name
		})
		require.Equal(t, "write_timeout", ended.fields["reason"], name)
	}
	everybody("after")
	for name, conn := range stuck {
		if name == "golang.org/x/net/websocket" || name == "lines over HTTP 1.0" {
			continue // where the end of the connection is all that there is to see
		}
		require.Error(t, drain(conn), "%s: a broken stream looks like a finished one", name)
	}
}

// drain reads to the end of a tap; a clean end is no error.
func drain(conn connection) error {
	late := time.AfterFunc(patience, conn.close)
	defer late.Stop()
	for {
		switch _, err := conn.read(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// stacksWith are the stacks of all goroutines that run a function whose name has this in it.
func stacksWith(name string) []string {
	buffer := make([]byte, 16<<20)
	var found []string
	for stack := range strings.SplitSeq(string(buffer[:runtime.Stack(buffer, true)]), "\n\n") {
		if strings.Contains(stack, name) {
			found = append(found, stack)
		}
	}
	return found
}

// clog sends far more spans than sockets and queues hold, at the pace of a healthy client, which
// it returns.
func (c *collector) clog() *client {
	c.t.Helper()
	healthy := c.watch(kindNamed(c.t, "coder"), "/v1/traces")
	s := plainTraces(8192)
	for range 30 {
		c.export(s, s.generate("much", 40))
		healthy.collect(s, 40)
	}
	return healthy
}

// slow are settings of a tap that has small queues, and no ceilings.
const slow = "processors: {remote_tap: {per_tap: {queue_mib: 1, mib_per_second: 0}}}"

// startSlowTCP starts a collector whose clients have small buffers.
func startSlowTCP(t *testing.T) *collector {
	t.Helper()
	c := start(t, fourPipelines, slow)
	c.slow = true
	return c
}

// startSlowTLS is startSlowTCP, for clients with a certificate on a unix socket.
func startSlowTLS(t *testing.T) *collector {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "tap.sock")
	c, a := startTLS(t, slow, "processors: {remote_tap: {transport: unix, endpoint: "+socket+"}}")
	c.tls = a.client(a.issue("ada", x509.ExtKeyUsageClientAuth))
	c.slow = true
	return c
}
