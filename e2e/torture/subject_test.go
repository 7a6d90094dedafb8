//go:build linux

package torture

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// patience is how long a test waits for what must happen. It is only used up by a failing test.
	patience = 30 * time.Second
	// glance is how long a test waits between two looks at the collector's process.
	glance = 10 * time.Millisecond
)

// subject is a collector in a process of its own, as the test sees it.
type subject struct {
	t      *testing.T // of the part that is running
	worker *worker

	address   string // of the tap point in plain text
	tlsServer string // of the one with TLS
	receiver  string // of the OTLP receiver of the tapped pipeline, if there is one
	untapped  string // of the OTLP receiver of a pipeline without a tap, if there is one
}

// startSubject starts a collector and waits until it is ready. It ends with the test, at the latest.
func startSubject(t *testing.T, c configuration) *subject {
	t.Helper()
	s := &subject{t: t, worker: startWorker(t, "collector")}
	c.certificate = newCertificate(t)
	r := s.do(order{Do: "start", Config: c.yaml()})
	s.address, s.tlsServer = r.Addresses["127.0.0.1"], r.Addresses["127.0.0.5"]
	require.NotEmpty(t, s.address)
	require.NotEmpty(t, s.tlsServer)
	return s
}

func (s *subject) do(o order) report { s.t.Helper(); return s.worker.do(s.t, o) }

func (s *subject) state() report { s.t.Helper(); return s.do(order{Do: "state"}) }

func (s *subject) flow(load, canaries bool) {
	s.t.Helper()
	s.do(order{Do: "flow", Load: load, Canaries: canaries})
}

// stop ends the collector in an orderly way: before the collector's process runs out of patience, and
// with nothing left behind.
func (s *subject) stop() report {
	s.t.Helper()
	r := s.do(order{Do: "stop"})
	require.Empty(s.t, r.Leaks, "goroutines are left after the shutdown")
	s.requireHonest(r)
	return r
}

// requireHonest fails if an account in the log does not add up.
func (s *subject) requireHonest(r report) {
	s.t.Helper()
	require.Empty(s.t, r.Dishonest, "accounts that do not add up")
	require.Equal(s.t, r.Items.Seen, r.Items.Skipped+r.Items.Unmatched+r.Items.Matched)
	require.Equal(s.t, r.Items.Matched, r.Items.Sent+r.Items.Dropped)
	require.Zero(s.t, r.Ended["internal_error"], "%v", r.Complaints)
}

// await waits until the collector's process is as it should be.
func (s *subject) await(what string, good func(report) bool) report {
	s.t.Helper()
	return s.awaitDoing(order{Do: "state"}, what, good)
}

// awaitDoing is await with another order than for the state.
func (s *subject) awaitDoing(o order, what string, good func(report) bool) report {
	s.t.Helper()
	return s.awaitWithin(patience, o, what, good)
}

// awaitWithin is awaitDoing with another patience.
func (s *subject) awaitWithin(limit time.Duration, o order, what string, good func(report) bool) report {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for {
		r := s.do(o)
		if good(r) {
			return r
		}
		if !pause(ctx, glance) {
			s.t.Fatalf("waited in vain for %s; at last %+v", what, r)
		}
	}
}

// pause waits for a time; it tells whether the context was not done first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// overview is what the test needs of GET /v1/points.
type overview struct {
	Taps []openTap `json:"taps"`
}

// openTap is a tap in the overview.
type openTap struct {
	UserAgent string `json:"user_agent"`
	Transport string `json:"transport"`
	Remote    string `json:"remote"`
	Ledger    ledger `json:"ledger"`
}

// ledger is the account of an open tap.
type ledger struct {
	Seen, Skipped, Unmatched, Matched, Sent, Pending uint64
	Dropped                                          map[string]uint64
}

// addsUp tells whether the account does.
func (l ledger) addsUp() bool {
	dropped := uint64(0)
	for _, n := range l.Dropped {
		dropped += n
	}
	return l.Seen == l.Skipped+l.Unmatched+l.Matched && l.Matched == l.Sent+l.Pending+dropped
}

// points asks for the overview from an address of the test's choice.
func (s *subject) points(ctx context.Context, from string) (overview, error) {
	var o overview
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	transport := &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+"/v1/points", http.NoBody)
	if err != nil {
		return o, err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return o, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return o, errors.New(response.Status)
	}
	return o, json.NewDecoder(response.Body).Decode(&o)
}

// certificate is a server's certificate, signed by itself.
type certificate struct{ certFile, keyFile string }

func newCertificate(t testing.TB) *certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "torture"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		IPAddresses:  []net.IP{net.ParseIP("127.0.0.5")},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	dir := t.TempDir()
	c := &certificate{certFile: filepath.Join(dir, "cert.pem"), keyFile: filepath.Join(dir, "key.pem")}
	for file, block := range map[string]*pem.Block{
		c.certFile: {Type: "CERTIFICATE", Bytes: der},
		c.keyFile:  {Type: "EC PRIVATE KEY", Bytes: keyDER},
	} {
		require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	}
	return c
}
