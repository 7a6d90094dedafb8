package remotetapprocessor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/config/confignet"

	"github.com/remotetap/remotetapprocessor/internal/redact"
)

const (
	maxLimit          = 1000
	maxItemsPerSecond = 1_000_000_000
	maxMiBPerSecond   = 100_000
	maxQueueMiB       = 4096
	minMaxOverhead    = 0.0001
	maxMaxOverhead    = 64
)

// Validate refuses values that cannot work, each with its key, the value and
// what to write, each on a line of its own.
//
// What lies inside tls, auth, cors and so on is not its business: the collector
// validates Server's fields by itself and names them under `server::`.
func (c *Config) Validate() error {
	errs := c.validateEndpoint()
	errs = append(errs,
		inRange("limit", float64(c.Limit), 1, maxLimit, "a whole number"),
		inRange("per_tap::items_per_second", c.PerTap.ItemsPerSecond, 0, maxItemsPerSecond, "a number"),
		inRange("per_tap::mib_per_second", c.PerTap.MiBPerSecond, 0, maxMiBPerSecond, "a number"),
		inRange("per_tap::queue_mib", float64(c.PerTap.QueueMiB), 1, maxQueueMiB, "a whole number"),
		inRange("max_overhead", c.MaxOverhead, minMaxOverhead, maxMaxOverhead, "a share of one core"),
	)
	if c.PerTap.MaxDuration < 0 {
		errs = append(errs, fmt.Errorf("per_tap::max_duration: %s is negative; write a duration such as 10m, or 0s for no end", c.PerTap.MaxDuration))
	}
	for i, host := range c.AllowedHosts {
		errs = append(errs, validateHost(fmt.Sprintf("allowed_hosts::%d", i), host))
	}
	if _, err := c.Redact.rules(make([]byte, secretSize)); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// rules compiles what is to be hidden; the secret is for hashes. Each line of
// the error begins with a key.
func (c *RedactConfig) rules(secret []byte) (*redact.Rules, error) {
	rules, err := redact.Compile(c.Keys, c.Values, c.Mode, secret)
	if err != nil {
		lines := strings.Split(err.Error(), "\n")
		return nil, errors.New("redact::" + strings.Join(lines, "\nredact::"))
	}
	return rules, nil
}

// inRange refuses a value outside [low, high]; NaN is outside. At the low end 0
// means no ceiling.
func inRange(key string, value, low, high float64, what string) error {
	if value >= low && value <= high {
		return nil
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	advice := fmt.Sprintf("write %s from %s to %s", what, number(low), number(high))
	if low == 0 {
		advice += ", 0 being no ceiling"
	}
	return fmt.Errorf("%s: %s is out of range; %s", key, number(value), advice)
}

// validateEndpoint checks what the server is to listen on.
func (c *Config) validateEndpoint() []error {
	endpoint := c.Server.NetAddr.Endpoint
	switch transport := c.Server.NetAddr.Transport; transport {
	case confignet.TransportTypeTCP, confignet.TransportTypeTCP4, confignet.TransportTypeTCP6:
		return []error{validateHostPort(endpoint)}
	case confignet.TransportTypeUnix:
		if !strings.ContainsAny(endpoint, `/\@`) {
			return []error{fmt.Errorf("endpoint: %q is not the path of a unix socket; write one such as /run/otelcol/tap.sock", endpoint)}
		}
		return nil
	default:
		return []error{fmt.Errorf("transport: %q cannot carry HTTP; write tcp, tcp4, tcp6 or unix", transport)}
	}
}

// validateHostPort refuses an endpoint that is not host:port. An empty host
// means every interface, and port 0 any free port.
func validateHostPort(endpoint string) error {
	refuse := func(problem string) error {
		return fmt.Errorf("endpoint: %q %s", endpoint, problem)
	}
	if endpoint == "" {
		return refuse("is empty; write host:port, such as " + defaultEndpoint)
	}
	if strings.Contains(endpoint, "/") {
		return refuse("is not an address to listen on; write host:port without scheme and path, such as " + defaultEndpoint)
	}
	host, port, err := net.SplitHostPort(endpoint)
	switch {
	case err != nil && strings.Count(endpoint, ":") > 1:
		return refuse("is not host:port; write an IPv6 address in brackets, such as [::1]:12001")
	case err != nil || port == "":
		return refuse("has no port; write host:port, such as " + defaultEndpoint)
	}
	if _, err := portNumber(port); err != nil {
		return refuse("has no valid port; write a port from 0 to 65535, such as " + defaultEndpoint)
	}
	if _, err := netip.ParseAddr(host); host != "" && err != nil && !isHostName(host) {
		return refuse("has no valid host; write a host name or an IP address, such as " + defaultEndpoint + ", or 0.0.0.0:12001 for every interface")
	}
	return nil
}

// portNumber returns the number of a TCP port or of a service of that name.
func portNumber(port string) (int, error) {
	return net.DefaultResolver.LookupPort(context.Background(), "tcp", port)
}

// validateHost refuses an allowed host that is neither a host name nor an IP
// address.
func validateHost(key, host string) error {
	refuse := func(problem string) error {
		return fmt.Errorf("%s: %q %s", key, host, problem)
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || isHostName(host) {
		return nil
	}
	switch name, _, err := net.SplitHostPort(host); {
	case strings.Contains(host, "*"):
		return refuse("has a wildcard; write each host name in full, such as tap.example.com")
	case strings.Contains(host, "://"):
		return refuse("has a scheme; write the host name alone, such as tap.example.com")
	case err == nil && isHostName(name):
		return refuse("has a port; write the host name alone: " + name)
	}
	return refuse("is not a host name; write one such as tap.example.com")
}

// isHostName reports whether name has the form of a DNS host name in ASCII
// (RFC 1123, underscores allowed as container platforms use them), with or
// without a trailing dot.
func isHostName(name string) bool {
	name = strings.TrimSuffix(name, ".")
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return false
		}
		if strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}
