package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// lookupTimeout is how long a name may take to be found.
const lookupTimeout = 10 * time.Second

// site is one address of an endpoint. It is read-only after sites.
type site struct {
	connection app.Connection
	endpoint   string // as the user wrote it
	plain      string // as tapclient reaches it: with a scheme
	network    string // tcp or unix
	host, port string // of the endpoint; of unix the host is the path
	address    string // where it is dialled
	tls        bool
	chosen     bool   // the address is one of many, and has to be dialled instead of the endpoint's
	proxy      string // what is between, without its password; "" if nothing
	dial       tapclient.DialFunc
	found      []finding // by finding it
	broken     bool      // there is nothing more to look at
}

// shown is the address, if it is not what the endpoint says anyway.
func (s *site) shown() string {
	if s.chosen {
		return s.address
	}
	return ""
}

// client makes a client of this address alone.
func (s *site) client(ctx context.Context) (*tapclient.Client, error) {
	options := []tapclient.Option{tapclient.WithoutReconnect()}
	if s.chosen {
		options = append(options, tapclient.WithDialer(func(ctx context.Context, _, _ string) (net.Conn, error) {
			return s.dial(ctx, s.network, s.address)
		}))
	}
	return s.connection.Dial(ctx, []string{s.plain}, options...)
}

// sites finds the addresses of all endpoints, and how many are left out.
func (d *doctor) sites(ctx context.Context, connection app.Connection) (sites []*site, left int) {
	for _, endpoint := range connection.Endpoints {
		sites = append(sites, d.sitesOf(ctx, connection, endpoint)...)
	}
	if len(sites) > maxSites {
		return sites[:maxSites], len(sites) - maxSites
	}
	return sites, 0
}

// sitesOf finds those of one endpoint.
func (d *doctor) sitesOf(ctx context.Context, connection app.Connection, endpoint string) []*site {
	s := &site{connection: connection, endpoint: endpoint, network: "tcp", dial: (&net.Dialer{}).DialContext}
	if connection.Pods != nil {
		s.dial = connection.Pods.Dial
	}
	client, err := connection.Dial(ctx, []string{endpoint})
	if err != nil {
		s.breaks("endpoint", "", err.Error())
		return []*site{s}
	}
	client.Close() // it was about what is written
	follows := s.read()
	if s.network == "unix" {
		return []*site{s}
	}
	if connection.Pods == nil && !follows && s.throughProxy() {
		return []*site{s}
	}
	return s.resolve(ctx, follows)
}

// breaks adds a finding after which there is nothing more to look at.
func (s *site) breaks(check, remedy, text string) {
	s.found = append(s.found, finding{Check: check, State: stateProblem, Text: text, Remedy: remedy})
	s.broken = true
}

// read takes an endpoint, which tapclient has accepted, apart. It reports whether all addresses of the
// name are meant.
func (s *site) read() (follows bool) {
	settings := s.connection.Settings
	s.tls = settings.CACert != "" || settings.Cert != "" || settings.ServerName != "" || settings.InsecureSkipVerify
	scheme, rest, found := strings.Cut(strings.TrimSpace(s.endpoint), "://")
	port := tapclient.DefaultPort
	switch scheme = strings.ToLower(scheme); {
	case !found:
		rest = strings.TrimSpace(s.endpoint)
	case scheme == "unix":
		s.network, s.host, s.address, s.plain, s.tls = "unix", rest, rest, s.endpoint, false
		return false
	case scheme == "http":
		s.tls, port = false, "80"
	case scheme == "https":
		s.tls, port = true, "443"
	case scheme == "dns":
		rest, follows = strings.TrimPrefix(rest, "/"), true
	}
	rest = strings.TrimSuffix(rest, "/")
	host, given, err := net.SplitHostPort(rest)
	if err != nil {
		host, given = strings.Trim(rest, "[]"), port
	}
	s.host, s.port = host, given
	s.address = net.JoinHostPort(host, given)
	s.plain = "http://" + s.address
	if s.tls {
		s.plain = "https://" + s.address
	}
	_, notIP := netip.ParseAddr(host)
	return follows && notIP != nil
}

// throughProxy reports whether the environment names a proxy for the endpoint. Then only it connects.
func (s *site) throughProxy() bool {
	through, err := httpproxy.FromEnvironment().ProxyFunc()(&url.URL{Scheme: "https", Host: s.address})
	if err != nil || through == nil {
		return false
	}
	s.proxy = through.Scheme + "://" + through.Host
	s.found = append(s.found, finding{
		Check: "proxy", State: stateNote,
		Text:   "connections go through " + s.proxy + ", which HTTPS_PROXY names",
		Remedy: "if it should not be in between, add " + s.host + " to NO_PROXY",
	})
	return true
}

// resolve looks the host up. There is a site for each address if all of them are meant.
func (s *site) resolve(ctx context.Context, follows bool) []*site {
	resolver, check := tapclient.Resolver(net.DefaultResolver), "resolves"
	if s.connection.Pods != nil {
		resolver, check = s.connection.Pods, "pods"
	}
	lookup, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	addresses, err := resolver.LookupHost(lookup, s.host)
	if err != nil {
		s.breaks(check, lookupRemedy(err), lookupWords(s.host, err))
		return []*site{s}
	}
	slices.Sort(addresses)
	addresses = slices.Compact(addresses)
	what := s.host + " is " + some(addresses)
	if s.connection.Pods != nil {
		what = s.connection.Pods.String() + " is " + some(addresses)
	}
	if _, err := netip.ParseAddr(s.host); err != nil {
		s.found = append(s.found, finding{Check: check, State: stateOK, Text: what})
	}
	if !follows {
		return []*site{s}
	}
	var all []*site
	for _, address := range addresses {
		one := *s
		one.address, one.chosen = net.JoinHostPort(address, s.port), true
		one.found = slices.Clone(s.found)
		all = append(all, &one)
	}
	return all
}

func lookupWords(host string, err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return fmt.Sprintf("%s has no addresses: %s", host, dns.Err)
	}
	return fmt.Sprintf("%s cannot be looked up: %v", host, err)
}

func lookupRemedy(err error) string {
	var dns *net.DNSError
	switch {
	case !errors.As(err, &dns):
		return ""
	case dns.IsNotFound:
		return "is the name spelled right, and known on this machine? Names inside a cluster are not: use --kube, or a port-forward and localhost"
	case dns.IsTimeout:
		return "no name server answers: is the network, or the VPN, up?"
	default:
		return ""
	}
}

// maxNames is how many names or addresses a finding shows.
const maxNames = 5

// some are the first few of many names.
func some(names []string) string {
	if len(names) <= maxNames {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNames], ", "), len(names)-maxNames)
}
