package remotetapprocessor

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// at returns the default Config with another endpoint and transport.
func at(transport, endpoint string) *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.Server.NetAddr.Endpoint = endpoint
	if err := cfg.Server.NetAddr.Transport.UnmarshalText([]byte(transport)); err != nil {
		panic(err)
	}
	return cfg
}

func TestServerAddress(t *testing.T) {
	tests := []struct{ name, transport, endpoint, want string }{
		{"localhost is the loopback address", "tcp", "localhost:12001", "127.0.0.1:12001"},
		{"the loopback address is itself", "tcp", "127.0.0.1:12001", "127.0.0.1:12001"},
		{"capitals and a trailing dot make no difference", "tcp", "LocalHost.:12001", "127.0.0.1:12001"},
		{"another loopback address is another", "tcp", "127.0.0.2:12001", "127.0.0.2:12001"},
		{"IPv6's loopback address is another", "tcp", "[::1]:12001", "[::1]:12001"},
		{"localhost over tcp6 is IPv6's", "tcp6", "localhost:12001", "[::1]:12001"},
		{"localhost over tcp4 is IPv4's", "tcp4", "localhost:12001", "127.0.0.1:12001"},
		{"an IPv4 address in IPv6 is the IPv4 address", "tcp", "[::ffff:127.0.0.1]:12001", "127.0.0.1:12001"},
		{"a long IPv6 address is a short one", "tcp", "[0:0:0:0:0:0:0:1]:12001", "[::1]:12001"},
		{"a zone counts", "tcp", "[fe80::1%eth0]:12001", "[fe80::1%eth0]:12001"},
		{"no host is every interface", "tcp", ":12001", "*:12001"},
		{"0.0.0.0 is every interface", "tcp", "0.0.0.0:12001", "*:12001"},
		{"[::] is every interface", "tcp", "[::]:12001", "*:12001"},
		{"a name is not looked up", "tcp", "Tap.Example.COM:12001", "tap.example.com:12001"},
		{"a port is a number", "tcp", "localhost:012001", "127.0.0.1:12001"},
		{"a service has a number", "tcp", "localhost:http", "127.0.0.1:80"},
		{"any free port is one endpoint", "tcp", "localhost:0", "127.0.0.1:0"},
		{"a unix socket is its path", "unix", "/run/Tap.sock", "unix:/run/Tap.sock"},
		{"what is no address is only itself", "tcp", "nonsense", "nonsense"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, at(tt.transport, tt.endpoint).serverAddress())
		})
	}
}

func TestExposed(t *testing.T) {
	const (
		auth = "{auth: {authenticator: bearertokenauth}, endpoint: '0.0.0.0:1'}"
		mtls = "{tls: {cert_file: a, key_file: b, client_ca_file: c}, endpoint: '0.0.0.0:1'}"
		tls  = "{tls: {cert_file: a, key_file: b}, endpoint: '0.0.0.0:1'}"
		off  = "{auth: {enabled: false, authenticator: bearertokenauth}, endpoint: '0.0.0.0:1'}"
	)
	tests := []struct {
		name string
		cfg  *Config
		want bool
	}{
		{"the default", createDefaultConfig().(*Config), false},
		{"a loopback address", at("tcp", "127.0.0.2:1"), false},
		{"IPv6's loopback address", at("tcp", "[::1]:1"), false},
		{"a loopback address in IPv6", at("tcp", "[::ffff:127.0.0.1]:1"), false},
		{"a unix socket", at("unix", "/run/tap.sock"), false},
		{"every interface", at("tcp", "0.0.0.0:1"), true},
		{"every interface, without a host", at("tcp", ":1"), true},
		{"an address of a network", at("tcp", "10.0.0.1:1"), true},
		{"a name, whatever it stands for", at("tcp", "tap.internal:1"), true},
		{"what is no address", at("tcp", "nonsense"), true},
		{"with an authenticator", loadText(t, auth), false},
		{"with a client CA", loadText(t, mtls), false},
		{"with TLS but no client CA", loadText(t, tls), true},
		{"with an authenticator that is turned off", loadText(t, off), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, tt.cfg.exposed())
		})
	}
}

func TestSetsServer(t *testing.T) {
	tests := []struct {
		name, text string
		want       bool
	}{
		{"nothing", "{}", false},
		{"a key of confighttp", "{write_timeout: 1s}", true},
		{"the endpoint", "{endpoint: 'localhost:1'}", true},
		{"a key of ours", "{limit: 3}", true},
		{"a section of ours", "{per_tap: {queue_mib: 3}}", true},
		{"a default, spelled out", "{limit: 5}", true},
		{"an empty list", "{allowed_hosts: []}", true},
		{"a key without a value", "{limit: }", false},
		{"a null that means another value than the default", "{write_timeout: }", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, loadText(t, tt.text).setsServer())
		})
	}
	t.Run("an endpoint that a program set", func(t *testing.T) {
		assert.True(t, at("tcp", "localhost:0").setsServer())
		assert.True(t, at("tcp", "127.0.0.1:12001").setsServer())
	})
	t.Run("a limit that a program set", func(t *testing.T) {
		cfg := createDefaultConfig().(*Config)
		cfg.Limit = 3
		assert.True(t, cfg.setsServer())
	})
}

func TestServerDifference(t *testing.T) {
	const certs = "cert_file: a, key_file: b"
	tests := []struct{ name, mine, theirs, key, a, b string }{
		{"nothing", "{}", "{}", "", "", ""},
		{"the endpoint alone, which is compared elsewhere", "{endpoint: 'localhost:1'}", "{endpoint: '127.0.0.1:1'}", "", "", ""},
		{"a default that one spells out", "{limit: 5}", "{}", "", "", ""},
		{"transport", "{transport: tcp4}", "{}", "transport", "tcp4", "tcp"},
		{"a key in a section of confighttp's address", "{dialer: {timeout: 1s}}", "{}", "dialer::timeout", "1s", "0s"},
		{"tls in one only", "{tls: {" + certs + "}}", "{}", "tls", "", ""},
		{"a key of tls, without its value", "{tls: {cert_pem: x, key_pem: secret}}", "{tls: {cert_pem: x, key_pem: other}}", "tls", "", ""},
		{"the same tls", "{tls: {" + certs + "}}", "{tls: {" + certs + "}}", "", "", ""},
		{"tls turned off", "{tls: {enabled: false, " + certs + "}}", "{}", "", "", ""},
		{"cors", "{cors: {allowed_origins: ['*']}}", "{cors: {}}", "cors", "", ""},
		{"auth", "{auth: {authenticator: a}}", "{auth: {authenticator: b}}", "auth", "", ""},
		{"a header's value, not shown", "{response_headers: {a: b}}", "{response_headers: {a: c}}", "response_headers", "", ""},
		{"headers as section and as list", "{response_headers: {a: b}}", "{response_headers: [{name: a, value: b}]}", "", "", ""},
		{"no headers, in two ways", "{response_headers: []}", "{}", "", "", ""},
		{"no middlewares, in two ways", "{middlewares: []}", "{}", "", "", ""},
		{"no compression, and any", "{compression_algorithms: []}", "{}", "compression_algorithms", "", ""},
		{"a number of bytes", "{max_request_body_size: 5}", "{}", "max_request_body_size", "5", "0"},
		{"a truth value", "{include_metadata: true}", "{}", "include_metadata", "true", "false"},
		{"a duration", "{read_header_timeout: 5s}", "{}", "read_header_timeout", "5s", "10s"},
		{"middlewares in another order", "{middlewares: [{id: a}, {id: b}]}", "{middlewares: [{id: b}, {id: a}]}", "middlewares", "", ""},
		{"keepalive's timeout", "{keepalive: {idle_timeout: 5s}}", "{}", "keepalive::idle_timeout", "5s", "1m0s"},
		{"keepalive turned off", "{keepalive: {enabled: false}}", "{}", "keepalive::enabled", "false", "true"},
		{"keepalive turned off, with a timeout left over", "{keepalive: {enabled: false}}", "{keep_alives_enabled: false, idle_timeout: 5s}", "", "", ""},
		{"keepalive by its old and its new name", "{keepalive: {idle_timeout: 5s}}", "{idle_timeout: 5s}", "", "", ""},
		{"limit", "{limit: 3}", "{limit: 4}", "limit", "3", "4"},
		{"items_per_second", "{per_tap: {items_per_second: 0.5}}", "{}", "per_tap::items_per_second", "0.5", "0"},
		{"mib_per_second", "{per_tap: {mib_per_second: 1}}", "{}", "per_tap::mib_per_second", "1", "10"},
		{"queue_mib", "{per_tap: {queue_mib: 1}}", "{}", "per_tap::queue_mib", "1", "16"},
		{"max_duration", "{per_tap: {max_duration: 1h}}", "{}", "per_tap::max_duration", "1h0m0s", "0s"},
		{"allowed_hosts", "{allowed_hosts: [a.example.com]}", "{}", "allowed_hosts", "", ""},
		{"allowed_hosts, spelled otherwise", "{allowed_hosts: [a.example.com, b.example.com]}", "{allowed_hosts: [B.example.com., A.example.com, a.example.com]}", "", "", ""},
		{"the first of several", "{limit: 3, include_metadata: true}", "{}", "include_metadata", "true", "false"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mine, theirs := loadText(t, tt.mine), loadText(t, tt.theirs)
			key, a, b := mine.serverDifference(theirs)
			assert.Equal(t, []string{tt.key, tt.a, tt.b}, []string{key, a, b})
			key, b, a = theirs.serverDifference(mine)
			assert.Equal(t, []string{tt.key, tt.a, tt.b}, []string{key, a, b}, "the other way round")
		})
	}
}
