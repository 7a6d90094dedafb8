package e2e

import (
	"context"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zapcore"
)

// exampleFiles are the configurations of ../examples, by directory.
func exampleFiles(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("../examples/*/collector.yaml")
	require.NoError(t, err)
	files := map[string]string{}
	for _, path := range paths {
		absolute, err := filepath.Abs(path)
		require.NoError(t, err)
		files[filepath.Base(filepath.Dir(path))] = absolute
	}
	for _, name := range []string{"quickstart", "three-pipelines", "mtls", "incident"} {
		require.Contains(t, files, name)
	}
	return files
}

func TestEveryExampleIsValidAsItStands(t *testing.T) {
	for name, file := range exampleFiles(t) {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, newCollector(t, []string{file}).otelcol.DryRun(context.Background()))
		})
	}
}

// startExample starts an example. Only what cannot be shared with other tests and programs is
// changed: ports, and the collector's telemetry about itself.
func startExample(t *testing.T, file string, documents ...string) *collector {
	t.Helper()
	c := newCollector(t, []string{file}, append([]string{surroundings, `
service:
  telemetry:
    traces:
      processors: []
    metrics:
      readers: []
    logs:
      processors: []
`}, documents...)...)
	c.run()
	c.awaitReady(0)
	require.Equal(t, 1, c.countLogged("remote_tap is listening"))
	return c
}

func TestQuickstartShowsThisMachine(t *testing.T) {
	c := startExample(t, exampleFiles(t)["quickstart"], `
receivers: {host_metrics: {collection_interval: 1s, initial_delay: 0s}}
processors: {remote_tap: {endpoint: localhost:0}}
`)
	w := c.watch(kindNamed(t, "lines"), "/v1/metrics")
	require.Contains(t, string(w.next()), "system.")
	for _, s := range []signal{traces(), logs()} {
		watching := c.watch(kindNamed(t, "coder"), "/v1/"+s.name)
		batch := s.generate("from an application", 2)
		c.post(s, batch)
		requireSame(t, items(t, s, batch), watching.collect(s, 2), s.name)
	}
	require.Empty(t, c.journal.at(zapcore.WarnLevel))
}

func TestThreePipelinesServesThreeClients(t *testing.T) {
	c := startExample(t, exampleFiles(t)["three-pipelines"], "processors: {remote_tap: {endpoint: '0.0.0.0:0'}}")
	requireThreeSignals(t, c, 3)
	require.Len(t, c.journal.at(zapcore.WarnLevel), 1, "that the server is exposed")
}

func TestMTLSServesTwoClientsWithACertificate(t *testing.T) {
	a := newAuthority(t)
	directory := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(directory, "certs"), 0o700))
	a.writeServerFiles(filepath.Join(directory, "certs"))
	files := exampleFiles(t)
	t.Chdir(directory) // the paths in the example are relative
	c := startExample(t, files["mtls"], "processors: {remote_tap: {endpoint: '0.0.0.0:0'}}")
	c.tls = a.client(a.issue("ada", x509.ExtKeyUsageClientAuth))
	requireThreeSignals(t, c, 2)
	require.Empty(t, c.journal.at(zapcore.WarnLevel))
	c.tls = a.client()
	_, err := kindNamed(t, "lines").open(c, "/v1/tap", http.Header{})
	require.Error(t, err)
}

// requireThreeSignals watches with as many clients as the limit allows, and one more.
func requireThreeSignals(t *testing.T, c *collector, limit int) {
	t.Helper()
	var clients []*client
	for i := range limit {
		clients = append(clients, c.watch(kinds()[i*3], "/v1/tap"))
	}
	requireRefused(t, c, kindNamed(t, "coder"), "/", http.StatusServiceUnavailable)
	for _, s := range allSignals()[:3] {
		batch := s.generate("an example", 2)
		c.export(s, batch)
		for _, w := range clients {
			requireSame(t, items(t, s, batch), w.collect(s, 2), w.kind.name)
		}
	}
}
