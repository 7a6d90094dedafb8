package remotetapprocessor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/processor"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
	"github.com/remotetap/remotetapprocessor/internal/redact"
)

// registry is what the processors of one collector share: the points and their servers. It
// belongs to the factory, so two collectors in one process do not meet.
type registry struct {
	// set at construction
	secret []byte // of the hashes that stand for hidden values; the same as long as the process lives

	mu sync.Mutex
	// guarded by mu
	points  map[component.ID]*point
	servers map[string]*server // by serverAddress
}

// secretSize is the size of the secret in bytes.
const secretSize = 32

func newRegistry() *registry {
	secret := make([]byte, secretSize)
	_, _ = rand.Read(secret) // it never fails
	return &registry{secret: secret, points: map[component.ID]*point{}, servers: map[string]*server{}}
}

// point is a tap point: one id in the configuration, and one processor for each pipeline that
// lists it. All fields are guarded by the registry's mu.
type point struct {
	id       component.ID
	config   *Config
	settings processor.Settings
	rules    *redact.Rules            // what its viewers may not see
	sources  [otlp.NumSignals]*source // of the signals of its pipelines
	created  int                      // processors that were not shut down yet
	started  int                      // of them, those that run
	server   *server                  // while any of them runs
}

// join returns the source that a new processor publishes to. It fails when the point's server
// settings contradict another point's.
func (r *registry) join(settings processor.Settings, config *Config, signal otlp.Signal) (*point, *source, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.points[settings.ID]
	if p == nil || p.started == 0 && p.config != config {
		// A configuration that never came to run leaves its points behind.
		rules, err := config.Redact.rules(r.secret)
		if err != nil {
			return nil, nil, err
		}
		p = &point{id: settings.ID, config: config, settings: settings, rules: rules}
		if err := r.checkAgreement(p); err != nil {
			return nil, nil, err
		}
		r.points[settings.ID] = p
	}
	if p.sources[signal] == nil {
		p.sources[signal] = newSource(p.id, signal, p.rules)
	}
	p.created++
	return p, p.sources[signal], nil
}

// checkAgreement compares a point's server settings with those of the points that name the same
// endpoint.
func (r *registry) checkAgreement(p *point) error {
	if !p.config.setsServer() {
		return nil
	}
	for _, other := range r.sorted() {
		if other.id == p.id || !other.config.setsServer() || other.config.serverAddress() != p.config.serverAddress() {
			continue
		}
		key, mine, theirs := p.config.serverDifference(other.config)
		if key == "" {
			continue
		}
		if mine == "" && theirs == "" {
			return fmt.Errorf("%s and %s share the endpoint %s and must agree on %s; write the same at both, or no key of the server at one of them",
				other.id, p.id, p.config.Server.NetAddr.Endpoint, key)
		}
		return fmt.Errorf("%s and %s share the endpoint %s and must agree on %s (%s there, %s here); write the same at both, or no key of the server at one of them",
			other.id, p.id, p.config.Server.NetAddr.Endpoint, key, theirs, mine)
	}
	return nil
}

// sorted lists the points in a stable order.
func (r *registry) sorted() []*point {
	points := make([]*point, 0, len(r.points))
	for _, p := range r.points {
		points = append(points, p)
	}
	slices.SortFunc(points, func(a, b *point) int { return strings.Compare(a.id.String(), b.id.String()) })
	return points
}

// start opens the point's server, unless another processor has done so already.
func (r *registry) start(ctx context.Context, p *point, host component.Host) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.started > 0 {
		p.started++
		return nil
	}
	config, err := r.serverConfig(p)
	if err != nil {
		return err
	}
	address := config.serverAddress()
	s := r.servers[address]
	if s == nil {
		if s, err = newServer(config, p.settings); err != nil {
			return err
		}
		if err := s.start(ctx, host); err != nil {
			s.telemetry.shutdown()
			return r.explain(err, p, config)
		}
		r.servers[address] = s
	}
	s.points++
	p.started, p.server = 1, s
	s.broadcaster.add(p.known()...)
	return nil
}

// explain says so if a port is taken by another point of this collector.
func (r *registry) explain(err error, p *point, config *Config) error {
	_, port, splitErr := net.SplitHostPort(config.serverAddress())
	if splitErr != nil || !errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	for _, other := range r.sorted() {
		if other.server == nil || other.id == p.id {
			continue
		}
		if _, taken, _ := net.SplitHostPort(other.server.config.serverAddress()); taken == port {
			return fmt.Errorf("endpoint: %s and %s both want port %s, on different addresses (%s and %s); give both the same endpoint, or each its own port: %w",
				other.id, p.id, port, other.server.config.Server.NetAddr.Endpoint, config.Server.NetAddr.Endpoint, err)
		}
	}
	return err
}

// serverConfig is the configuration of the server that a point uses: its own, or that of the one
// server that other points configure.
func (r *registry) serverConfig(p *point) (*Config, error) {
	if p.config.setsServer() {
		return p.config, nil
	}
	config := p.config
	for _, other := range r.sorted() {
		switch {
		case !other.config.setsServer():
		case !config.setsServer():
			config = other.config
		case config.serverAddress() != other.config.serverAddress():
			return nil, fmt.Errorf("%s names no endpoint and there are several to join (%s and %s); write `endpoint` at it",
				p.id, config.Server.NetAddr.Endpoint, other.config.Server.NetAddr.Endpoint)
		}
	}
	return config, nil
}

// known lists the point's sources.
func (p *point) known() []*source {
	var known []*source
	for _, s := range p.sources {
		if s != nil {
			known = append(known, s)
		}
	}
	return known
}

// stop takes one processor of a point away. The last one of a server shuts that down.
func (r *registry) stop(ctx context.Context, p *point, started bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.created--
	if p.created == 0 && r.points[p.id] == p {
		delete(r.points, p.id)
	}
	if !started {
		return nil
	}
	p.started--
	if p.started > 0 {
		return nil
	}
	s := p.server
	p.server = nil
	s.broadcaster.forget(p.known()...)
	s.points--
	if s.points > 0 {
		return nil
	}
	for address, other := range r.servers {
		if other == s {
			delete(r.servers, address)
		}
	}
	return s.shutdown(ctx)
}
