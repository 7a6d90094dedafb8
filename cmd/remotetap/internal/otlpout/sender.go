package otlpout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/internal/format"
	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// maxRequest is the size of a request, in bytes of protobuf, above which a batch is split: receivers
// take at least 4 MiB by default, and a request is a little larger than its batch.
const maxRequest = 2 << 20

// The waits between attempts.
const (
	firstWait = 250 * time.Millisecond
	mostWait  = 5 * time.Second
)

// ErrTooLate is the cause of a context that ends the sending because the receiver has had enough time:
// what waits then counts as Unavailable.
var ErrTooLate = errors.New("the receiver has not taken it in time")

// Sender sends batches to an OTLP receiver and keeps the account. Send is for one goroutine at a time,
// the other methods for any.
type Sender struct {
	// set at construction

	// Account is what became of the items.
	Account *Account
	// EndsWhenUnavailable makes the first request that is given up an error of Send.
	EndsWhenUnavailable bool

	to             string
	exporter       exporter
	timeout, retry time.Duration
	say            func(format string, args ...any)

	// owned by the goroutine that sends

	renderer    format.Renderer
	buffer      []byte
	unsupported [otlp.NumSignals]bool
	said        map[string]bool // of refusals: each is told once
	down        bool            // the last attempt failed, and the user knows
}

// New makes a sender. It does not connect. say gets what the user should know, such as that the
// receiver is down; each thing is said once. The error is about the flags.
func (s *Settings) New(userAgent string, say func(format string, args ...any)) (*Sender, error) {
	t, err := s.target()
	if err != nil {
		return nil, err
	}
	switch {
	case s.timeout <= 0:
		return nil, app.Usage("--to-timeout %v: write a time above 0, such as 10s", s.timeout)
	case s.retry < 0:
		return nil, app.Usage("--to-retry %v: write 0 to try each request once, or a time such as 1m", s.retry)
	}
	sender := &Sender{
		Account: &Account{}, to: s.to, timeout: s.timeout, retry: s.retry, say: say, said: map[string]bool{},
		renderer: format.New(format.OTLPProto, format.Options{MaxMessage: maxRequest}),
	}
	if t.protocol == protocolHTTP {
		sender.exporter = newHTTP(t, userAgent)
	} else if sender.exporter, err = newGRPC(t, userAgent); err != nil {
		return nil, app.Usage("--to %s: %w", s.to, err)
	}
	return sender, nil
}

// Close ends the connection.
func (s *Sender) Close() error { return s.exporter.close() }

// Send sends a batch, in several requests if it is large, and blocks until each was taken, or will
// not be: it tries again, with growing waits, what the receiver may take later. What became of the
// items is in the account, all of them in any case. When ctx is done, the rest is counted as
// Interrupted, or as Unavailable if the cause is ErrTooLate, which is no error. The error says that there is no use in going on, since the receiver
// wants other credentials or speaks another protocol, or EndsWhenUnavailable; the rest of the batch is
// counted as Interrupted, too.
func (s *Sender) Send(ctx context.Context, signal otlp.Signal, proto []byte, items uint64) error {
	if s.unsupported[signal] {
		s.Account.Lost(Unsupported, items)
		return nil
	}
	s.renderer.Reset(format.Batch{Signal: signal, Proto: proto})
	for items > 0 {
		body, n, err := s.next(proto)
		if err != nil {
			s.once(fmt.Sprintf("a batch of %v is malformed, and not sent: %v", signal, err))
			break
		}
		if n == 0 {
			continue // a resource without items, by itself
		}
		part := min(uint64(n), items)
		items -= part
		if err := s.request(ctx, signal, body, part); err != nil {
			s.Account.Lost(Interrupted, items)
			return err
		}
	}
	s.Account.Lost(Refused, items)
	return nil
}

// next is the next request of a batch: the batch itself if it is small enough.
func (s *Sender) next(proto []byte) (body []byte, items int, err error) {
	if sharer, can := s.renderer.(format.Sharer); can {
		if n, whole := sharer.Share(); whole {
			return proto, n, nil
		}
	}
	var ok bool
	s.buffer, items, ok, err = s.renderer.Next(s.buffer[:0])
	if !ok && err == nil {
		err = errors.New("it has fewer items than it says")
	}
	return s.buffer, items, err
}

// request sends one request until it is taken or will not be.
func (s *Sender) request(ctx context.Context, signal otlp.Signal, body []byte, items uint64) error {
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval = firstWait, mostWait
	begin := time.Now()
	for {
		result, f := s.attempt(ctx, signal, body)
		if f == nil {
			s.took(result, items)
			return nil
		}
		switch {
		case ctx.Err() != nil:
			return s.interrupted(ctx, items)
		case !f.again:
			return s.refused(f, signal, items)
		}
		wait := max(waits.NextBackOff(), f.after)
		if time.Since(begin)+wait > s.retry {
			return s.unavailable(f, items)
		}
		if !s.down {
			s.down = true
			s.say("%s: %v; trying again", s.to, f)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return s.interrupted(ctx, items)
		}
	}
}

// interrupted counts what nobody waits for any more.
func (s *Sender) interrupted(ctx context.Context, items uint64) error {
	reason := Interrupted
	if errors.Is(context.Cause(ctx), ErrTooLate) {
		reason = Unavailable
	}
	s.Account.Lost(reason, items)
	return nil
}

// unavailable counts what was tried for long enough.
func (s *Sender) unavailable(f *failure, items uint64) error {
	s.Account.Lost(Unavailable, items)
	err := fmt.Errorf("%s: %w; given up after %v (--to-retry)", s.to, f, s.retry)
	if s.EndsWhenUnavailable {
		return err
	}
	s.once(err.Error())
	return nil
}

// attempt sends a request once.
func (s *Sender) attempt(ctx context.Context, signal otlp.Signal, body []byte) (answer, *failure) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return s.exporter.export(ctx, signal, body)
}

// took counts a request that was taken, but for what the receiver left out.
func (s *Sender) took(a answer, items uint64) {
	if s.down {
		s.down = false
		s.say("%s: it takes telemetry again", s.to)
		s.said = map[string]bool{}
	}
	rejected := min(uint64(max(a.rejected, 0)), items)
	s.Account.Took(items - rejected)
	s.Account.Lost(Rejected, rejected)
	switch {
	case rejected > 0:
		s.once(fmt.Sprintf("%s rejects items: %s", s.to, orNoReason(a.message)))
	case a.message != "":
		s.once(fmt.Sprintf("%s warns: %s", s.to, a.message))
	}
}

func orNoReason(message string) string {
	if message == "" {
		return "it does not say why"
	}
	return message
}

// refused counts a request that the receiver does not want. The error ends the sending.
func (s *Sender) refused(f *failure, signal otlp.Signal, items uint64) error {
	switch {
	case f.ends != app.CodeDone:
		s.Account.Lost(Refused, items)
		return &app.Error{Code: f.ends, Err: fmt.Errorf("%s: %w", s.to, f)}
	case f.unsupported:
		s.unsupported[signal] = true
		s.Account.Lost(Unsupported, items)
		s.say("%s takes no %v: %v", s.to, signal, f)
	default:
		s.Account.Lost(Refused, items)
		s.once(fmt.Sprintf("%s refuses %v: %v", s.to, signal, f))
	}
	return nil
}

// maxSaid is how many different things are said at most: messages may hold numbers.
const maxSaid = 20

// once says something if it has not been said before.
func (s *Sender) once(text string) {
	if s.said[text] || len(s.said) >= maxSaid {
		return
	}
	s.said[text] = true
	s.say("%s", text)
}
