package remotetapprocessor

import (
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/confignet"
	"go.opentelemetry.io/collector/confmap"
)

// This file answers what points ask before they share a server: is there
// anything to share, is it the same one, and do they agree on it. All of it
// reads a Config that has passed Validate.

// setsServer reports whether the user set any of the server's keys, be it to
// its default. A point that sets none joins the one server of the collector.
func (c *Config) setsServer() bool {
	if len(c.written) > 0 {
		return true
	}
	defaults := createDefaultConfig().(*Config)
	key, _, _ := c.serverDifference(defaults)
	return key != "" || c.Server.NetAddr.Endpoint != defaults.Server.NetAddr.Endpoint
}

// serverAddress returns the same text for every endpoint that means the same
// listener: for an address "host:port" with a numeric port, for a unix socket
// "unix:" and its path. Names are not looked up, except localhost, which is the
// loopback address that net.Listen picks for it.
func (c *Config) serverAddress() string {
	if c.Server.NetAddr.Transport == confignet.TransportTypeUnix {
		return "unix:" + c.Server.NetAddr.Endpoint
	}
	host, port, err := net.SplitHostPort(c.Server.NetAddr.Endpoint)
	if err != nil {
		return c.Server.NetAddr.Endpoint
	}
	if number, err := portNumber(port); err == nil {
		port = strconv.Itoa(number)
	}
	return net.JoinHostPort(c.listenHost(host), port)
}

// listenHost returns the one spelling of an endpoint's host; "*" for every
// interface, however that is written.
func (c *Config) listenHost(host string) string {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	switch {
	case host == "":
		return "*"
	case host == "localhost" && c.Server.NetAddr.Transport == confignet.TransportTypeTCP6:
		return "::1"
	case host == "localhost":
		return "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return host
	case ip.IsUnspecified():
		return "*"
	}
	return ip.Unmap().String()
}

// authenticated reports whether clients must prove who they are, by an auth
// extension or a client certificate.
func (c *Config) authenticated() bool {
	tls := c.Server.TLS.Get()
	return c.Server.Auth.HasValue() || tls != nil && tls.ClientCAFile != ""
}

// exposed reports whether others than this machine's users can reach the server
// without authentication.
func (c *Config) exposed() bool {
	if c.authenticated() || c.Server.NetAddr.Transport == confignet.TransportTypeUnix {
		return false
	}
	host, _, err := net.SplitHostPort(c.Server.NetAddr.Endpoint)
	if err != nil {
		return true
	}
	ip, err := netip.ParseAddr(c.listenHost(host))
	return err != nil || !ip.Unmap().IsLoopback()
}

// serverDifference returns the first of the server's keys on which c and other
// differ, "" if they agree. It leaves out the endpoint, which serverAddress
// compares. mine and theirs are the two values as the user writes them; both are
// "" for lists and sections, which may hold secrets.
func (c *Config) serverDifference(other *Config) (key, mine, theirs string) {
	a, b := c.comparable(), other.comparable()
	enabled, idle := keepAlives(&a.Server)
	if otherEnabled, otherIdle := keepAlives(&b.Server); !*enabled || !*otherEnabled {
		*idle = *otherIdle // it means nothing then
	}
	others := settingsOf("", reflect.ValueOf(b))
	for i, s := range settingsOf("", reflect.ValueOf(a)) {
		if !reflect.DeepEqual(s.value, others[i].value) {
			return s.key, s.text, others[i].text
		}
	}
	return "", "", ""
}

// comparable returns a copy of c in which settings that mean the same are the
// same.
func (c *Config) comparable() Config {
	same := *c
	same.Server.NetAddr.Endpoint = ""
	if len(same.Server.Middlewares) == 0 {
		same.Server.Middlewares = nil
	}
	if len(same.Server.ResponseHeaders) == 0 {
		same.Server.ResponseHeaders = nil
	}
	same.Redact = RedactConfig{} // each point's own
	same.AllowedHosts = nil
	for _, host := range c.AllowedHosts {
		same.AllowedHosts = append(same.AllowedHosts, strings.TrimSuffix(strings.ToLower(host), "."))
	}
	slices.Sort(same.AllowedHosts)
	same.AllowedHosts = slices.Compact(same.AllowedHosts)
	return same
}

// setting is one key of a Config and its value.
type setting struct {
	key   string
	value any
	text  string // the value as the user writes it; "" for lists and sections
}

// settingsOf returns what a struct's keys are set to, in the order of its
// fields, which is the same for every value of one type.
func settingsOf(section string, v reflect.Value) []setting {
	var all []setting
	for field := range v.Type().Fields() {
		if !field.IsExported() {
			continue
		}
		name, options, _ := strings.Cut(field.Tag.Get(confmap.MapstructureTag), ",")
		key, value := join(section, name), v.FieldByIndex(field.Index)
		_, optional := optionalType(field.Type)
		switch {
		case options == "squash" || field.Type.Kind() == reflect.Struct && !optional:
			all = append(all, settingsOf(key, value)...)
		case optional || field.Type.Kind() == reflect.Slice:
			all = append(all, setting{key: key, value: value.Interface()})
		default:
			all = append(all, setting{currentKey(key), value.Interface(), fmt.Sprint(value.Interface())})
		}
	}
	return all
}

// keepAlives returns where server has its keepalive settings. confighttp's
// Unmarshal leaves the section of that name empty and moves it there.
func keepAlives(server *confighttp.ServerConfig) (enabled *bool, idle *time.Duration) {
	return &server.KeepAlivesEnabled, &server.IdleTimeout //nolint:staticcheck // deprecated, but the source of truth until they are gone
}

// currentKey returns the key to write for one that confighttp has deprecated but
// still keeps the values in.
func currentKey(key string) string {
	switch key {
	case "idle_timeout":
		return "keepalive::idle_timeout"
	case "keep_alives_enabled":
		return "keepalive::enabled"
	}
	return key
}
