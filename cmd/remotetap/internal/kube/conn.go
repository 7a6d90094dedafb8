package kube

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/streaming/pkg/httpstream"
)

const (
	// maxRefusal is how much of what a node says is read, in bytes.
	maxRefusal = 4 << 10
	// lastWords is how long the node's reason is waited for when the data has ended.
	lastWords = time.Second
	// patience is how long Close waits.
	patience = 3 * time.Second
)

// conn is a connection to a port of a pod. The other end of its pipe, which gives it deadlines, is
// copied to and from a stream; three goroutines do that until Close.
type conn struct {
	net.Conn // our end of the pipe

	// set at construction

	pod, port string
	streams   httpstream.Connection
	far       net.Conn
	copying   sync.WaitGroup
	refused   chan struct{} // closed when the node has said why it does not forward
	silent    chan struct{} // closed when it has nothing more to say

	mu    sync.Mutex
	cause error // guarded by mu: why it has ended
}

// newConn opens the two streams of a connection. The caller closes `streams` if there is an error.
func newConn(streams httpstream.Connection, pod, port string) (*conn, error) {
	says, err := streams.CreateStream(headers(corev1.StreamTypeError, port))
	if err != nil {
		return nil, err
	}
	_ = says.Close() // we say nothing on it
	data, err := streams.CreateStream(headers(corev1.StreamTypeData, port))
	if err != nil {
		return nil, err
	}
	near, far := net.Pipe()
	c := &conn{
		Conn: near, pod: pod, port: port, streams: streams, far: far,
		refused: make(chan struct{}), silent: make(chan struct{}),
	}
	c.copying.Go(func() { c.listen(says) })
	c.copying.Go(func() { c.receive(data) })
	c.copying.Go(func() { c.send(data) })
	return c, nil
}

// listen waits for what the node says when it cannot forward.
func (c *conn) listen(says io.Reader) {
	defer close(c.silent)
	text, _ := io.ReadAll(io.LimitReader(says, maxRefusal)) // what was read counts
	if len(text) > 0 {
		c.fail(c.refusal(strings.TrimSpace(string(text))))
		close(c.refused)
		c.far.Close()
	}
}

// receive copies what the pod sends.
func (c *conn) receive(data io.Reader) {
	_, err := io.Copy(c.far, data)
	timer := time.NewTimer(lastWords)
	defer timer.Stop()
	select {
	case <-c.silent:
	case <-timer.C:
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = errLost
	}
	c.fail(err)
	c.far.Close()
}

// send copies what we send.
func (c *conn) send(data httpstream.Stream) {
	_, err := io.Copy(data, c.far)
	if err != nil && !errors.Is(err, io.ErrClosedPipe) {
		c.fail(err)
	}
	_ = data.Close() // half of the connection; the other half tells of errors
}

// fail remembers the first reason why the connection has ended.
func (c *conn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause == nil {
		c.cause = err
	}
}

func (c *conn) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// refusal is what the node said, in words that help.
func (c *conn) refusal(text string) error {
	if strings.Contains(text, "connection refused") {
		return fmt.Errorf("nothing listens on port %s of pod %s: is remote_tap in its configuration, at this port (--kube-port), and on localhost or all addresses? (%s)",
			c.port, c.pod, text)
	}
	return fmt.Errorf("pod %s: %s", c.pod, text)
}

// Read reads what the pod sends. At the end it says why it is the end.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	return n, c.reason(err)
}

// Write sends to the pod.
func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	return n, c.reason(err)
}

// reason puts why the connection has ended in the place of an end without a word.
func (c *conn) reason(err error) error {
	if err == nil || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
		return err
	}
	if cause := c.failure(); cause != nil && !errors.Is(cause, io.ErrClosedPipe) {
		return cause
	}
	return err
}

// Close ends the connection and its goroutines, and waits for them: a moment, or the patience where
// the API server takes nothing any more. Then they end with the connection below.
func (c *conn) Close() error {
	err := errors.Join(c.Conn.Close(), c.far.Close())
	closed := make(chan error, 1)
	go func() {
		err := c.streams.Close() // it writes, without a deadline
		c.copying.Wait()
		closed <- err
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case failed := <-closed:
		return errors.Join(err, failed)
	case <-timer.C:
		return err
	}
}
