// Package replay is the command `remotetap replay`: recordings into an OTLP receiver.
package replay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/otlpout"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/recording"
)

// options are the command's own flags.
type options struct {
	speed     string
	maxPause  time.Duration
	shiftTime bool
}

// Command is remotetap replay.
func Command(a *app.App) *cobra.Command {
	command := &cobra.Command{
		Use:   "replay FILE... --to ENDPOINT [SIGNAL...] [KEY=VALUE...]",
		Short: "Send recordings to an OTLP receiver",
		Long: `replay sends what matches in recordings to an OTLP receiver, such as a collector or a viewer:
files of remotetap record or of the collector's file exporter (lines of OTLP JSON), plain or
compressed, one after the other; - is the standard input.

The pace is that of the recording: by the times when the batches passed the tap point, which
remotetap record writes, else by the newest timestamp in each batch. --speed 10x is ten times
faster, --speed max does not wait.

Timestamps stay as they are, so a viewer shows the telemetry where it was recorded. With
--shift-time all of them (of spans, events, log records, data points with their exemplars,
profiles) are moved by the same time: the newest of the first batch becomes now. With another
speed than 1x the later ones then run away from the clock.

What the receiver may take later is sent again, with growing waits, for as long as --to-retry
says; the receiver's own wishes (Retry-After, RetryInfo) are heard. What it does not take is
counted by reason, and makes the exit code 1. If the receiver cannot be reached for that long,
replay ends there.

  rejected      it took the request and left these out (partial success)
  refused       it refuses the request, and would again
  unsupported   it does not take the signal
  unavailable   it could not be reached, or was busy, for too long; an answer may have been lost
  interrupted   Ctrl-C came before an answer`,
		Example: `  # To a local collector, as it was:
  remotetap replay shop.jsonl.zst --to localhost:4317

  # The errors of one service, now, ten times as fast:
  remotetap replay shop.jsonl.zst --to localhost:4317 --service checkout --error --shift-time --speed 10x

  # To a vendor, with the key in a file ("Api-Key: ..."):
  remotetap replay shop.jsonl.zst --to https://otlp.example.com --to-header @key.txt --speed max`,
	}
	selecting := app.SelectionFlags(command.Flags(), app.OptionCount)
	settings := otlpout.Flags(command.Flags())
	own := &options{}
	command.Flags().StringVar(&own.speed, "speed", "1x", "how many times `N` faster than it was recorded, such as 10x or 0.5x, or max")
	command.Flags().DurationVar(&own.maxPause, "max-pause", 0, "wait no longer than this `TIME` of the recording where nothing was recorded (default no limit)")
	command.Flags().BoolVar(&own.shiftTime, "shift-time", false, "move all timestamps so that the recording begins now")
	command.RunE = func(command *cobra.Command, args []string) error {
		arguments, err := selecting.Arguments(args, recording.IsFile)
		switch {
		case err != nil:
			return err
		case len(arguments.Endpoints) > 0:
			return app.Usage("%s is no file; where to send is --to %[1]s", arguments.Endpoints[0])
		case len(arguments.Files) == 0:
			return app.Usage("name the recording to send, such as shop.jsonl.zst, or - for the standard input")
		}
		sel, err := selecting.Parse()
		if err != nil {
			return err
		}
		r, err := recording.New(arguments.Files, sel)
		if err != nil {
			return err
		}
		return run(command.Context(), a, r, settings, own, strings.Join(arguments.Files, ", "))
	}
	return command
}

// run sends a recording.
func run(ctx context.Context, a *app.App, r *recording.Recording, settings *otlpout.Settings, own *options, files string) error {
	speed, err := speedOf(own.speed)
	if err != nil {
		return err
	}
	if own.maxPause < 0 {
		return app.Usage("--max-pause %v: write a time such as 5s, or 0 for no limit", own.maxPause)
	}
	sender, err := settings.New("remotetap/"+a.Version, a.Say)
	if err != nil {
		return err
	}
	sender.EndsWhenUnavailable = true // the recording can be sent later, but for what was taken
	shown := newProgress(a, r, sender.Account)
	p := &player{sender: sender, pace: pace{speed: speed, maxPause: own.maxPause, tick: shown.show}, shifts: own.shiftTime, shown: shown.show}
	begun := time.Now()
	err = r.Each(ctx, func(b *app.Batch) error { return p.play(ctx, b) })
	a.Status("")
	count, ledger := sender.Account.Count(), r.Totals().Ledger
	a.Say("%s: matched %s of %s, sent in %v: %v", files, app.Number(ledger.Matched), app.Number(ledger.Seen), short(time.Since(begun)), count)
	if hints := r.Hints(); len(hints) > 0 {
		a.Say("Nothing matched. %s", strings.Join(hints, "\n"))
	}
	if ledger.EvalErrors > 0 {
		a.Say("where failed on %s", app.Number(ledger.EvalErrors))
	}
	if ctx.Err() != nil {
		a.Say("The rest was not read: interrupted.")
		if broken, isBroken := errors.AsType[*recording.Broken](err); isBroken { // what the user did not wait for is no failure
			a.Say("%v", broken)
			err = nil
		}
		return errors.Join(err, sender.Close())
	}
	if lost := count.Lost(); lost > 0 && err == nil {
		err = fmt.Errorf("%s of %s items were not taken", app.Number(lost), app.Number(count.Taken+lost))
	}
	return errors.Join(err, sender.Close())
}

// short is a time with as many digits as matter.
func short(d time.Duration) time.Duration {
	if d < time.Minute {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}

// player sends batches when they are due. It is for one goroutine.
type player struct {
	sender *otlpout.Sender
	pace   pace
	shifts bool
	by     time.Duration // how far times are moved
	based  bool          // by is known
	shown  func()
}

// play sends a batch when it is due.
func (p *player) play(ctx context.Context, b *app.Batch) error {
	at, proto := b.Time, b.Proto
	if p.shifts || at.IsZero() && p.pace.speed != asFastAsPossible {
		doc, err := decode(b)
		if err != nil {
			return err
		}
		newest := doc.newest()
		if at.IsZero() {
			at = newest
		}
		if p.shifts {
			if proto, err = p.shifted(doc, newest); err != nil {
				return err
			}
		}
	}
	p.pace.wait(ctx, at)
	if ctx.Err() != nil {
		p.sender.Account.Lost(otlpout.Interrupted, b.Items)
		return app.ErrEnough
	}
	err := p.sender.Send(ctx, b.OTLP(), proto, b.Items)
	p.shown()
	return err
}

// shifted is a document as of now.
func (p *player) shifted(doc *document, newest time.Time) ([]byte, error) {
	if !p.based && !newest.IsZero() {
		p.by, p.based = time.Since(newest), true
	}
	doc.shift(p.by)
	return doc.marshal()
}
