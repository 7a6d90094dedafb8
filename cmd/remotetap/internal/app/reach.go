package app

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/remotetap/remotetapprocessor/tapclient"
)

// Reach keeps in mind which origins are watched, for commands that end by themselves: what did not come
// may not have passed, or nobody was there to see it. The zero value is ready. It is not safe for
// concurrent use.
type Reach struct {
	up       bool // some origin was, once
	failures []*tapclient.OriginError
}

// Event takes note of what happens to the connections. It never fails, and may be a Watcher's Event.
func (r *Reach) Event(event tapclient.Event) error {
	switch e := event.(type) {
	case *tapclient.Up:
		r.up = true
		r.set(e.Origin, nil)
	case *tapclient.Down:
		r.set(e.Origin, e.Err)
	case *tapclient.End:
		r.set(e.Origin, e.Err)
	}
	return nil
}

func (r *Reach) set(origin tapclient.Origin, err error) {
	r.failures = slices.DeleteFunc(r.failures, func(f *tapclient.OriginError) bool { return f.Origin == origin })
	if err != nil {
		r.failures = append(r.failures, &tapclient.OriginError{Origin: origin, Err: err})
	}
}

// Never is what has kept all origins from being watched at all; nil if one was.
func (r *Reach) Never() error {
	switch {
	case r.up:
		return nil
	case len(r.failures) == 0:
		return errors.New("no collector has answered in the time that was asked for")
	default:
		return r.Now()
	}
}

// Now is what keeps origins from being watched at the moment; nil if nothing does.
func (r *Reach) Now() error {
	var all []error
	for _, f := range r.failures {
		all = append(all, f)
	}
	return errors.Join(all...)
}

// hopeless is why waiting makes no sense: no origin was ever reached, and each has failed in a way that
// time does not mend. It is nil as long as one may come. Collectors that do not listen do restart.
func hopeless(origins []tapclient.Status) error {
	var all []error
	for _, o := range origins {
		if o.Totals.Connections > 0 || !isLasting(o) {
			return nil
		}
		all = append(all, &tapclient.OriginError{Origin: o.Origin, Err: hinted(o)})
	}
	return errors.Join(all...)
}

// isLasting reports whether an origin fails by its name, which does not exist, or by TLS. The names of
// dns:/// endpoints, of which --kube makes one, come and go.
func isLasting(o tapclient.Status) bool {
	if strings.HasPrefix(strings.ToLower(o.Endpoint), "dns:") {
		return false
	}
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	return errors.As(o.Err, &name) && name.IsNotFound || errors.As(o.Err, &certificate) || errors.As(o.Err, &header)
}

// hinted is why an origin fails. A single word may have been meant for something else than a host.
func hinted(o tapclient.Status) error {
	var name *net.DNSError
	if !errors.As(o.Err, &name) || strings.ContainsAny(o.Endpoint, ":./") {
		return o.Err
	}
	return fmt.Errorf("%q is no host that can be found; signals are %s (%w)", o.Endpoint, strings.Join(signalNames(), ", "), o.Err)
}
