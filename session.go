package remotetapprocessor

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"
)

const (
	// writeTimeout is how long a client may take to accept 64 KiB; longer messages get as much
	// again for every 64 KiB, up to longestWrite. A client that is slower is ended with write_timeout.
	writeTimeout = 10 * time.Second
	longestWrite = time.Minute
	// pingPeriod is how often a WebSocket client is asked whether it still lives.
	pingPeriod = 30 * time.Second
	// silenceLimit is how long a WebSocket client may leave pings unanswered.
	silenceLimit = 60 * time.Second
	// streamPeriod is how often an idle HTTP stream is kept alive.
	streamPeriod = 15 * time.Second
	// farewell is how long a client has to take its leave when the tap ends on our side.
	farewell = time.Second
)

// writeDeadline is when a message of a size must be written.
func writeDeadline(bytes int) time.Time {
	return time.Now().Add(min(writeTimeout*time.Duration(1+bytes/(64*kib)), longestWrite))
}

// farEnd is the client of a tap, on any transport. One session goroutine calls it, but for
// interrupt, which may come from another.
type farEnd interface {
	// send writes one message. It blocks until the socket has taken it whole, at most until its
	// writeDeadline.
	send(*entry) error
	// sendStats writes the account; it blocks like send.
	sendStats(report) error
	// keepAlive is called every period; it blocks no longer than send.
	keepAlive() error
	period() time.Duration
	// end takes leave with the reason and the final account. It blocks for a short time at most.
	end(endReason, ledger)
	// interrupt makes a blocked send return within the farewell. It may block as long.
	interrupt()
}

// runSession sends a tap's messages to its client until the context is done, the client has what it
// asked for, or it fails; and returns why it ended. It blocks for the life of the tap.
func runSession(ctx context.Context, t *tap, c farEnd) endReason {
	stop := context.AfterFunc(ctx, c.interrupt)
	defer stop()
	s := session{tap: t, client: c, timer: time.NewTimer(0)}
	defer s.timer.Stop()
	for {
		if err := s.serveClock(time.Now()); err != nil {
			return reasonOf(ctx, err)
		}
		e, err := t.next(ctx, s.timer.C)
		if err != nil {
			return reasonOf(ctx, err)
		}
		if e == nil {
			continue // the clock
		}
		if err := c.send(e); err != nil {
			return reasonOf(ctx, err)
		}
		if sent := t.delivered(); t.wants.Count > 0 && sent >= t.wants.Count {
			return endCountReached
		}
	}
}

// session is what runSession keeps in mind. Its goroutine owns it.
type session struct {
	tap       *tap
	client    farEnd
	timer     *time.Timer // fires when the next of these is due
	nextAlive time.Time
	nextStats time.Time
}

// serveClock sends what is due besides telemetry, and sets the timer for what is due next.
func (s *session) serveClock(now time.Time) error {
	if s.nextAlive.IsZero() {
		s.nextAlive = now.Add(s.client.period())
	}
	if !now.Before(s.nextAlive) {
		s.nextAlive = now.Add(s.client.period())
		if err := s.client.keepAlive(); err != nil {
			return err
		}
	}
	due := s.nextAlive
	if period := s.tap.wants.Stats; period > 0 {
		if !now.Before(s.nextStats) {
			s.nextStats = now.Add(period)
			if err := s.client.sendStats(s.tap.report(s.tap.ledger(now))); err != nil {
				return err
			}
		}
		if s.nextStats.Before(due) {
			due = s.nextStats
		}
	}
	s.timer.Reset(due.Sub(now))
	return nil
}

// reasonOf finds out why a session ended: if the context says so, for that reason, else because a
// write failed. A deadline that the client has set for its call is its own way to leave.
func reasonOf(ctx context.Context, err error) endReason {
	var reason endReason
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(context.Cause(ctx), &reason):
		return reason
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return endClientClosed
	case errors.As(err, &timeout) && timeout.Timeout(): // os.ErrDeadlineExceeded, and gorilla's own
		return endWriteTimeout
	default:
		return endClientClosed
	}
}

// serve runs a tap that has been opened, to its end, and leaves its trace in the log.
func (s *server) serve(ctx context.Context, t *tap, c farEnd) endReason {
	if limit := s.config.PerTap.MaxDuration; limit > 0 {
		limited, cancel := context.WithTimeoutCause(ctx, limit, endMaxDuration)
		defer cancel()
		ctx = limited
	}
	if t.wants.Duration > 0 {
		limited, cancel := context.WithTimeoutCause(ctx, t.wants.Duration, endDurationReached)
		defer cancel()
		ctx = limited
	}
	s.logger.Info("tap opened", t.fields()...)
	reason := endInternalError
	defer func() {
		last := t.lastReport() // the view may end with the tap, and what it knows with it
		final := s.broadcaster.unsubscribe(t, reason)
		if t.wants.Stats > 0 && reason.listens() {
			last.ledger = final
			if final.matched > 0 {
				last.hints = []string{} // it is not that the selection fits nothing
			}
			_ = c.sendStats(last) // the last word but the farewell
		}
		c.end(reason, final)
		s.logger.Info("tap ended", append(t.fields(), final.fields(reason)...)...)
	}()
	reason = runSession(ctx, t, c)
	return reason
}

// fields describes a tap in the log: who and what, never what was sent.
func (t *tap) fields() []zap.Field {
	return []zap.Field{
		zap.Uint64("tap", t.id),
		zap.String("remote", t.client.remote),
		subject(t.client.subject),
		zap.String("user_agent", t.client.userAgent),
		zap.String("transport", t.client.transport),
		zap.String("selection", t.asked),
	}
}

// subject names who the client has proved to be, if anybody.
func subject(name string) zap.Field {
	if name == "" {
		return zap.Skip()
	}
	return zap.String("subject", name)
}

// fields is the final account in the log.
func (l *ledger) fields(reason endReason) []zap.Field {
	return []zap.Field{
		zap.Stringer("reason", reason),
		zap.Duration("duration", l.now.Sub(l.since)),
		zap.Uint64("seen", l.seen),
		zap.Uint64("skipped", l.skipped),
		zap.Uint64("unmatched", l.unmatched),
		zap.Uint64("matched", l.matched),
		zap.Uint64("sent", l.sent),
		zap.Uint64("bytes", l.bytes),
		zap.Any("dropped", l.droppedByReason()),
	}
}
