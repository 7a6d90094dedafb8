package kube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	constants "k8s.io/apimachinery/pkg/util/portforward"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/client-go/transport/websocket"
	"k8s.io/streaming/pkg/httpstream"
	spdystream "k8s.io/streaming/pkg/httpstream/spdy"
)

// grace is how long a new connection is watched for the node's answer that nothing listens there, which
// comes in a moment: then dialling says so, and not the first read.
const grace = 100 * time.Millisecond

// forwarder opens connections into pods, as kubectl port-forward does.
type forwarder struct {
	config    *rest.Config
	rest      rest.Interface
	namespace string
	port      string
}

// Dial opens a connection to a port of a pod, given as POD:PORT, through the API server. It makes Pods'
// pods what tapclient dials. There is no listener on this machine.
func (p *Pods) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	pod, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	return p.forward.dial(ctx, pod, port)
}

// dialled is what an attempt to connect has come to.
type dialled struct {
	conn net.Conn
	err  error
}

// dial returns soon after ctx is done: not all of what it calls does.
func (f *forwarder) dial(ctx context.Context, pod, port string) (net.Conn, error) {
	result := make(chan dialled, 1)
	go func() {
		conn, err := f.open(ctx, pod, port)
		result <- dialled{conn, err}
	}()
	select {
	case d := <-result:
		return d.conn, d.err
	case <-ctx.Done():
		go func() {
			if d := <-result; d.conn != nil {
				d.conn.Close()
			}
		}()
		return nil, fmt.Errorf("forwarding to pod %s: %w", pod, context.Cause(ctx))
	}
}

// open makes the connection.
func (f *forwarder) open(ctx context.Context, pod, port string) (net.Conn, error) {
	streams, err := f.upgrade(ctx, pod)
	if err != nil {
		return nil, f.explain(err, pod)
	}
	c, err := newConn(streams, pod, port)
	if err != nil {
		_ = streams.Close() // there is an error to return already
		return nil, fmt.Errorf("forwarding to pod %s: %w", pod, err)
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-c.refused:
		err := c.failure()
		_ = c.Close() // there is an error to return already
		return nil, err
	case <-ctx.Done():
		_ = c.Close() // there is an error to return already
		return nil, context.Cause(ctx)
	case <-timer.C:
		return c, nil
	}
}

// upgrade asks the API server for a connection to a pod: over WebSocket, and where that is not to be had
// (before Kubernetes 1.30, or behind some proxies) over SPDY.
func (f *forwarder) upgrade(ctx context.Context, pod string) (httpstream.Connection, error) {
	at := f.rest.Post().Resource("pods").Namespace(f.namespace).Name(pod).SubResource("portforward").URL()
	conn, err := f.overWebSocket(ctx, at)
	if err != nil && (httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)) {
		return f.overSPDY(ctx, at)
	}
	return conn, err
}

// overWebSocket tunnels SPDY through a WebSocket.
func (f *forwarder) overWebSocket(ctx context.Context, at *url.URL) (httpstream.Connection, error) {
	transport, holder, err := websocket.RoundTripperFor(f.config)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	conn, err := websocket.Negotiate(transport, holder, request, constants.WebsocketsSPDYTunnelingPortForwardV1)
	if err != nil {
		return nil, err
	}
	return spdystream.NewClientConnectionWithPings(portforward.NewTunnelingConnection("client", conn), portforward.PingPeriod)
}

// overSPDY is the way of before.
func (f *forwarder) overSPDY(ctx context.Context, at *url.URL) (httpstream.Connection, error) {
	transport, upgrader, err := spdy.RoundTripperFor(f.config)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, at.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	conn, protocol, err := spdy.NegotiateStreaming(upgrader, &http.Client{Transport: transport}, request, portforward.PortForwardProtocolV1Name)
	if err == nil && protocol != portforward.PortForwardProtocolV1Name {
		_ = conn.Close() // there is an error to return already
		return nil, fmt.Errorf("the API server speaks %q, which is no port-forward", protocol)
	}
	return conn, err
}

// explain makes an error of why there is no connection.
func (f *forwarder) explain(err error, pod string) error {
	text := err.Error()
	switch {
	case strings.Contains(text, "forbidden"):
		return &ForbiddenError{fmt.Sprintf("the cluster does not let you forward ports in namespace %s: ask for a role with the verb create on pods/portforward there (%v)",
			f.namespace, err), err}
	case strings.Contains(text, "Unauthorized"):
		return &ForbiddenError{fmt.Sprintf("the cluster does not accept who you are: log in to it again, as for kubectl (%v)", err), err}
	case strings.Contains(text, "not found"):
		return fmt.Errorf("pod %s is gone: %w", pod, err)
	default:
		return fmt.Errorf("forwarding to pod %s: %w", pod, err)
	}
}

// headers are those of a stream of a port-forward.
func headers(kind, port string) http.Header {
	return http.Header{
		corev1.StreamType:                 {kind},
		corev1.PortHeader:                 {port},
		corev1.PortForwardRequestIDHeader: {"0"},
	}
}

// errLost is what reads return when the connection to the pod has ended.
var errLost = errors.New("the port-forward has ended: the pod, or the way to it, is gone")
