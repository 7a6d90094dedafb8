// Package forward is the command `remotetap forward`: live telemetry into an OTLP receiver.
package forward

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/otlpout"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/recording"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// options are the command's own flags.
type options struct {
	queue string
	drain time.Duration
}

// Command is remotetap forward.
func Command(a *app.App) *cobra.Command {
	command := &cobra.Command{
		Use:   "forward --to ENDPOINT [SIGNAL...] [KEY=VALUE...] [ENDPOINT...]",
		Short: "Send live telemetry to an OTLP receiver, such as a local viewer",
		Long: `forward sends what matches on to an OTLP receiver while it passes: a collector on your machine,
Jaeger, or any viewer that takes OTLP.

What the receiver may take later is sent again, with growing waits, for as long as --to-retry
says; the receiver's own wishes (Retry-After, RetryInfo) are heard. Meanwhile what comes waits in
a queue of --queue; when that is full, the oldest makes room. Nothing is lost without being
counted, and the totals at the end say where everything went: what was received was taken, or not
taken for a reason:

  rejected      it took the request and left these out (partial success)
  refused       it refuses the request, and would again
  unsupported   it does not take the signal
  unavailable   it could not be reached, or was busy, for longer than --to-retry, or than --drain
                at the end; an answer may have been lost
  queue_full    it is slower than the telemetry
  interrupted   Ctrl-C, or an error that ends the command, came before an answer

At the end it takes up to --drain to send what still waits; another Ctrl-C ends it at once. If
it ends by itself (--count, --duration) the exit code is 1 if anything was not taken.

The receiver must not lead back to the tap, as the receiver of the same collector does: then the
same items would pass again and again. forward notices that after a few rounds and stops. Items
that pass several tap points are sent once for each; choose one with --point.`,
		Example: `  # The spans of your own build, into a local Jaeger:
  remotetap forward --to localhost:4317 traces service.version=local-debug otel.example.com:12001

  # One trace in ten, with everything that belongs to it, for ten minutes:
  remotetap forward --to http://localhost:4318 --point remote_tap --sample 0.1 --duration 10m`,
	}
	a.ConnectionFlags(command.Flags())
	selecting := app.SelectionFlags(command.Flags(), app.OptionRate, app.OptionCount, app.OptionDuration)
	settings := otlpout.Flags(command.Flags())
	own := &options{}
	command.Flags().StringVar(&own.queue, "queue", "64MiB", "how much may wait for the receiver, a `SIZE`; what does not fit is counted as queue_full, the oldest first")
	command.Flags().DurationVar(&own.drain, "drain", 5*time.Second, "how long to go on sending what waits at the end, after Ctrl-C, --count or --duration")
	command.RunE = func(command *cobra.Command, args []string) error {
		endpoints, err := selecting.Endpoints(args, recording.IsFile)
		if err != nil {
			return err
		}
		request, err := selecting.Request()
		if err != nil {
			return err
		}
		size, err := humanize.ParseBytes(own.queue)
		switch {
		case err != nil || size < 1<<20 || size > 1<<40:
			return app.Usage("--queue %s: write a size of at least 1MiB, such as 64MiB or 1GiB", own.queue)
		case own.drain < 0:
			return app.Usage("--drain %v: write a time such as 5s, or 0 to end at once", own.drain)
		}
		sender, err := settings.New("remotetap/"+a.Version, a.Say)
		if err != nil {
			return err
		}
		f := &forwarder{app: a, sender: sender, to: settings.To(), drain: own.drain, points: app.PointsNotice{Done: "sent"}}
		f.queue = newQueue(int(size), func(items uint64) { sender.Account.Lost(otlpout.QueueFull, items) })
		return errors.Join(f.run(command.Context(), endpoints, request), sender.Close())
	}
	return command
}

// forwarder is one run: what is received goes through the queue to a goroutine that sends it.
type forwarder struct {
	// set at construction

	app    *app.App
	sender *otlpout.Sender
	to     string
	drain  time.Duration
	queue  *queue
	loop   loop

	// owned by the goroutine that watches

	received uint64
	points   app.PointsNotice
}

// run forwards until there is enough, ctx is done, or it is of no use.
func (f *forwarder) run(ctx context.Context, endpoints []string, request tapclient.Selection) error {
	watching, stopWatching := context.WithCancelCause(ctx)
	defer stopWatching(nil)
	sending, stopSending := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stopSending(nil)

	sent := make(chan error, 1)
	go func() {
		err := f.send(sending)
		if err != nil {
			stopWatching(err)
		}
		sent <- err
	}()
	totals, err := f.app.Watch(watching, endpoints, request, app.Watcher{Batch: f.take, Stats: f.stats, Status: f.status})
	failed := f.end(ctx, sent, stopSending)
	// What waits in the queue still, and what the stream had received and not delivered.
	rest := otlpout.Interrupted
	if ctx.Err() == nil && failed == nil {
		rest = otlpout.Unavailable
	}
	f.sender.Account.Lost(rest, f.queue.pending())
	if totals.Received.Items > f.received {
		f.sender.Account.Lost(otlpout.Interrupted, totals.Received.Items-f.received)
	}
	if totals.Connections > 0 || totals.Received.Items > 0 {
		f.app.Say("%s: %v", f.to, f.sender.Account.Count())
		f.app.Say("%s", app.TotalsWords(totals))
	}
	return f.result(ctx, err, failed)
}

// patience is how long the end may take before there are words about it.
const patience = 500 * time.Millisecond

// end waits until what is in the queue was sent, for as long as --drain says: longer nobody waits for a
// receiver, be it after Ctrl-C or not. Ctrl-C meanwhile ends it at once. The error is that of sending.
func (f *forwarder) end(ctx context.Context, sent <-chan error, stopSending context.CancelCauseFunc) error {
	f.queue.close()
	if waiting := f.queue.pending(); waiting > 0 {
		f.app.Status(fmt.Sprintf("%s: sending what waits, %s items", f.to, app.Number(waiting)))
	}
	defer f.app.Status("")
	interrupted, reason := ctx.Done(), otlpout.ErrTooLate
	if ctx.Err() != nil {
		interrupted, reason = nil, context.Cause(ctx)
	}
	over := time.After(f.drain)
	var late <-chan time.Time // never, if nobody waits at all
	if f.drain > 0 {
		late = time.After(min(patience, f.drain/2))
	}
	for {
		select {
		case err := <-sent:
			return err
		case <-late:
			f.app.Say("%s: %s items wait for an answer; going on for up to %v (--drain)", f.to, app.Number(f.queue.pending()), f.drain)
		case <-interrupted:
			stopSending(context.Cause(ctx))
			interrupted = nil
		case <-over:
			stopSending(reason)
		}
	}
}

// result is the error of the command.
func (f *forwarder) result(ctx context.Context, watched, failed error) error {
	count := f.sender.Account.Count()
	switch lost := count.Lost(); {
	case failed != nil:
		return failed
	case watched != nil || ctx.Err() != nil || lost == 0:
		return watched
	default:
		return fmt.Errorf("%s of %s items were not taken", app.Number(lost), app.Number(count.Taken+lost))
	}
}

// take puts a batch into the queue.
func (f *forwarder) take(b *app.Batch) error {
	f.received += b.Items
	f.queue.push(piece{signal: b.OTLP(), proto: b.Proto, items: b.Items})
	if f.loop.received(b.Proto) {
		return fmt.Errorf("%s leads back to the tap: what is sent there passes it again and again; send to another receiver, or leave out what was sent with a criterion", f.to)
	}
	return nil
}

// stats says once that items may come several times.
func (f *forwarder) stats(s *tapclient.Stats) error {
	f.points.Hear(f.app, s)
	return nil
}

// status is how it goes.
func (f *forwarder) status(totals tapclient.Totals) string {
	text := fmt.Sprintf("%s: %v, waiting %s", f.to, f.sender.Account.Count(), app.Number(f.queue.pending()))
	if lost := app.LossWords(totals.Ledger); lost != "" {
		text += "; " + lost
	}
	return text
}

// send sends what is in the queue until that is closed and empty, or ctx is done. The error says that
// there is no use in going on.
func (f *forwarder) send(ctx context.Context) error {
	for {
		p, ok := f.queue.take(ctx)
		if !ok {
			return nil
		}
		before := f.sender.Account.Count().NotTaken[otlpout.Unavailable]
		f.loop.sent(p.signal, p.proto)
		err := f.sender.Send(ctx, p.signal, p.proto, p.items)
		f.queue.done(p.items)
		after := f.sender.Account.Count().NotTaken[otlpout.Unavailable]
		if err != nil || after > before && f.queue.isClosed() {
			return err // at the end, one attempt for --to-retry is enough: what still waits is counted
		}
	}
}
