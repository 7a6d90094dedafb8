package remotetapprocessor

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/collector/processor/xprocessor"

	"github.com/remotetap/remotetapprocessor/internal/metadata"
)

// pipelines are the processors that a collector has made of one factory.
type pipelines struct {
	t        *testing.T
	registry *registry
	factory  xprocessor.Factory
	made     []component.Component
}

// newPipelines makes none yet. All that run at the end of the test are shut down.
func newPipelines(t *testing.T) *pipelines {
	t.Helper()
	r := newRegistry()
	p := &pipelines{t: t, registry: r, factory: newFactory(r)}
	t.Cleanup(p.shutdown)
	return p
}

// configured is a configuration as the user writes it.
func configured(t *testing.T, settings map[string]any) *Config {
	t.Helper()
	config := createDefaultConfig().(*Config)
	require.NoError(t, config.Unmarshal(confmap.NewFromStringMap(settings)))
	require.NoError(t, config.Validate())
	return config
}

// traces makes a processor for one more pipeline of traces.
func (p *pipelines) traces(id string, config *Config) (processor.Traces, error) {
	made, err := p.factory.CreateTraces(p.t.Context(), p.settings(id), config, consumertest.NewNop())
	if err == nil {
		p.made = append(p.made, made)
	}
	return made, err
}

func (p *pipelines) settings(id string) processor.Settings {
	settings := processortest.NewNopSettings(metadata.Type)
	require.NoError(p.t, settings.ID.UnmarshalText([]byte(id)))
	return settings
}

// mustTraces makes a processor that nothing is wrong with.
func (p *pipelines) mustTraces(id string, config *Config) processor.Traces {
	p.t.Helper()
	made, err := p.traces(id, config)
	require.NoError(p.t, err)
	return made
}

func (p *pipelines) start() error {
	for _, one := range p.made {
		if err := one.Start(p.t.Context(), nopHost()); err != nil {
			return err
		}
	}
	return nil
}

// shutdown shuts them all down, in the order in which they were made.
func (p *pipelines) shutdown() {
	for _, one := range p.made {
		assert.NoError(p.t, one.Shutdown(context.Background()))
	}
	p.made = nil
}

// server is the only server.
func (p *pipelines) server() *server {
	p.t.Helper()
	require.Len(p.t, p.registry.servers, 1)
	for _, s := range p.registry.servers {
		return s
	}
	return nil
}

// names asks a server for its points and their signals.
func names(t *testing.T, s *server) map[string][]string {
	t.Helper()
	var answer pointsJSON
	require.NoError(t, json.Unmarshal(fetch(t, s.addr, "/v1/points"), &answer))
	points := map[string][]string{}
	for _, point := range answer.Points {
		points[point.Point] = point.Signals
	}
	return points
}

func fetch(t *testing.T, address net.Addr, path string) []byte {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address.String()+path, http.NoBody)
	require.NoError(t, err)
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return body
}

// isClosed tells whether nothing listens on an address any more.
func isClosed(t *testing.T, address net.Addr) bool {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address.String())
	if err == nil {
		_ = conn.Close()
	}
	return err != nil
}

// tapOn opens a tap that nobody reads, until the end of the test.
func tapOn(t *testing.T, s *server) *tap {
	t.Helper()
	_, one, err := s.broadcaster.subscribe(t.Context(), everything(), clientInfo{})
	require.NoError(t, err)
	t.Cleanup(func() {
		s.broadcaster.unsubscribe(one, endClientClosed)
		s.broadcaster.sessions.Done()
	})
	return one
}

func TestSameIDInThreePipelinesIsOnePointOnOnePort(t *testing.T) {
	p := newPipelines(t)
	config := configured(t, map[string]any{"endpoint": "localhost:0", "limit": 3})
	next := consumertest.NewNop()
	spans := p.mustTraces("remote_tap", config)
	metrics, err := p.factory.CreateMetrics(t.Context(), p.settings("remote_tap"), config, next)
	require.NoError(t, err)
	logs, err := p.factory.CreateLogs(t.Context(), p.settings("remote_tap"), config, next)
	require.NoError(t, err)
	p.made = append(p.made, metrics, logs)
	require.NoError(t, p.start())

	address := p.server().addr
	assert.Equal(t, map[string][]string{"remote_tap": {"traces", "metrics", "logs"}}, names(t, p.server()))
	for _, one := range []component.Component{spans, metrics} {
		require.NoError(t, one.Shutdown(t.Context()))
		assert.False(t, isClosed(t, address), "another pipeline still uses the port")
	}
	require.NoError(t, logs.Shutdown(t.Context()))
	assert.True(t, isClosed(t, address), "the last one closes it")
	assert.Empty(t, p.registry.points)
	assert.Empty(t, p.registry.servers)
}

func TestSameIDInTwoPipelinesOfOneSignal(t *testing.T) {
	c := newCollector(t)
	p := newPipelines(t)
	first, second := p.mustTraces("remote_tap", c.config), p.mustTraces("remote_tap", c.config)
	require.NoError(t, p.start())
	tap := tapOn(t, p.server())
	require.NoError(t, first.ConsumeTraces(t.Context(), spans(2)))
	require.NoError(t, second.ConsumeTraces(t.Context(), spans(3)))
	assert.EqualValues(t, 5, tap.ledger(time.Now()).seen)
}

func TestTwoIDsShareOneEndpoint(t *testing.T) {
	p := newPipelines(t)
	before := p.mustTraces("remote_tap/before", configured(t, map[string]any{"endpoint": "localhost:0"}))
	after := p.mustTraces("remote_tap/after", configured(t, map[string]any{"endpoint": "127.0.0.1:0"}))
	require.NoError(t, p.start())
	s := p.server()
	assert.Equal(t, map[string][]string{"remote_tap/before": {"traces"}, "remote_tap/after": {"traces"}}, names(t, s))

	tap := tapOn(t, s)
	require.NoError(t, before.ConsumeTraces(t.Context(), spans(2)))
	require.NoError(t, after.ConsumeTraces(t.Context(), spans(3)))
	assert.EqualValues(t, 5, tap.ledger(time.Now()).seen, "a tap sees both")

	require.NoError(t, before.Shutdown(t.Context()))
	assert.Equal(t, map[string][]string{"remote_tap/after": {"traces"}}, names(t, s))
	require.NoError(t, before.ConsumeTraces(t.Context(), spans(2)))
	require.NoError(t, after.ConsumeTraces(t.Context(), spans(3)))
	assert.EqualValues(t, 8, tap.ledger(time.Now()).seen, "the point that has gone is not watched")
}

func TestDifferentEndpointsAreDifferentServers(t *testing.T) {
	p := newPipelines(t)
	p.mustTraces("remote_tap/a", configured(t, map[string]any{"endpoint": "localhost:0", "limit": 1}))
	p.mustTraces("remote_tap/b", configured(t, map[string]any{"endpoint": "[::1]:0", "limit": 2}))
	if err := p.start(); err != nil {
		t.Skipf("this machine has no IPv6: %v", err)
	}
	require.Len(t, p.registry.servers, 2)
	for _, s := range p.registry.servers {
		assert.Len(t, names(t, s), 1)
	}
}

func TestDifferingSettingsAreRefused(t *testing.T) {
	const advice = "; write the same at both, or no key of the server at one of them"
	tests := []struct {
		name         string
		first, other map[string]any
		want         string
	}{
		{
			"another limit",
			map[string]any{"limit": 3},
			map[string]any{"limit": 4},
			"remote_tap and remote_tap/b share the endpoint localhost:0 and must agree on limit (3 there, 4 here)" + advice,
		},
		{
			"a limit and the default",
			map[string]any{"limit": 3},
			nil,
			"remote_tap and remote_tap/b share the endpoint localhost:0 and must agree on limit (3 there, 5 here)" + advice,
		},
		{
			"another endpoint's spelling does not matter",
			map[string]any{"endpoint": "LOCALHOST:0", "limit": 3},
			map[string]any{"endpoint": "127.0.0.1:0"},
			"remote_tap and remote_tap/b share the endpoint 127.0.0.1:0 and must agree on limit (3 there, 5 here)" + advice,
		},
		{
			"a ceiling",
			map[string]any{"per_tap": map[string]any{"queue_mib": 8}},
			nil,
			"remote_tap and remote_tap/b share the endpoint localhost:0 and must agree on per_tap::queue_mib (8 there, 16 here)" + advice,
		},
		{
			"a duration",
			map[string]any{"per_tap": map[string]any{"max_duration": "90m"}},
			map[string]any{"per_tap": map[string]any{"max_duration": "1h"}},
			"remote_tap and remote_tap/b share the endpoint localhost:0 and must agree on per_tap::max_duration (1h30m0s there, 1h0m0s here)" + advice,
		},
		{
			"a setting of confighttp",
			map[string]any{"write_timeout": "10s"},
			nil,
			"remote_tap and remote_tap/b share the endpoint localhost:0 and must agree on write_timeout (10s there, 30s here)" + advice,
		},
		{
			"a list",
			map[string]any{"allowed_hosts": []any{"tap.example.com"}},
			nil,
			"remote_tap and remote_tap/b share the endpoint localhost:0 and must agree on allowed_hosts" + advice,
		},
		{
			"a section that may hold secrets is named and not shown",
			map[string]any{"tls": map[string]any{"cert_pem": "CERTIFICATE", "key_pem": "SECRET"}},
			map[string]any{"tls": map[string]any{"cert_pem": "CERTIFICATE", "key_pem": "OTHER"}},
			"remote_tap and remote_tap/b share the endpoint localhost:0 and must agree on tls" + advice,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPipelines(t)
			p.mustTraces("remote_tap", configured(t, onFreePort(tt.first)))
			_, err := p.traces("remote_tap/b", configured(t, onFreePort(tt.other)))
			assert.EqualError(t, err, tt.want)
		})
	}
}

// onFreePort adds an endpoint where there is none.
func onFreePort(settings map[string]any) map[string]any {
	all := map[string]any{"endpoint": "localhost:0"}
	maps.Copy(all, settings)
	return all
}

func TestSettingsThatMeanTheSameAgree(t *testing.T) {
	tests := []struct {
		name         string
		first, other map[string]any
	}{
		{"nothing but the endpoint", nil, nil},
		{"a default that is written", map[string]any{"limit": 5}, nil},
		{"allowed hosts in another order", map[string]any{"allowed_hosts": []any{"a.example.com", "B.example.com"}}, map[string]any{"allowed_hosts": []any{"b.example.com.", "a.example.com"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPipelines(t)
			p.mustTraces("remote_tap", configured(t, onFreePort(tt.first)))
			p.mustTraces("remote_tap/b", configured(t, onFreePort(tt.other)))
			require.NoError(t, p.start())
			assert.Len(t, names(t, p.server()), 2)
		})
	}
}

func TestBarePointJoinsTheOnlyServer(t *testing.T) {
	server := map[string]any{"endpoint": "localhost:0", "limit": 2}
	tests := []struct {
		name   string
		points []map[string]any // in the order in which they are made and started
	}{
		{"that is made before it", []map[string]any{server, nil}},
		{"that is made after it", []map[string]any{nil, server}},
		{"among other bare points", []map[string]any{nil, server, nil, nil}},
		{"that two points name", []map[string]any{server, nil, server}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPipelines(t)
			for i, settings := range tt.points {
				p.mustTraces("remote_tap/"+string(rune('a'+i)), configured(t, settings))
			}
			require.NoError(t, p.start())
			assert.Equal(t, 2, p.server().config.Limit)
			assert.Len(t, names(t, p.server()), len(tt.points))
		})
	}
}

func TestBarePointBesideSeveralServersIsAnError(t *testing.T) {
	p := newPipelines(t)
	p.mustTraces("remote_tap", configured(t, nil))
	p.mustTraces("remote_tap/a", configured(t, map[string]any{"endpoint": "localhost:0"}))
	p.mustTraces("remote_tap/b", configured(t, map[string]any{"endpoint": "0.0.0.0:0"}))
	assert.EqualError(t, p.start(),
		"remote_tap names no endpoint and there are several to join (localhost:0 and 0.0.0.0:0); write `endpoint` at it")
	assert.Empty(t, p.registry.servers)
}

func TestPortThatIsTakenSaysSo(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	endpoint := listener.Addr().String()
	config := configured(t, map[string]any{"endpoint": endpoint})
	p := newPipelines(t)
	p.mustTraces("remote_tap", config)
	assert.EqualError(t, p.start(), "endpoint: "+endpoint+" is taken by another program, perhaps another collector; "+
		"stop it, or write another port: listen tcp "+endpoint+": bind: address already in use")
	p.shutdown() // as the collector does
	assert.Empty(t, p.registry.points)

	require.NoError(t, listener.Close())
	p.mustTraces("remote_tap", config)
	assert.NoError(t, p.start(), "it is free again")
}

func TestAddressThatIsNotOursSaysSo(t *testing.T) {
	p := newPipelines(t)
	p.mustTraces("remote_tap", configured(t, map[string]any{"endpoint": "192.0.2.1:0"}))
	assert.ErrorContains(t, p.start(), "endpoint: cannot listen on 192.0.2.1:0: ")
}

func TestServerThatCannotBeMadeLeavesThePortFree(t *testing.T) {
	endpoint := freeAddress(t)
	config := configured(t, map[string]any{"endpoint": endpoint, "middlewares": []any{map[string]any{"id": "limiter"}}})
	p := newPipelines(t)
	p.mustTraces("remote_tap", config)
	require.ErrorContains(t, p.start(), "limiter", "the host has no such extension")
	p.shutdown()
	listener, err := net.Listen("tcp", endpoint)
	require.NoError(t, err)
	require.NoError(t, listener.Close())
}

func TestServerThatCannotProtectItselfSaysWhatToWrite(t *testing.T) {
	garbage := filepath.Join(t.TempDir(), "garbage.pem")
	require.NoError(t, os.WriteFile(garbage, []byte("garbage"), 0o600))
	tests := []struct {
		name   string
		server map[string]any
		want   []string
	}{
		{
			"an extension that is not there",
			map[string]any{"auth": map[string]any{"authenticator": "basicauth"}},
			[]string{"auth::authenticator: ", `"basicauth"`, "service::extensions"},
		},
		{
			"a file that is not there",
			map[string]any{"tls": map[string]any{"cert_file": "nowhere.crt", "key_file": garbage}},
			[]string{"tls: ", "nowhere.crt", "cert_file and key_file must be PEM files that belong together"},
		},
		{
			"a file with something else in it",
			map[string]any{"tls": map[string]any{"cert_file": garbage, "key_file": garbage}},
			[]string{"tls: ", "PEM data", "cert_file and key_file must be PEM files that belong together"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.server["endpoint"] = "localhost:0"
			p := newPipelines(t)
			p.mustTraces("remote_tap", configured(t, tt.server))
			err := p.start()
			for _, want := range tt.want {
				assert.ErrorContains(t, err, want)
			}
		})
	}
}

// freeAddress is an address that nobody listens on, right now.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

func TestRestartWithTheSameConfiguration(t *testing.T) {
	endpoint := freeAddress(t)
	config := configured(t, map[string]any{"endpoint": endpoint})
	again := configured(t, map[string]any{"endpoint": endpoint})
	other := configured(t, map[string]any{"endpoint": endpoint, "limit": 1})
	tests := []struct {
		name   string
		config *Config
	}{
		{"at first", config}, {"with the same value", config}, {"with an equal one", again}, {"with another one", other}, {"and back", config},
	}
	p := newPipelines(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p.t = t
			p.mustTraces("remote_tap", tt.config)
			p.mustTraces("remote_tap", tt.config)
			require.NoError(t, p.start())
			assert.Equal(t, endpoint, p.server().addr.String())
			assert.Equal(t, tt.config.Limit, p.server().config.Limit)
			fetch(t, p.server().addr, "/")
			p.shutdown()
			assert.Empty(t, p.registry.servers)
			assert.Empty(t, p.registry.points)
		})
	}
}

func TestConfigurationThatNeverRanIsForgotten(t *testing.T) {
	p := newPipelines(t)
	stale := p.mustTraces("remote_tap", configured(t, map[string]any{"endpoint": "localhost:0", "limit": 1}))
	p.made = nil
	p.mustTraces("remote_tap", configured(t, map[string]any{"endpoint": "localhost:0", "limit": 2}))
	require.NoError(t, p.start())
	assert.Equal(t, 2, p.server().config.Limit)
	require.NoError(t, stale.Shutdown(t.Context()))
	assert.Len(t, names(t, p.server()), 1, "a late Shutdown of the old one does no harm")
	assert.Len(t, p.registry.points, 1)
}

func TestShutdownWithoutStartAndTwice(t *testing.T) {
	tests := []struct {
		name  string
		calls func(p *pipelines, one processor.Traces)
	}{
		{"Shutdown without Start", func(p *pipelines, one processor.Traces) {
			assert.NoError(p.t, one.Shutdown(p.t.Context()))
		}},
		{"Shutdown without Start, twice", func(p *pipelines, one processor.Traces) {
			assert.NoError(p.t, one.Shutdown(p.t.Context()))
			assert.NoError(p.t, one.Shutdown(p.t.Context()))
		}},
		{"Shutdown twice", func(p *pipelines, one processor.Traces) {
			require.NoError(p.t, p.start())
			assert.NoError(p.t, one.Shutdown(p.t.Context()))
			assert.NoError(p.t, one.Shutdown(p.t.Context()))
		}},
		{"Shutdown of one pipeline that has started and one that has not", func(p *pipelines, one processor.Traces) {
			require.NoError(p.t, p.start())
			late := p.mustTraces("remote_tap", p.registry.points[component.NewID(metadata.Type)].config)
			assert.NoError(p.t, one.Shutdown(p.t.Context()))
			assert.Empty(p.t, p.registry.servers)
			assert.NoError(p.t, late.Shutdown(p.t.Context()))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPipelines(t)
			tt.calls(p, p.mustTraces("remote_tap", configured(t, map[string]any{"endpoint": "localhost:0"})))
			assert.Empty(t, p.registry.servers)
			assert.Empty(t, p.registry.points)
		})
	}
}

func TestShutdownTwiceDoesNotCountForAnotherPipeline(t *testing.T) {
	p := newPipelines(t)
	config := configured(t, map[string]any{"endpoint": "localhost:0"})
	one := p.mustTraces("remote_tap", config)
	p.mustTraces("remote_tap", config)
	require.NoError(t, p.start())
	for range 3 {
		require.NoError(t, one.Shutdown(t.Context()))
	}
	assert.False(t, isClosed(t, p.server().addr))
}

func TestTwoFactoriesDoNotMeet(t *testing.T) {
	config := configured(t, map[string]any{"endpoint": "localhost:0", "limit": 1})
	other := configured(t, map[string]any{"endpoint": "localhost:0", "limit": 2})
	a, b := newPipelines(t), newPipelines(t)
	a.mustTraces("remote_tap", config)
	b.mustTraces("remote_tap", other)
	require.NoError(t, a.start())
	require.NoError(t, b.start())
	assert.NotEqual(t, a.server().addr.String(), b.server().addr.String())
	a.shutdown()
	assert.Len(t, names(t, b.server()), 1)
}

func TestServerThatBreaksTellsTheHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := newMemNetwork(kib)
		c := newCollector(t)
		host := &reportingHost{Host: nopHost(), reported: make(chan error, 1)}
		s, err := newServer(c.config, c.settings())
		require.NoError(t, err)
		require.NoError(t, s.serveOn(t.Context(), network, host))
		require.NoError(t, network.Close())
		assert.ErrorIs(t, <-host.reported, net.ErrClosed)
		assert.NoError(t, s.shutdown(t.Context()))
	})
}
