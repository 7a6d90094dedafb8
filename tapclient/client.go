package tapclient

import (
	"context"
	"fmt"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// maxRequest is the largest request that a server reads, in bytes.
const maxRequest = 64 << 10

// Client opens taps. It may be used by many goroutines at once.
type Client struct {
	// set at construction
	options   *options
	endpoints []*endpoint

	ctx     context.Context // ended by Close
	cancel  context.CancelCauseFunc
	working sync.WaitGroup // streams and calls

	mu     sync.Mutex
	closed bool // guarded by mu; then working gets no more
}

// Dial makes a client for an endpoint, or several with commas between them, whose telemetry then
// comes in one stream. An endpoint is one of
//
//	HOST:PORT           without TLS, or with it if an option about TLS is given; the port may be
//	                    left out, for 12001
//	http://HOST:PORT    without TLS
//	https://HOST:PORT   with TLS
//	dns:///NAME:PORT    each address of the name, followed as addresses come and go
//	unix:///PATH        a Unix domain socket
//
// Dial checks the endpoints and the options, for which it reads their files and asks the function of
// WithAuthorization, until ctx is done. It does not connect: a collector that is not there yet is
// waited for, and a Stream says which are up and which are down. After Dial ctx is not used.
func Dial(ctx context.Context, endpoint string, opts ...Option) (*Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("tapclient: %w", context.Cause(ctx))
	}
	c, err := newClient(ctx, endpoint, opts)
	if err != nil {
		return nil, fmt.Errorf("tapclient: %w", err)
	}
	return c, nil
}

func newClient(ctx context.Context, list string, opts []Option) (*Client, error) {
	o, err := newOptions(opts)
	if err != nil {
		return nil, err
	}
	endpoints, err := parseEndpoints(list, o.tls.wanted)
	if err != nil {
		return nil, err
	}
	if err := o.check(ctx, endpoints); err != nil {
		return nil, err
	}
	c := &Client{options: o, endpoints: endpoints}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	return c, nil
}

// Close ends the client's streams and calls, and waits until all their goroutines have ended, which
// takes a moment, or a few seconds where a connection is dead. A second call waits as well.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel(ErrClosed)
	c.working.Wait()
}

// enter begins a stream or a call that Close waits for; working.Done ends it. What it returns is
// done when ctx is, or at Close.
func (c *Client) enter(ctx context.Context) (context.Context, context.CancelCauseFunc, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, ErrClosed
	}
	c.working.Add(1)
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.ctx, func() { cancel(context.Cause(c.ctx)) })
	return ctx, func(cause error) {
		stop()
		cancel(cause)
	}, nil
}

// Tap opens a tap at each endpoint and returns at once, without waiting for them: what the servers
// say comes from the Stream. The stream ends when ctx is done, at Stream.Close or Client.Close, or
// when it has what it was asked for. Call Close to leave it earlier.
//
// The error is ErrClosed, or a *RefusedError about what no server would accept.
func (c *Client) Tap(ctx context.Context, selection Selection) (*Stream, error) {
	if err := selection.check(); err != nil {
		return nil, err
	}
	request := proto.CloneOf(selection.request()) // the caller may use its slices again
	if size := proto.Size(request); size > maxRequest {
		return nil, &RefusedError{
			Code:    codes.ResourceExhausted,
			Message: fmt.Sprintf("the selection takes %d bytes, and servers read %d", size, maxRequest),
			Hint:    "select by patterns rather than by long lists",
		}
	}
	ctx, cancel, err := c.enter(ctx)
	if err != nil {
		return nil, err
	}
	return c.newStream(ctx, cancel, selection, request), nil
}
