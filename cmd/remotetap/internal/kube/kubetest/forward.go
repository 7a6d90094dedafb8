package kubetest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	constants "k8s.io/apimachinery/pkg/util/portforward"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

// forward is one port-forward: a connection of streams, which come in pairs.
type forward struct {
	cluster *Cluster
	pod     string
	ctx     context.Context

	mu      sync.Mutex
	conn    httpstream.Connection        // guarded by mu
	waiting map[string]httpstream.Stream // guarded by mu: the first of a pair, by its request's id
	copying sync.WaitGroup
}

// servePortForward upgrades to a port-forward, over whichever transport is asked for.
func (c *Cluster) servePortForward(w http.ResponseWriter, r *http.Request, namespace, name string) {
	c.mu.Lock()
	onlySPDY, found := c.onlySPDY, c.find(namespace, name) != nil
	c.mu.Unlock()
	isWebSocket := websocket.IsWebSocketUpgrade(r)
	switch {
	case !found:
		fail(w, http.StatusNotFound, metav1.StatusReasonNotFound, fmt.Sprintf("pods %q not found", name))
		return
	case isWebSocket && onlySPDY:
		fail(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, "Upgrade request required")
		return
	}
	f := &forward{cluster: c, ctx: r.Context(), pod: namespace + "/" + name, waiting: map[string]httpstream.Stream{}}
	transport, conn := "spdy", httpstream.Connection(nil)
	if isWebSocket {
		transport, conn = "websocket", f.overWebSocket(w, r)
	} else if _, err := httpstream.Handshake(r, w, []string{portforward.PortForwardProtocolV1Name}); err == nil {
		conn = spdy.NewResponseUpgrader().UpgradeResponse(w, r, f.accept)
	}
	if conn == nil {
		return
	}
	f.mu.Lock()
	f.conn = conn
	f.mu.Unlock()
	c.mu.Lock()
	c.upgrades[transport]++
	c.open[f] = f.pod
	c.mu.Unlock()
	<-conn.CloseChan()
	_ = conn.Close() // it is closed already; this ends its streams
	f.copying.Wait()
	c.mu.Lock()
	delete(c.open, f)
	c.mu.Unlock()
}

// overWebSocket is SPDY in a WebSocket.
func (f *forward) overWebSocket(w http.ResponseWriter, r *http.Request) httpstream.Connection {
	upgrader := websocket.Upgrader{Subprotocols: []string{constants.WebsocketsSPDYTunnelingPortForwardV1}}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return nil
	}
	conn, err := spdy.NewServerConnection(portforward.NewTunnelingConnection("server", ws), f.accept)
	if err != nil {
		return nil
	}
	return conn
}

// accept takes a stream, and serves the pair when both are there.
func (f *forward) accept(stream httpstream.Stream, replySent <-chan struct{}) error {
	id := stream.Headers().Get(corev1.PortForwardRequestIDHeader)
	f.mu.Lock()
	defer f.mu.Unlock()
	first, ok := f.waiting[id]
	if !ok {
		f.waiting[id] = stream
		return nil
	}
	delete(f.waiting, id)
	says, data := first, stream
	if stream.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
		says, data = stream, first
	}
	f.copying.Go(func() {
		<-replySent
		f.serve(says, data)
	})
	return nil
}

// serve connects a pair to the pod.
func (f *forward) serve(says, data httpstream.Stream) {
	defer says.Close()
	port := data.Headers().Get(corev1.PortHeader)
	address := f.cluster.address(f.pod, port)
	target, err := (&net.Dialer{}).DialContext(f.ctx, "tcp", address)
	if err != nil {
		_, _ = fmt.Fprintf(says, "error forwarding port %s to pod %s: failed to connect to localhost:%s inside namespace: connect: connection refused", port, f.pod, port) // who asked may have left
		_ = data.Close()                                                                                                                                                   // the pod is not there either
		return
	}
	f.copying.Go(func() {
		_, _ = io.Copy(target, data) // either side may leave
		target.Close()
	})
	_, _ = io.Copy(data, target)
	_ = data.Close()
	target.Close()
}

// address is where a port of a pod leads; one where nobody listens if there is none.
func (c *Cluster) address(pod, port string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.pods {
		if p.Namespace+"/"+p.Name == pod && p.Port == port && p.Address != "" {
			return p.Address
		}
	}
	return "127.0.0.1:0"
}

// find returns a pod. The caller holds mu.
func (c *Cluster) find(namespace, name string) *Pod {
	for _, p := range c.pods {
		if p.Namespace == namespace && p.Name == name {
			return p
		}
	}
	return nil
}

// Cut breaks the port-forwards to a pod, NAMESPACE/NAME, or all for "".
func (c *Cluster) Cut(pod string) {
	c.mu.Lock()
	var cut []*forward
	for f, name := range c.open {
		if pod == "" || name == pod {
			cut = append(cut, f)
		}
	}
	c.mu.Unlock()
	for _, f := range cut {
		f.mu.Lock()
		conn := f.conn
		f.mu.Unlock()
		_ = conn.Close() // whatever state it is in
	}
}
