package e2e

import (
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	coder "github.com/coder/websocket"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zapcore"
)

// pipelines writes the service section: one pipeline for each name, with its processors.
func pipelines(processors map[string]string) string {
	var b strings.Builder
	b.WriteString("service:\n  pipelines:\n")
	for name, list := range processors {
		b.WriteString("    " + name + ": {receivers: [otlp], processors: [" + list + "], exporters: [recorder]}\n")
	}
	return b.String()
}

func TestSameIDInThreePipelinesIsOnePointOnOnePort(t *testing.T) {
	c := start(t, `
processors:
  remote_tap:
    endpoint: localhost:0
    limit: 3
`, pipelines(map[string]string{"traces": "remote_tap", "metrics": "remote_tap", "logs": "remote_tap"}))
	require.Equal(t, 1, c.countLogged("remote_tap is listening"))
	points := c.points().Points
	require.Len(t, points, 1)
	require.Equal(t, []string{"traces", "metrics", "logs"}, points[0].Signals)

	w := c.watch(kindNamed(t, "coder"), "/")
	for _, s := range allSignals()[:3] {
		batch := s.generate("one of three", 5)
		c.export(s, batch)
		requireSame(t, items(t, s, batch), w.collect(s, 5), s.name)
	}
}

func TestTwoIDsWithOneEndpointAreTwoPointsOnOneServer(t *testing.T) {
	for name, processors := range map[string]string{
		"written alike": `
processors:
  remote_tap/before: {endpoint: localhost:0, limit: 7}
  remote_tap/after: {endpoint: localhost:0, limit: 7}
`,
		"as a name and as an address": `
processors:
  remote_tap/before: {endpoint: localhost:0}
  remote_tap/after: {endpoint: 127.0.0.1:0}
`,
		"and in several pipelines": `
processors:
  remote_tap/before: {endpoint: localhost:0}
  remote_tap/after: {endpoint: localhost:0}
service:
  pipelines:
    logs: {receivers: [otlp], processors: [remote_tap/before], exporters: [recorder]}
    metrics: {receivers: [otlp], processors: [remote_tap/after], exporters: [recorder]}
`,
		"and one that names none": `
processors:
  remote_tap/before: {endpoint: localhost:0, limit: 7}
  remote_tap/after:
`,
		"and the first one names none": `
processors:
  remote_tap/before:
  remote_tap/after: {endpoint: localhost:0, limit: 7}
`,
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, processors, pipelines(map[string]string{"traces": "remote_tap/before, mutator, remote_tap/after"}),
				"processors: {mutator: }")
			require.Equal(t, 1, c.countLogged("remote_tap is listening"))
			require.ElementsMatch(t, []string{"remote_tap/after", "remote_tap/before"}, c.points().names())

			w := c.watch(kindNamed(t, "golang.org"), "/v1/traces")
			batch := traces().generate("seen twice", 3)
			c.export(traces(), batch)
			requireSame(t, items(t, traces(), batch), w.collect(traces(), 3), "before")
			for _, item := range w.collect(traces(), 3) {
				require.Contains(t, item, mutated)
			}
		})
	}
}

func TestTwoEndpointsAreTwoServersThatDoNotMix(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "tap.sock")
	c := start(t, `
processors:
  remote_tap/before: {endpoint: localhost:0}
  remote_tap/after: {transport: unix, endpoint: `+socket+`}
  mutator:
`, pipelines(map[string]string{"traces": "remote_tap/before, mutator, remote_tap/after"}))
	require.Equal(t, 2, c.countLogged("remote_tap is listening"))
	var watching []*client
	for point, address := range map[string]string{"remote_tap/before": "127.0.0.1", "remote_tap/after": socket} {
		c.dialTo = c.listeningOn(address)
		require.Equal(t, []string{point}, c.points().names())
		watching = append(watching, c.watch(kindNamed(t, "lines"), "/v1/traces", "User-Agent", point))
	}
	batch := traces().generate("apart", 3)
	c.export(traces(), batch)
	for _, w := range watching {
		changed := strings.Contains(strings.Join(w.collect(traces(), 3), ""), mutated)
		require.Equal(t, w.agent == "remote_tap/after", changed, w.agent)
	}
	c.stop()
	for _, w := range watching {
		more, _ := w.rest()
		require.Empty(t, more, w.agent)
	}
}

func TestWrongConfigurationsAreStartUpErrorsThatSayWhatToDo(t *testing.T) {
	taken, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	two := pipelines(map[string]string{"traces": "remote_tap/a", "logs": "remote_tap/b"})
	one := pipelines(map[string]string{"traces": "remote_tap"})
	for name, wrong := range map[string]struct {
		documents []string
		says      []string
	}{
		"differing limits": {
			[]string{"processors: {remote_tap/a: {endpoint: localhost:0, limit: 3}, remote_tap/b: {endpoint: localhost:0, limit: 4}}", two},
			[]string{"remote_tap/a", "remote_tap/b", "limit", "3", "4"},
		},
		"differing ceilings, at a name and at its address": {
			[]string{"processors: {remote_tap/a: {endpoint: localhost:0}, remote_tap/b: {endpoint: '127.0.0.1:0', per_tap: {queue_mib: 4}}}", two},
			[]string{"remote_tap/a", "remote_tap/b", "per_tap::queue_mib", "16", "4"},
		},
		"differing hosts": {
			[]string{"processors: {remote_tap/a: {endpoint: localhost:0}, remote_tap/b: {endpoint: localhost:0, allowed_hosts: [tap.example.com]}}", two},
			[]string{"remote_tap/a", "remote_tap/b", "allowed_hosts"},
		},
		"differing TLS": {
			[]string{"processors: {remote_tap/a: {endpoint: localhost:0}, remote_tap/b: {endpoint: localhost:0, tls: {cert_file: a, key_file: b}}}", two},
			[]string{"remote_tap/a", "remote_tap/b", "tls"},
		},
		"a point without an endpoint beside two servers": {
			[]string{
				"processors: {remote_tap/a: {endpoint: localhost:0}, remote_tap/b: {endpoint: '127.1.2.3:0'}, remote_tap: }",
				two, pipelines(map[string]string{"metrics": "remote_tap"}),
			},
			[]string{"remote_tap", "localhost:0", "127.1.2.3:0", "endpoint"},
		},
		"a port that another program has": {
			[]string{"processors: {remote_tap: {endpoint: '" + taken.Addr().String() + "'}}", one},
			[]string{"remote_tap", "endpoint", taken.Addr().String(), "taken", "another"},
		},
		"a limit that is a rate": {
			[]string{"processors: {remote_tap: {limit: 0.5}}", one},
			[]string{"remote_tap", "limit", "0.5", "per_tap::items_per_second"},
		},
		"a key that is misspelt": {
			[]string{"processors: {remote_tap: {endpont: localhost:0}}", one},
			[]string{"remote_tap", "endpont", "endpoint"},
		},
		"a nested key that is misspelt": {
			[]string{"processors: {remote_tap: {tls: {client_ca_fil: x}}}", one},
			[]string{"remote_tap", "tls::client_ca_fil", "client_ca_file"},
		},
		"a feature that is not there yet": {
			[]string{"processors: {remote_tap: {lookback_mib: 8}}", one},
			[]string{"remote_tap", "lookback_mib", "not available yet"},
		},
		"certificates that do not exist": {
			[]string{"processors: {remote_tap: {endpoint: localhost:0, tls: {cert_file: /no/such/cert, key_file: /no/such/key}}}", one},
			[]string{"remote_tap", "/no/such/"},
		},
		"an authenticator that does not exist": {
			[]string{"processors: {remote_tap: {endpoint: localhost:0, auth: {authenticator: basicauth}}}", one},
			[]string{"remote_tap", "basicauth"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := startWrong(t, wrong.documents...).Error()
			for _, word := range wrong.says {
				require.Contains(t, err, word)
			}
		})
	}
}

// TestReloadEndsTheTapsAndServesAgain: the collector reloads the same configuration, with taps open, and a changed one.
func TestReloadEndsTheTapsAndServesAgain(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "tap.sock")
	service := pipelines(map[string]string{"traces": "remote_tap/tcp, remote_tap/unix", "logs": "remote_tap/tcp"})
	configuration := func(endpoint string) string {
		return `
processors:
  remote_tap/tcp: {endpoint: "` + endpoint + `"}
  remote_tap/unix: {transport: unix, endpoint: ` + socket + `}
`
	}
	c := start(t, configuration("localhost:0"), service)
	c.dialTo = c.listeningOn("127.0.0.1")
	// From here on the port is fixed, as in users' configurations.
	fixed := configuration(c.dialTo.address)
	for round := range 4 {
		c.dialTo = c.listeningOn("127.0.0.1")
		w := c.watch(kindNamed(t, "coder"), "/v1/logs")
		c.dialTo = c.listeningOn(socket)
		other := c.watch(kindNamed(t, "lines over HTTP 2"), "/v1/traces")
		for _, s := range []signal{logs(), traces()} {
			c.export(s, s.generate("round "+strconv.Itoa(round), 2))
		}
		w.collect(logs(), 2)
		other.collect(traces(), 2)

		c.reload(fixed, service)
		_, err := w.rest()
		var closed coder.CloseError
		require.ErrorAs(t, err, &closed)
		require.Equal(t, coder.StatusGoingAway, closed.Code)
		require.Equal(t, "shutdown: sent 2 of 2 matched", closed.Reason)
		_, err = other.rest()
		require.EqualError(t, err, "EOF")
	}
	require.Empty(t, c.journal.at(zapcore.ErrorLevel))
}

func TestTwoCollectorsInOneProcessDoNotMeet(t *testing.T) {
	processors := "processors: {remote_tap: {endpoint: localhost:0, limit: 1}}"
	service := pipelines(map[string]string{"logs": "remote_tap"})
	one, two := start(t, processors, service), start(t, processors, service)
	require.NotEqual(t, one.address(), two.address())
	// The limit of one tap holds for each.
	a, b := one.watch(kindNamed(t, "coder"), "/"), two.watch(kindNamed(t, "coder"), "/")
	forOne, forTwo := logs().generate("for one", 1), logs().generate("for two", 1)
	one.export(logs(), forOne)
	two.export(logs(), forTwo)
	requireSame(t, items(t, logs(), forOne), a.collect(logs(), 1), "the client of one")
	requireSame(t, items(t, logs(), forTwo), b.collect(logs(), 1), "the client of two")
	one.stop()
	more, err := a.rest()
	require.Empty(t, more)
	require.Equal(t, coder.StatusGoingAway, coder.CloseStatus(err))
	two.export(logs(), forTwo)
	requireSame(t, items(t, logs(), forTwo), b.collect(logs(), 1), "the client of two")
}

// TestPortIsFreeAgainAfterAStartThatFailedLater: what a start that failed half way leaves behind is in nobody's way.
func TestPortIsFreeAgainAfterAStartThatFailedLater(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "tap.sock")
	taken, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	processors := "processors: {remote_tap: {transport: unix, endpoint: " + socket + "}}"
	service := pipelines(map[string]string{"logs": "remote_tap"})
	// Processors start before receivers.
	require.ErrorContains(t, startWrong(t, processors, service,
		"receivers: {otlp: {protocols: {grpc: {endpoint: '"+taken.Addr().String()+"'}}}}"), "address already in use")
	c := start(t, processors, service)
	require.Equal(t, []string{"remote_tap"}, c.points().names())
}
