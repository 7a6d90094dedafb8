package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/tapclient"
)

// watching watches endpoints, to which no connection can be made, and returns what the watch says and its
// error. After a minute, in fake time, the user has enough.
func watching(t *testing.T, err error, endpoints ...string) (said string, ended error) {
	t.Helper()
	var words bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		a := New(System{Out: io.Discard, Err: &words, Getenv: noEnvironment})
		dialer := tapclient.WithDialer(func(_ context.Context, _, address string) (net.Conn, error) {
			if address == "down:12001" {
				return nil, syscall.ECONNREFUSED
			}
			return nil, err
		})
		_, ended = a.Watch(ctx, endpoints, tapclient.Selection{}, Watcher{Options: []tapclient.Option{dialer}})
	})
	return words.String(), ended
}

func TestAFailureThatLastsEndsTheFirstAttempt(t *testing.T) {
	noHost := &net.DNSError{Err: "no such host", Name: "spans", IsNotFound: true}
	for _, test := range []struct {
		name      string
		err       error
		endpoints []string
		want      string // in the error; "" if it goes on
	}{
		{"a word that is no host", noHost, []string{"spans"}, `"spans" is no host that can be found; signals are traces, metrics, logs, profiles`},
		{"a name that does not exist", noHost, []string{"otel.example:12001"}, "no such host"},
		{"several, and none exists", noHost, []string{"spans", "otel.example:12001"}, "otel.example:12001"},
		{"a certificate that does not fit", &tls.CertificateVerificationError{Err: errors.New("expired")}, []string{"https://otel.example"}, "expired"},
		{"a server without TLS", fmt.Errorf("handshake: %w", tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}), []string{"https://otel.example"}, "TLS"},
		{"a collector that restarts", syscall.ECONNREFUSED, []string{"otel.example:12001"}, ""},
		{"one of several may come", noHost, []string{"spans", "down:12001"}, ""},
		{"a name server that is down", &net.DNSError{Err: "server misbehaving", IsTemporary: true}, []string{"otel.example"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			said, err := watching(t, test.err, test.endpoints...)
			if test.want == "" {
				require.NoError(t, err)
				assert.Contains(t, said, "trying again")
				return
			}
			require.ErrorContains(t, err, test.want)
			assert.Equal(t, CodeFailed, CodeOf(err))
			assert.NotContains(t, said, test.endpoints[len(test.endpoints)-1]+": ", "the error says it")
		})
	}
}

func TestNamesThatAreFollowedMayComeLater(t *testing.T) {
	noHost := &net.DNSError{Err: "no such host", Name: "pods", IsNotFound: true}
	status := func(endpoint string, connections int) tapclient.Status {
		return tapclient.Status{Origin: tapclient.Origin{Endpoint: endpoint}, Err: noHost, Totals: tapclient.Totals{Connections: connections}}
	}
	require.Error(t, hopeless([]tapclient.Status{status("pods:1", 0)}))
	require.NoError(t, hopeless([]tapclient.Status{status("DNS:///pods:1", 0)}))
	require.NoError(t, hopeless([]tapclient.Status{status("pods:1", 1)}), "it was there")
	require.NoError(t, hopeless(nil))
}

func TestReachKnowsWhetherSomebodyWasThere(t *testing.T) {
	a, b := tapclient.Origin{Endpoint: "a"}, tapclient.Origin{Endpoint: "b"}
	var r Reach
	told := func(events ...tapclient.Event) {
		for _, e := range events {
			require.NoError(t, r.Event(e))
		}
	}
	require.ErrorContains(t, r.Never(), "no collector has answered")
	require.NoError(t, r.Now())
	told(&tapclient.Down{Origin: a, Err: syscall.ECONNREFUSED}, &tapclient.Down{Origin: a, Err: syscall.ETIMEDOUT})
	require.EqualError(t, r.Never(), "a: connection timed out")
	told(&tapclient.Up{Origin: b})
	require.NoError(t, r.Never())
	require.EqualError(t, r.Now(), "a: connection timed out")
	told(&tapclient.End{Origin: a, Reason: tapclient.EndAddressGone})
	require.NoError(t, r.Now())
}

func TestWhatCameAfterTheEndIsNotLost(t *testing.T) {
	ledger := tapclient.Ledger{Matched: 16, Sent: 1, Dropped: map[string]uint64{tapclient.DropTapEnded: 11, "rate_limit": 4}}
	totals := tapclient.Totals{Received: tapclient.Received{Items: 1}, Ledger: withoutRest(ledger)}
	assert.Equal(t, "matched 16, received 1, dropped 4: rate_limit 4; 11 more matched after the end", TotalsWords(totals))
	assert.Equal(t, "dropped 4 of 16: rate_limit 4", LossWords(totals.Ledger))
	assert.EqualValues(t, 11, ledger.Dropped[tapclient.DropTapEnded], "the account of the server stays as it is")
}
