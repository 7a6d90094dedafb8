package remotetapprocessor

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"go.opentelemetry.io/collector/confmap"
)

const (
	notAvailable = ": not available yet; remove this key"
	noLimit      = "; in remote_tap limit is the number of concurrent taps, and a rate (another processor's messages per second) is per_tap::items_per_second"
	ofPerTap     = "the keys of per_tap are items_per_second, max_duration, mib_per_second, queue_mib"
	ofRemoteTap  = "the keys of remote_tap are allowed_hosts, auth, compression_algorithms, cors, dialer, endpoint, idle_timeout, include_metadata, keep_alives_enabled, keepalive, limit, max_overhead, max_request_body_size, middlewares, per_tap, read_header_timeout, read_timeout, redact, response_headers, tls, transport, write_timeout"
)

// refused returns the ids of testdata/config_wrong.yaml, each with its errors.
func refused() map[string][]string {
	return map[string][]string{
		"unknown_key_near_another":         {`endpont: unknown key; did you mean endpoint?`},
		"unknown_key_near_none":            {`per_tap::burst: unknown key; ` + ofPerTap},
		"unknown_key_at_the_top_near_none": {`colour: unknown key; ` + ofRemoteTap},
		"unknown_key_of_a_section": {
			`per_tap::mib_per_sec: unknown key; did you mean per_tap::mib_per_second?`,
			`per_tap::queue_mb: unknown key; did you mean per_tap::queue_mib?`,
		},
		"key_that_is_a_number": {`dialer::1: unknown key; the keys of dialer are timeout`},
		"key_outside_its_section": {
			`cert_file: unknown key; did you mean tls::cert_file?`,
			`queue_mib: unknown key; did you mean per_tap::queue_mib?`,
		},
		"unknown_keys_in_the_server": {
			`auth::authentcator: unknown key; did you mean auth::authenticator?`,
			`cors::allowed_origin: unknown key; did you mean cors::allowed_origins?`,
			`dialer::timeot: unknown key; did you mean dialer::timeout?`,
			`keepalive::idle_timout: unknown key; did you mean keepalive::idle_timeout?`,
			`middlewares::1::ID: unknown key; the keys of middlewares::1 are id`,
			`response_headers::0::vale: unknown key; did you mean response_headers::0::value?`,
			`tls::cert_fle: unknown key; did you mean tls::cert_file?`,
			`tls::tpm::pth: unknown key; did you mean tls::tpm::path?`,
		},

		"later_keys": {
			"lookback_mib" + notAvailable, "page" + notAvailable,
		},
		"later_key_without_a_value": {"page" + notAvailable},

		"redact_unknown_key":      {`redact::key: unknown key; did you mean redact::keys?`},
		"redact_is_text":          {`redact: "password" is not a section; write its keys below it, each on a line of its own`},
		"redact_keys_of_numbers":  {`redact::keys: a list is not a list of globs; write a list such as ["*password*"]`},
		"redact_values_are_a_map": {`redact::values: a map is not a list of patterns; write a list such as ["[0-9]{16}"]`},
		"redact_mode_is_a_number": {`redact::mode: 1 is not a text; write mask, hash or drop`},

		"limit_is_a_rate":            {`limit: 0.5 is not a whole number; write a whole number such as 5` + noLimit},
		"limit_is_text":              {`limit: "five" is not a number; write a number such as 5`},
		"limit_is_a_list":            {`limit: a list is not a number; write a number such as 5`},
		"limit_is_a_section":         {`limit: a map is not a number; write a number such as 5`},
		"limit_is_a_truth":           {`limit: true is not a number; write a number such as 5`},
		"limit_is_beyond_all_bounds": {`limit: 1e+300 is out of range; write a whole number such as 5`},
		"limit_is_not_a_number":      {`limit: NaN is not a whole number; write a whole number such as 5` + noLimit},
		"section_is_a_number":        {`per_tap: 5 is not a section; write its keys below it, each on a line of its own`},
		"queue_is_a_fraction":        {`per_tap::queue_mib: 0.5 is not a whole number; write a whole number such as 16`},
		"rates_are_text":             {`per_tap::items_per_second: "fast" is not a number; write a number such as 100`, `per_tap::mib_per_second: "10MiB" is not a number; write a number such as 10`},
		"duration_without_a_unit":    {`per_tap::max_duration: 30 is not a duration; write a number and a unit such as 10m`},
		"duration_is_text":           {`per_tap::max_duration: "soon" is not a duration; write a number and a unit such as 10m`},
		"duration_is_a_list":         {`per_tap::max_duration: a list is not a duration; write a number and a unit such as 10m`},
		"hosts_are_a_map":            {`allowed_hosts: a map is not a list of host names; write a list such as [tap.example.com]`},
		"server_key_of_another_type": {
			`tls: expected a map or struct, got "bool"`,
			`include_metadata: expected type 'bool', got unconvertible type 'string'`,
			`read_timeout: time: invalid duration`,
			`middlewares::0::id: expected a map or struct, got "slice"`,
			`endpoint: expected type 'string', got unconvertible type 'int'`,
		},
		"unknown_transport":      {`transport: unsupported transport type "quic"`},
		"keepalive_in_both_ways": {`confighttp.ServerConfig: cannot use deprecated keepalive fields (idle_timeout, keep_alives_enabled) alongside the 'keepalive' section; migrate to the 'keepalive' section`},
		"errors_of_all_kinds": {
			"page" + notAvailable,
			`endpont: unknown key; did you mean endpoint?`,
			`per_tap::burst: unknown key; ` + ofPerTap,
			`limit: 0.5 is not a whole number; write a whole number such as 5` + noLimit,
			`per_tap::max_duration: 30 is not a duration; write a number and a unit such as 10m`,
		},

		"empty_endpoint":                  {`endpoint: "" is empty; write host:port, such as localhost:12001`},
		"null_endpoint":                   {`endpoint: "" is empty; write host:port, such as localhost:12001`},
		"endpoint_without_port":           {`endpoint: "localhost" has no port; write host:port, such as localhost:12001`},
		"endpoint_with_empty_port":        {`endpoint: "localhost:" has no port; write host:port, such as localhost:12001`},
		"endpoint_with_port_out_of_range": {`endpoint: "localhost:70000" has no valid port; write a port from 0 to 65535, such as localhost:12001`},
		"endpoint_with_unknown_service":   {`endpoint: "localhost:nosuchservice" has no valid port; write a port from 0 to 65535, such as localhost:12001`},
		"endpoint_is_a_url":               {`endpoint: "http://localhost:12001" is not an address to listen on; write host:port without scheme and path, such as localhost:12001`},
		"endpoint_is_a_bare_ipv6_address": {`endpoint: "::1:12001" is not host:port; write an IPv6 address in brackets, such as [::1]:12001`},
		"endpoint_with_a_wildcard":        {`endpoint: "*:12001" has no valid host; write a host name or an IP address, such as localhost:12001, or 0.0.0.0:12001 for every interface`},
		"transport_without_connections":   {`transport: "udp" cannot carry HTTP; write tcp, tcp4, tcp6 or unix`},
		"unix_socket_without_a_path":      {`endpoint: "localhost:12001" is not the path of a unix socket; write one such as /run/otelcol/tap.sock`},
		"limit_too_small":                 {`limit: 0 is out of range; write a whole number from 1 to 1000`},
		"limit_too_large":                 {`limit: 1001 is out of range; write a whole number from 1 to 1000`},
		"per_tap_too_small": {
			`per_tap::items_per_second: -1 is out of range; write a number from 0 to 1000000000, 0 being no ceiling`,
			`per_tap::mib_per_second: -0.5 is out of range; write a number from 0 to 100000, 0 being no ceiling`,
			`per_tap::queue_mib: 0 is out of range; write a whole number from 1 to 4096`,
			`per_tap::max_duration: -1s is negative; write a duration such as 10m, or 0s for no end`,
		},
		"per_tap_too_large": {
			`per_tap::items_per_second: +Inf is out of range; write a number from 0 to 1000000000, 0 being no ceiling`,
			`per_tap::mib_per_second: 100001 is out of range; write a number from 0 to 100000, 0 being no ceiling`,
			`per_tap::queue_mib: 4097 is out of range; write a whole number from 1 to 4096`,
		},
		"per_tap_not_a_number": {
			`per_tap::items_per_second: NaN is out of range; write a number from 0 to 1000000000, 0 being no ceiling`,
			`per_tap::mib_per_second: NaN is out of range; write a number from 0 to 100000, 0 being no ceiling`,
		},
		"redaction_that_hides_nothing": {
			`redact::mode: "blank" is no mode; write mask, hash or drop`,
			`redact::keys::1: "" is empty; write an attribute key such as "db.user", or a glob such as "*password*"`,
			`redact::values::0: "(" is no RE2 pattern: missing closing ): "("; see https://github.com/google/re2/wiki/Syntax`,
		},
		"hosts_that_are_none": {
			`allowed_hosts::0: "tap.example.com:12001" has a port; write the host name alone: tap.example.com`,
			`allowed_hosts::1: "https://tap.example.com" has a scheme; write the host name alone, such as tap.example.com`,
			`allowed_hosts::2: "*.example.com" has a wildcard; write each host name in full, such as tap.example.com`,
			`allowed_hosts::3: "" is not a host name; write one such as tap.example.com`,
			`allowed_hosts::4: "tap example com" is not a host name; write one such as tap.example.com`,
			`allowed_hosts::5: "bücher.example" is not a host name; write one such as tap.example.com`,
			`allowed_hosts::6: "a..b" is not a host name; write one such as tap.example.com`,
			`allowed_hosts::7: "-a.example" is not a host name; write one such as tap.example.com`,
		},
		"names_that_are_too_long": {
			`endpoint: "` + strings.Repeat("a", 74) + `:1" has no valid host; write a host name or an IP address, such as localhost:12001, or 0.0.0.0:12001 for every interface`,
			`allowed_hosts::0: "` + strings.Repeat("a.", 127) + `a" is not a host name; write one such as tap.example.com`,
		},
		"tls_without_a_key":            {`server::tls: config: TLS configuration must include both certificate and key (CertFile/CertPem and KeyFile/KeyPem)`},
		"tls_section_without_anything": {`server::tls: TLS configuration must include both certificate and key for server connections`},
		"a_response_header_twice":      {`server::response_headers: duplicate keys in map-style list: [X-Secret]`},
		"wrong_values_of_all_kinds": {
			`endpoint: "localhost" has no port; write host:port, such as localhost:12001`,
			`limit: -1 is out of range; write a whole number from 1 to 1000`,
			`per_tap::queue_mib: 0 is out of range; write a whole number from 1 to 4096`,
			`allowed_hosts::0: "*" has a wildcard; write each host name in full, such as tap.example.com`,
			`server::tls: TLS configuration must include both certificate and key for server connections`,
		},
	}
}

func TestConfigIsRefused(t *testing.T) {
	file := configFile(t, "config_wrong.yaml")
	for id, conf := range file {
		t.Run(id, func(t *testing.T) {
			want, ok := refused()[strings.TrimPrefix(id, "remote_tap/")]
			require.True(t, ok, "the table has no such id")
			_, err := load(conf)
			require.Error(t, err)
			// What the general decoder puts before the errors of any Unmarshal.
			got := strings.TrimPrefix(err.Error(), "decoding failed due to the following error(s):\n\n")
			assert.Equal(t, strings.Join(want, "\n"), strings.TrimPrefix(got, "'' "))
			_, again := load(conf)
			assert.EqualError(t, again, err.Error(), "the second time")
		})
	}
	for id := range refused() {
		assert.Contains(t, file, "remote_tap/"+id)
	}
}

func TestUnknownKeyInAMapOfAnotherGoType(t *testing.T) {
	_, err := load(confmap.NewFromStringMap(map[string]any{"dialer": map[string]string{"timeot": "1s"}}))
	assert.EqualError(t, err, "'' dialer: has invalid keys: timeot")
}

func TestOneErrorIsReportedAlone(t *testing.T) {
	_, err := load(configFile(t, "config_wrong.yaml")["remote_tap/limit_is_text"])
	assert.EqualError(t, err, `'' limit: "five" is not a number; write a number such as 5`)
}
