package remotetapprocessor

import (
	"errors"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/confignet"
	"go.opentelemetry.io/collector/confmap"

	"github.com/remotetap/remotetapprocessor/internal/redact"
)

const (
	defaultEndpoint     = "localhost:12001"
	defaultLimit        = 5
	defaultMiBPerSecond = 10
	defaultQueueMiB     = 16
	defaultMaxOverhead  = 0.1

	// defaultReadHeaderTimeout also bounds the TLS handshake. It is shorter than confighttp's, since
	// each connection that says nothing counts.
	defaultReadHeaderTimeout = 10 * time.Second
)

// Config is what a user writes under `remote_tap`; docs/configuration.md is
// its reference. Every key but redact is the server's: points which name one
// endpoint share one server and must agree on all of them.
//
// A Config is read-only once Unmarshal has returned: the collector hands the
// same pointer to every pipeline that uses the point.
type Config struct {
	// Server holds every confighttp server setting (endpoint, transport, tls,
	// auth, cors, middlewares, ...), written at the same level as the keys
	// below. Default: confighttp's own, with the endpoint localhost:12001.
	//
	// The squash tag serves Marshal only. confighttp.ServerConfig has an
	// Unmarshal that ignores the keys it does not know, so ours takes the keys
	// apart itself. And ToServer writes defaults into its receiver: call it on
	// a copy of Server.
	Server confighttp.ServerConfig `mapstructure:",squash"`

	// Limit is the number of taps that may be open at once on the server; the
	// next one is refused. 1 to 1000. Default: 5.
	Limit int `mapstructure:"limit"`

	// PerTap holds the ceilings of one tap. A client may ask for less, never
	// for more.
	PerTap PerTapConfig `mapstructure:"per_tap"`

	// MaxOverhead is the time that taps may take on pipelines' goroutines, as a
	// share of one core, averaged over 10 seconds; rendering has a budget of the
	// same size. More than 0, up to 64. Default: 0.1.
	MaxOverhead float64 `mapstructure:"max_overhead"`

	// AllowedHosts are further names that a request's Host may have when
	// neither auth nor a client CA protects the server: host names without
	// scheme, port or wildcard, in any case. Default: none.
	AllowedHosts []string `mapstructure:"allowed_hosts"`

	// Redact says what viewers may not see. It is each point's own; all other
	// keys are the server's.
	Redact RedactConfig `mapstructure:"redact"`

	// written are the top-level keys that the user gave a value, sorted. Set by
	// Unmarshal; empty in a Config made by a program.
	written []string
}

// PerTapConfig holds the ceilings of one tap.
type PerTapConfig struct {
	// ItemsPerSecond is the most items a second that a tap is sent; a fraction
	// is one item every few seconds. 0 means no ceiling. Default: 0.
	ItemsPerSecond float64 `mapstructure:"items_per_second"`

	// MiBPerSecond is the most captured protobuf that a tap is sent, in MiB a
	// second; fractions are fine. 0 means no ceiling. Default: 10.
	MiBPerSecond float64 `mapstructure:"mib_per_second"`

	// QueueMiB is how much may wait for one client, in MiB and in any form; a
	// full queue drops its oldest data and counts it. 1 to 4096. Default: 16.
	QueueMiB int `mapstructure:"queue_mib"`

	// MaxDuration is how long a tap may stay open. 0 means until the client
	// leaves. Default: 0.
	MaxDuration time.Duration `mapstructure:"max_duration"`
}

// RedactConfig says what is hidden from viewers, in the copy that they get; the
// pipeline's data is never touched. docs/redaction.md has the details.
type RedactConfig struct {
	// Keys are globs of attribute keys, in any case, whose values are hidden.
	// Default: none.
	Keys []string `mapstructure:"keys"`

	// Values are RE2 patterns; what they match is hidden in every text. Default:
	// none.
	Values []string `mapstructure:"values"`

	// Mode is what comes in the place of what is hidden: mask, hash or drop.
	// Default: mask.
	Mode string `mapstructure:"mode"`
}

var (
	_ component.Config    = (*Config)(nil)
	_ confmap.Unmarshaler = (*Config)(nil)
	_ confmap.Marshaler   = Config{}
	_ confmap.Validator   = (*Config)(nil)
)

// createDefaultConfig returns a new Config with every default in place.
func createDefaultConfig() component.Config {
	server := confighttp.NewDefaultServerConfig()
	server.NetAddr.Endpoint = defaultEndpoint
	server.ReadHeaderTimeout = defaultReadHeaderTimeout
	return &Config{
		Server: server,
		Limit:  defaultLimit,
		PerTap: PerTapConfig{MiBPerSecond: defaultMiBPerSecond, QueueMiB: defaultQueueMiB},

		MaxOverhead: defaultMaxOverhead,
		Redact:      RedactConfig{Mode: string(redact.Mask)},
	}
}

// Unmarshal reads conf over the values that c holds already. It is strict at
// every level: unknown keys, keys of features that are not available yet and
// values of the wrong type are errors, each on a line of its own. Values out of
// range are left to Validate.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	written := conf.ToStringMap()
	errs := slices.Concat(deferredKeys(written), unknownKeys(written), c.decodeOwn(conf))
	if len(errs) == 0 {
		errs = c.decodeServer(conf)
	}
	c.written = slices.DeleteFunc(keysWithValue(written), isPointsOwn)
	if len(errs) == 1 {
		return errs[0] // joined, the collector would announce "the following error(s)"
	}
	return errors.Join(errs...)
}

// decodeOwn reads the keys that are ours rather than confighttp's. They are
// read one by one because the general decoder makes the int 0 of 0.5 and the
// duration 30ns of 30 without a word.
func (c *Config) decodeOwn(conf *confmap.Conf) []error {
	var errs []error
	top := keyReader{values: conf.ToStringMap(), errs: &errs}
	top.whole("limit", &c.Limit, 5, limitIsNoRate)
	top.number("max_overhead", &c.MaxOverhead, 0.1)
	perTap := top.section("per_tap")
	perTap.number("items_per_second", &c.PerTap.ItemsPerSecond, 100)
	perTap.number("mib_per_second", &c.PerTap.MiBPerSecond, 10)
	perTap.whole("queue_mib", &c.PerTap.QueueMiB, 16, "")
	perTap.duration("max_duration", &c.PerTap.MaxDuration, "10m")

	hosts := struct {
		AllowedHosts []string `mapstructure:"allowed_hosts"`
	}{c.AllowedHosts}
	if err := conf.Unmarshal(&hosts, confmap.WithIgnoreUnused()); err != nil {
		top.refuse("allowed_hosts", "is not a list of host names; write a list such as [tap.example.com]")
	}
	c.AllowedHosts = hosts.AllowedHosts

	hidden := top.section("redact")
	hidden.texts("keys", &c.Redact.Keys, "globs", `["*password*"]`)
	hidden.texts("values", &c.Redact.Values, "patterns", `["[0-9]{16}"]`)
	hidden.text("mode", &c.Redact.Mode, "mask, hash or drop")
	return errs
}

// decodeServer decodes the other keys just as any confighttp server's. The
// first of its two decodings only serves to be strict: plain has the fields of
// confighttp.ServerConfig, but not its lenient Unmarshal.
func (c *Config) decodeServer(conf *confmap.Conf) []error {
	type plain confighttp.ServerConfig
	var strict struct {
		Server       plain `mapstructure:",squash"`
		Limit        any   `mapstructure:"limit"`
		MaxOverhead  any   `mapstructure:"max_overhead"`
		PerTap       any   `mapstructure:"per_tap"`
		AllowedHosts any   `mapstructure:"allowed_hosts"`
		Redact       any   `mapstructure:"redact"`
	}
	if err := conf.Unmarshal(&strict); err != nil {
		return decodingErrors("", err)
	}
	// Forced, so that ServerConfig.Unmarshal runs on a Conf of its own and just
	// once: a second run on the same value would turn keep-alives off.
	err := conf.Unmarshal(&c.Server, confmap.WithIgnoreUnused(), confmap.WithForceUnmarshaler())
	if c.Server.NetAddr.Transport == "" {
		c.Server.NetAddr.Transport = confignet.TransportTypeTCP
	}
	return decodingErrors("", err)
}

// Marshal writes every key at the level where the user writes it, with its value
// in force; secrets come out redacted. Keep-alives go under the keys in use
// today: confighttp's deprecated ones would lose a `false`.
//
// The receiver is a value because that is what the collector's encoder looks at.
func (c Config) Marshal(conf *confmap.Conf) error {
	type plain Config
	if err := conf.Marshal(plain(c)); err != nil || c.Server.Keepalive.HasValue() {
		return err
	}
	conf.Delete("idle_timeout")
	conf.Delete("keep_alives_enabled")
	keepalive := map[string]any{"enabled": false}
	if enabled, idle := keepAlives(&c.Server); *enabled {
		keepalive = map[string]any{"idle_timeout": *idle}
	}
	return conf.Merge(confmap.NewFromStringMap(map[string]any{"keepalive": keepalive}))
}
