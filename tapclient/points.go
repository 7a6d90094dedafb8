package tapclient

import (
	"context"
	"errors"
	"net"
	"sync"

	"google.golang.org/grpc/metadata"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

// maxCalls is how many servers ListPoints asks at once.
const maxCalls = 16

// Listing is what one server has to tap, or why it did not say.
type Listing struct {
	Origin
	// Err is why there is no answer: a *RefusedError, or what is wrong with the connection. If it is
	// not nil the rest is empty.
	Err error
	// Version is the collector's.
	Version string
	// Points are the tap points on this port.
	Points []Point
	// Taps are the open taps.
	Taps []OpenTap
	// Limits are what the configuration allows.
	Limits Limits
}

// Point is one remote_tap processor of a collector's configuration.
type Point struct {
	// ID is its id there, such as "remote_tap/after_sampling".
	ID string
	// Signals are those of the pipelines that it is in.
	Signals []Signal
	// Rates are items per second, over the last seconds. A signal that no open tap covers is not
	// there: then nothing counts.
	Rates map[Signal]float64
}

// OpenTap is one client's live subscription, as others see it.
type OpenTap struct {
	// ID is a number that the collector's log has too.
	ID uint64
	// Remote is the client's address.
	Remote string
	// Subject is who the client has proved to be; "" if nobody.
	Subject string
	// UserAgent is what the client calls itself.
	UserAgent string
	// Transport is "websocket", "ndjson", "sse", "grpc", "grpc_web" or "connect".
	Transport string
	// Selection is what it asked for, as a query string.
	Selection string
	// Ledger is its account.
	Ledger Ledger
}

// ListPoints asks every server what it has to tap, all addresses of dns:/// endpoints included, and
// returns their answers in the order of the endpoints. It opens no tap. It blocks until all have
// answered or failed, each within the connect timeout. The error is not nil if none has answered;
// then it tells why as *OriginError.
func (c *Client) ListPoints(ctx context.Context) ([]Listing, error) {
	ctx, cancel, err := c.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer c.working.Done()
	defer cancel(nil)
	lists := make([][]Listing, len(c.endpoints))
	var asking sync.WaitGroup
	slots := make(chan struct{}, maxCalls)
	for i, e := range c.endpoints {
		asking.Go(func() { lists[i] = c.listEndpoint(ctx, e, slots) })
	}
	asking.Wait()
	var all []Listing
	var failures []error
	for _, list := range lists {
		for _, l := range list {
			all = append(all, l)
			if l.Err != nil {
				failures = append(failures, &OriginError{l.Origin, l.Err})
			}
		}
	}
	if len(failures) == len(all) {
		return all, errors.Join(failures...)
	}
	return all, nil
}

// listEndpoint asks each address of an endpoint.
func (c *Client) listEndpoint(ctx context.Context, e *endpoint, slots chan struct{}) []Listing {
	addresses := []string{e.address()}
	if e.follows {
		var err error
		if addresses, err = c.lookup(ctx, e); err != nil {
			return []Listing{{Origin: Origin{Endpoint: e.text}, Err: err}}
		}
		for i, host := range addresses {
			addresses[i] = net.JoinHostPort(host, e.port)
		}
	}
	list := make([]Listing, len(addresses))
	var asking sync.WaitGroup
	for i, address := range addresses {
		asking.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			answer, err := c.listAddress(ctx, e, address)
			list[i] = listingOf(Origin{Endpoint: e.text, Address: address}, answer, err)
		})
	}
	asking.Wait()
	return list
}

// listAddress asks one server.
func (c *Client) listAddress(ctx context.Context, e *endpoint, address string) (*remotetapv1.ListPointsResponse, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.options.connectTimeout, errSlowToOpen)
	defer cancel()
	md, err := c.options.metadata(ctx)
	if err != nil {
		return nil, err
	}
	w, err := c.connect(e, address)
	if err != nil {
		return nil, err
	}
	defer w.close()
	answer, err := remotetapv1.NewTapServiceClient(w.conn).ListPoints(metadata.NewOutgoingContext(ctx, md), &remotetapv1.ListPointsRequest{})
	switch {
	case err == nil:
		return answer, nil
	case ctx.Err() != nil:
		return nil, c.gaveUp(ctx)
	default:
		return nil, w.explain(err)
	}
}

func listingOf(origin Origin, answer *remotetapv1.ListPointsResponse, err error) Listing {
	l := Listing{Origin: origin, Err: err, Version: answer.GetVersion(), Limits: limitsOf(answer.GetLimits())}
	for _, p := range answer.GetPoints() {
		point := Point{ID: p.GetPoint(), Rates: map[Signal]float64{}}
		for _, signal := range p.GetSignals() {
			point.Signals = append(point.Signals, Signal(signal))
		}
		for signal, rate := range p.GetRates() {
			point.Rates[Signal(signal)] = rate
		}
		l.Points = append(l.Points, point)
	}
	for _, t := range answer.GetTaps() {
		l.Taps = append(l.Taps, OpenTap{
			ID:        t.GetId(),
			Remote:    t.GetRemote(),
			Subject:   t.GetSubject(),
			UserAgent: t.GetUserAgent(),
			Transport: t.GetTransport(),
			Selection: t.GetSelection(),
			Ledger:    ledgerOf(t.GetLedger()),
		})
	}
	return l
}
