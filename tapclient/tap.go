package tapclient

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

// settling is how long after its headers a tap counts as open if the server has said nothing: a
// refusal comes with them, but in a frame of its own.
const settling = 100 * time.Millisecond

// errSlowToOpen is why an attempt is given up.
var errSlowToOpen = errors.New("the server has not answered in time")

// tap is one tap at one server: a wire, a call, and a goroutine that reads it. Its origin's goroutine
// owns it.
type tap struct {
	// set at construction
	wire    *wire
	call    grpc.ClientStream
	asked   uint64 // items, as the request has it; 0 for no end
	cancel  context.CancelCauseFunc
	replies chan *response // unbuffered; closed when there are no more
	ended   chan struct{}  // closed when the reading goroutine has ended
	err     error          // why there are no more; may be read when replies is closed

	// owned by the origin's goroutine
	opened  time.Time // when it was open
	last    time.Time // when the last message came
	taken   uint64    // items that came, of those asked for
	arrived Received  // what was delivered
}

// openTap opens a tap. It blocks until the server's headers are there, for the connect timeout at
// most. The headers alone do not say that the server has not refused: see settle.
func (c *Client) openTap(ctx context.Context, e *endpoint, address string, request *remotetapv1.TapRequest) (*tap, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(c.options.connectTimeout, func() { cancel(errSlowToOpen) })
	t := &tap{cancel: cancel, asked: request.GetCount(), replies: make(chan *response), ended: make(chan struct{})}
	err := t.open(ctx, c, e, address, request)
	if err == nil && !timer.Stop() {
		err = errSlowToOpen
	}
	if err != nil {
		timer.Stop()
		if ctx.Err() != nil {
			err = c.gaveUp(ctx)
		}
		t.closeWire()
		return nil, err
	}
	t.opened = time.Now()
	t.last = t.opened
	go t.read(ctx)
	return t, nil
}

// gaveUp is why an attempt was given up whose context is done.
func (c *Client) gaveUp(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, errSlowToOpen) {
		return &connectionError{"no answer within " + c.options.connectTimeout.String(), context.DeadlineExceeded}
	}
	return cause
}

func (t *tap) open(ctx context.Context, c *Client, e *endpoint, address string, request *remotetapv1.TapRequest) error {
	md, err := c.options.metadata(ctx)
	if err != nil {
		return err
	}
	if t.wire, err = c.connect(e, address); err != nil {
		return err
	}
	ctx = metadata.NewOutgoingContext(ctx, md)
	t.call, err = t.wire.conn.NewStream(ctx, &remotetapv1.TapService_ServiceDesc.Streams[0], remotetapv1.TapService_Tap_FullMethodName,
		grpc.ForceCodecV2(codec{}))
	if err != nil {
		return t.wire.explain(err)
	}
	_ = t.call.SendMsg(request) // if it fails, the status says why
	_ = t.call.CloseSend()
	if _, err = t.call.Header(); err != nil {
		return t.wire.explain(err)
	}
	return nil
}

// read hands the responses on, each when the one before has been taken, until the call ends.
func (t *tap) read(ctx context.Context) {
	defer close(t.ended)
	defer close(t.replies)
	for {
		r := &response{}
		if err := t.call.RecvMsg(r); err != nil {
			t.err = t.wire.explain(err)
			return
		}
		select {
		case t.replies <- r:
		case <-ctx.Done():
			t.err = context.Cause(ctx)
			return
		}
	}
}

// settle waits until it is plain that the server has not refused. It returns the first message, if
// there is one by then.
func (t *tap) settle() (*response, error) {
	timer := time.NewTimer(settling)
	defer timer.Stop()
	select {
	case first, ok := <-t.replies:
		if !ok {
			return nil, t.err
		}
		return first, nil
	case <-timer.C:
		return nil, nil
	}
}

// close ends the tap and its goroutine.
func (t *tap) close() {
	t.cancel(ErrClosed)
	<-t.ended
	t.closeWire()
}

func (t *tap) closeWire() {
	t.cancel(ErrClosed)
	if t.wire != nil {
		t.wire.close()
	}
}
