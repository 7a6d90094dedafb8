package remotetapprocessor

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configauth"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configmiddleware"
	"go.opentelemetry.io/collector/config/confignet"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

// configFile is a file of testdata: its ids and what each holds.
func configFile(tb testing.TB, name string) map[string]*confmap.Conf {
	tb.Helper()
	conf, err := confmaptest.LoadConf(filepath.Join("testdata", name))
	require.NoError(tb, err)
	ids := map[string]*confmap.Conf{}
	for id := range conf.ToStringMap() {
		ids[id], err = conf.Sub(id)
		require.NoError(tb, err)
	}
	return ids
}

// load reads conf the way the collector does.
func load(conf *confmap.Conf) (*Config, error) {
	cfg := createDefaultConfig().(*Config)
	if err := conf.Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, confmap.Validate(cfg)
}

// loadText is load from YAML.
func loadText(t *testing.T, text string) *Config {
	t.Helper()
	var raw map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(text), &raw))
	cfg, err := load(confmap.NewFromStringMap(raw))
	require.NoError(t, err)
	return cfg
}

// loads returns the ids of testdata/config.yaml, each with what it changes.
func loads() map[string]func(c *Config) {
	return map[string]func(c *Config){
		"remote_tap": func(*Config) {},
		"remote_tap/three_pipelines": func(c *Config) {
			c.Server.NetAddr.Endpoint = "0.0.0.0:12001"
			c.Limit = 3
		},
		"remote_tap/tls": func(c *Config) {
			c.Server.NetAddr.Endpoint = "0.0.0.0:12001"
			c.Server.TLS = configoptional.Some(configtls.ServerConfig{
				Config:       configtls.Config{CertFile: "server.crt", KeyFile: "server.key"},
				ClientCAFile: "ca.crt",
			})
			c.Limit = 2
		},
		"remote_tap/every_key_of_its_own": func(c *Config) {
			c.Server.NetAddr.Endpoint = "tap.internal:4317"
			c.Limit = 7
			c.PerTap = PerTapConfig{ItemsPerSecond: 0.5, MiBPerSecond: 2.5, QueueMiB: 32, MaxDuration: 90 * time.Minute}
			c.AllowedHosts = []string{"tap.example.com", "TAP.example.org.", "192.0.2.7"}
		},
		"remote_tap/every_key_of_the_server": func(c *Config) { c.Server = everyServerKey() },
		"remote_tap/without_keepalive": func(c *Config) {
			enabled, _ := keepAlives(&c.Server)
			*enabled = false
		},
		"remote_tap/response_headers_as_a_list": func(c *Config) {
			c.Server.ResponseHeaders = configopaque.MapList{{Name: "X-Secret", Value: "hush"}}
		},
		"remote_tap/sections_turned_off":    func(*Config) {},
		"remote_tap/null_means_the_default": func(*Config) {},
		"remote_tap/an_empty_section":       func(*Config) {},
		"remote_tap/an_empty_transport":     func(*Config) {},
		"remote_tap/keys_with_their_path":   func(c *Config) { c.PerTap.QueueMiB = 8 },
		"remote_tap/hosts_in_one_string":    func(c *Config) { c.AllowedHosts = []string{"a.example.com", "b.example.com"} },
		"remote_tap/redaction": func(c *Config) {
			c.Redact = RedactConfig{
				Keys:   []string{"*password*", "http.request.header.authorization"},
				Values: []string{"[0-9]{13,16}"},
				Mode:   "hash",
			}
		},
		"remote_tap/a_unix_socket": func(c *Config) {
			c.Server.NetAddr.Endpoint = "/run/otelcol/tap.sock"
			c.Server.NetAddr.Transport = confignet.TransportTypeUnix
		},
		"remote_tap/any_free_port":   func(c *Config) { c.Server.NetAddr.Endpoint = "localhost:0" },
		"remote_tap/every_interface": func(c *Config) { c.Server.NetAddr.Endpoint = ":12001" },
		"remote_tap/the_largest_values": func(c *Config) {
			c.Limit = 1000
			c.PerTap = PerTapConfig{ItemsPerSecond: 1e9, MiBPerSecond: 1e5, QueueMiB: 4096, MaxDuration: 2562047 * time.Hour}
		},
		"remote_tap/the_smallest_values": func(c *Config) {
			c.Limit = 1
			c.PerTap = PerTapConfig{QueueMiB: 1}
		},
	}
}

func everyServerKey() confighttp.ServerConfig {
	server := confighttp.NewDefaultServerConfig()
	server.NetAddr.Endpoint = "[::1]:http"
	server.NetAddr.Transport = confignet.TransportTypeTCP6
	server.NetAddr.DialerConfig.Timeout = time.Second
	server.TLS = configoptional.Some(configtls.ServerConfig{Config: configtls.Config{
		CertPem: "a certificate", KeyPem: "a key", MinVersion: "1.3", ReloadInterval: time.Hour,
	}})
	server.CORS = configoptional.Some(confighttp.CORSConfig{AllowedOrigins: []string{"https://grafana.example.com"}, MaxAge: 600})
	server.Auth = configoptional.Some(confighttp.AuthConfig{
		Config:            configauth.Config{AuthenticatorID: component.MustNewIDWithName("bearertokenauth", "tap")},
		RequestParameters: []string{"token"},
	})
	server.MaxRequestBodySize = 1024
	server.IncludeMetadata = true
	server.ResponseHeaders = configopaque.MapList{{Name: "X-Secret", Value: "hush"}}
	server.CompressionAlgorithms = []string{"", "gzip"}
	server.ReadTimeout, server.ReadHeaderTimeout, server.WriteTimeout = time.Second, 2*time.Second, 3*time.Second
	server.Middlewares = []configmiddleware.Config{{ID: component.MustNewID("limitermiddleware")}}
	_, idle := keepAlives(&server)
	*idle = 4 * time.Second
	return server
}

func TestConfigLoads(t *testing.T) {
	file := configFile(t, "config.yaml")
	for id, conf := range file {
		if id == "remote_tap/with_the_deprecated_keepalive_keys" {
			continue // below: confighttp notes the warnings it has to log
		}
		t.Run(id, func(t *testing.T) {
			change, ok := loads()[id]
			require.True(t, ok, "the table has no such id")
			got, err := load(conf)
			require.NoError(t, err)
			want := createDefaultConfig().(*Config)
			change(want)
			want.written = got.written
			assert.Equal(t, want, got)
		})
	}
	t.Run("the deprecated keepalive keys", func(t *testing.T) {
		got, err := load(file["remote_tap/with_the_deprecated_keepalive_keys"])
		require.NoError(t, err)
		enabled, idle := keepAlives(&got.Server)
		assert.Equal(t, 5*time.Second, *idle)
		assert.False(t, *enabled)
	})
	for id := range loads() {
		assert.Contains(t, file, id)
	}
}

func TestDefaultConfig(t *testing.T) {
	cfg := createDefaultConfig()
	require.NoError(t, componenttest.CheckConfigStruct(cfg))
	require.NoError(t, confmap.Validate(cfg))
	assert.NotSame(t, cfg, createDefaultConfig())
}

func TestUnmarshalCalledDirectly(t *testing.T) {
	conf := confmap.NewFromStringMap(map[string]any{"limit": 3, "keepalive": map[string]any{"idle_timeout": "5s"}})
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, cfg.Unmarshal(conf))
	assert.Equal(t, 3, cfg.Limit)
	enabled, idle := keepAlives(&cfg.Server)
	assert.Equal(t, 5*time.Second, *idle)
	assert.True(t, *enabled)
	assert.Equal(t, map[string]any{"limit": 3, "keepalive": map[string]any{"idle_timeout": "5s"}}, conf.ToStringMap(), "the Conf is left as it was")
}

func TestValuesOfOtherGoTypes(t *testing.T) {
	cfg, err := load(confmap.NewFromStringMap(map[string]any{
		"limit":   uint16(3),
		"per_tap": map[string]any{"items_per_second": float32(0.5), "queue_mib": int64(4), "max_duration": time.Minute},
	}))
	require.NoError(t, err)
	assert.Equal(t, 3, cfg.Limit)
	assert.Equal(t, PerTapConfig{ItemsPerSecond: 0.5, MiBPerSecond: 10, QueueMiB: 4, MaxDuration: time.Minute}, cfg.PerTap)
}

func TestConfigFromTheEnvironment(t *testing.T) {
	env := map[string]string{"LIMIT": "3", "ENDPOINT": "localhost:0", "HEADER": "0123", "HOSTS": "[a.example.com, b.example.com]", "DURATION": "5m", "EMPTY": ""}
	conf := resolve(t, env, `
endpoint: ${env:ENDPOINT}
limit: ${env:LIMIT}
response_headers: {X-Number: "${env:HEADER}"}
per_tap: {max_duration: "${env:DURATION}", queue_mib: "${env:EMPTY}"}
allowed_hosts: ${env:HOSTS}
`)
	cfg, err := load(conf)
	require.NoError(t, err)
	assert.Equal(t, "localhost:0", cfg.Server.NetAddr.Endpoint)
	assert.Equal(t, 3, cfg.Limit)
	assert.Equal(t, configopaque.MapList{{Name: "X-Number", Value: "0123"}}, cfg.Server.ResponseHeaders, "text stays as it is written")
	assert.Equal(t, PerTapConfig{MiBPerSecond: 10, QueueMiB: 16, MaxDuration: 5 * time.Minute}, cfg.PerTap)
	assert.Equal(t, []string{"a.example.com", "b.example.com"}, cfg.AllowedHosts)
}

// resolve expands ${env:...} in text as the collector does.
func resolve(t *testing.T, env map[string]string, text string) *confmap.Conf {
	t.Helper()
	provider := func(scheme string, get func(string) string) confmap.ProviderFactory {
		return confmap.NewProviderFactory(func(confmap.ProviderSettings) confmap.Provider { return fakeProvider{scheme, get} })
	}
	resolver, err := confmap.NewResolver(confmap.ResolverSettings{
		URIs: []string{"text:"},
		ProviderFactories: []confmap.ProviderFactory{
			provider("text", func(string) string { return text }),
			provider("env", func(name string) string { return env[name] }),
		},
	})
	require.NoError(t, err)
	conf, err := resolver.Resolve(t.Context())
	require.NoError(t, err)
	return conf
}

// fakeProvider answers with YAML.
type fakeProvider struct {
	scheme string
	get    func(string) string
}

func (p fakeProvider) Retrieve(_ context.Context, uri string, _ confmap.WatcherFunc) (*confmap.Retrieved, error) {
	return confmap.NewRetrievedFromYAML([]byte(p.get(strings.TrimPrefix(uri, p.scheme+":"))))
}
func (p fakeProvider) Scheme() string               { return p.scheme }
func (fakeProvider) Shutdown(context.Context) error { return nil }

func TestConfigRoundTrip(t *testing.T) {
	for id, conf := range configFile(t, "config.yaml") {
		t.Run(id, func(t *testing.T) {
			cfg, err := load(conf)
			require.NoError(t, err)
			printed := confmap.New()
			require.NoError(t, printed.Marshal(cfg))
			text, err := yaml.Marshal(printed.ToStringMap())
			require.NoError(t, err)
			assert.NotContains(t, string(text), "hush")
			assert.NotContains(t, string(text), "a key")

			again := loadText(t, string(text))
			key, mine, theirs := cfg.serverDifference(again)
			if id == "remote_tap/every_key_of_the_server" {
				assert.Equal(t, "tls", key, "redacted")
				return
			}
			if strings.Contains(id, "response_headers") {
				assert.Equal(t, "response_headers", key, "redacted")
				return
			}
			assert.Empty(t, key, "%s and %s", mine, theirs)
			assert.Equal(t, cfg.serverAddress(), again.serverAddress())
		})
	}
}

func TestMarshalledKeysAreAtTheirLevel(t *testing.T) {
	printed := confmap.New()
	require.NoError(t, printed.Marshal(createDefaultConfig()))
	got := printed.ToStringMap()
	assert.Equal(t, "localhost:12001", got["endpoint"])
	assert.Equal(t, 5, got["limit"])
	assert.Equal(t, map[string]any{"items_per_second": 0.0, "mib_per_second": 10.0, "queue_mib": 16, "max_duration": time.Duration(0)}, got["per_tap"])
	assert.Equal(t, map[string]any{"idle_timeout": time.Minute}, got["keepalive"])
	assert.NotContains(t, got, "idle_timeout", "deprecated")
	assert.NotContains(t, got, "keep_alives_enabled", "deprecated")
	assert.NotContains(t, got, "server")
	assert.NotContains(t, got, "written")
}

// FuzzConfig looks for panics, and for what loads but does not load again.
func FuzzConfig(f *testing.F) {
	for _, name := range []string{"config.yaml", "config_wrong.yaml"} {
		for _, conf := range configFile(f, name) {
			text, err := yaml.Marshal(conf.ToStringMap())
			require.NoError(f, err)
			f.Add(text)
		}
	}
	f.Add([]byte("per_tap: {1: 2}\n5: 6"))
	f.Add([]byte("tls: {true: {}}"))
	f.Add([]byte("'::': 1\nlimit::: 2"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var raw map[string]any
		if yaml.Unmarshal(text, &raw) != nil {
			return
		}
		cfg, err := load(confmap.NewFromStringMap(raw))
		if err != nil {
			return
		}
		require.NoError(t, confmap.New().Marshal(cfg))
		assert.Empty(t, first(cfg.serverDifference(cfg)))
		assert.NotEmpty(t, cfg.serverAddress())
		_, _ = cfg.setsServer(), cfg.exposed()
		for key := range raw {
			assert.NotContains(t, notYetAvailable(), key)
		}
	})
}

func first(key, _, _ string) string { return key }

// TestConfigurationReference holds docs/configuration.md against the code: each
// key has a row that starts with it and its default, and each row has a key.
func TestConfigurationReference(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("docs", "configuration.md"))
	require.NoError(t, err)
	rows := map[string]string{}
	for line := range strings.Lines(string(page)) {
		if cells := strings.Split(line, " | "); strings.HasPrefix(line, "| `") {
			rows[strings.Trim(cells[0], "| `")] = line
			assert.Len(t, cells, 5, line)
		}
	}
	want := defaults()
	for key, value := range want {
		assert.Contains(t, rows[key], fmt.Sprintf("| `%s` | %s | ", key, value))
	}
	assert.ElementsMatch(t, slices.Collect(maps.Keys(want)), slices.Collect(maps.Keys(rows)))
	for key, bound := range map[string]int{
		"limit": maxLimit, "per_tap::items_per_second": maxItemsPerSecond,
		"per_tap::mib_per_second": maxMiBPerSecond, "per_tap::queue_mib": maxQueueMiB,
	} {
		assert.Contains(t, rows[key], fmt.Sprintf("above %d", bound))
	}
	assert.Contains(t, string(page), "`"+strings.Join(notYetAvailable(), "`, `")+"`.")
}

// defaults returns every key with its default, as the reference writes it.
func defaults() map[string]string {
	all := map[string]string{}
	for _, s := range settingsOf("", reflect.ValueOf(createDefaultConfig()).Elem()) {
		all[s.key] = "none"
		if text, ok := strings.CutSuffix(s.text, "m0s"); ok {
			s.text = text + "m"
		}
		if s.text != "" {
			all[s.key] = "`" + s.text + "`"
		}
	}
	delete(all, "keepalive") // always empty: confighttp keeps its keys elsewhere
	return all
}
