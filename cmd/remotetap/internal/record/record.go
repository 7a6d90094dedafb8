// Package record is the command `remotetap record`: live telemetry into files.
package record

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/recording"
	"github.com/remotetap/remotetapprocessor/internal/format"
	"github.com/remotetap/remotetapprocessor/internal/redact"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// maxLine is the size of a line in bytes, with its end, above which a batch is split: the collector's
// pkg/stanza/fileconsumer, which receivers of files use, cuts lines at 1 MiB by default. An item that is larger makes a larger line.
const maxLine = 1_000_000

// Command is remotetap record.
func Command(a *app.App) *cobra.Command {
	command := &cobra.Command{
		Use:   "record FILE [SIGNAL...] [KEY=VALUE...] [ENDPOINT...]",
		Short: "Record live telemetry to a file",
		Long: `record writes what matches to a file as lines of OTLP JSON, in the form of the collector's
file exporter: remotetap replay and remotetap tail read it, and so does jq. A name that ends in
.zst or .gz is compressed; - is the standard output. Each line also says which tap point it
passed and when, in the member remoteTap, which readers of OTLP ignore. Items that pass several
tap points are recorded once for each; choose one with --point.

It goes on until Ctrl-C, or until --count, --duration or --max-size is reached. The file grows
while it is written: each second everything is in it, so that little is lost if the machine
dies. At the end it is completed, and on the disk when the command returns. It can be read by
its owner only.

With --rotate the files are numbered: shop.jsonl.zst becomes shop-0001.jsonl.zst and so on,
after the highest number that is there. Sizes are those on the disk. A compressed file may
become a little larger than asked for: by what 1 MiB of lines makes.

--scrub and --scrub-value replace values by hashes (hmac: and 16 hexadecimal digits) before
anything is written. The key of the hashes is random and forgotten when the command ends: equal
values have equal hashes within a recording, so they still group, and nowhere else. Numbers and
other values become texts by that. See docs/redaction.md.

How many items were received and not written, if any, and what the collectors dropped, is said
at the end.`,
		Example: `  # Everything, compressed, until Ctrl-C:
  remotetap record shop.jsonl.zst

  # The errors of one service for ten minutes, without what is personal:
  remotetap record errors.jsonl.gz --service checkout --error --duration 10m --scrub '*email*' --scrub '*.user.*'

  # The last hour or so, always: files of ten minutes, the newest six:
  remotetap record ring.jsonl.zst --rotate 10m --keep 6

  # Into another program:
  remotetap record - traces --count 100 | jq .`,
	}
	a.ConnectionFlags(command.Flags())
	selecting := app.SelectionFlags(command.Flags(), app.OptionRate, app.OptionCount, app.OptionDuration)
	own := optionFlags(command.Flags())
	command.RunE = func(command *cobra.Command, args []string) error {
		name, rest, err := fileOf(args)
		if err != nil {
			return err
		}
		arguments, err := selecting.Arguments(rest, nil)
		if err != nil {
			return err
		}
		request, err := selecting.Request()
		if err != nil {
			return err
		}
		l, err := own.limits()
		if err != nil {
			return err
		}
		scrubber, err := own.redactor()
		if err != nil {
			return err
		}
		recorded, err := run(command.Context(), a, name, l, scrubber, arguments.Endpoints, request)
		if err == nil && own.exitCode && recorded == 0 {
			return app.Unproved("nothing was recorded (--exit-code)")
		}
		return err
	}
	return command
}

// fileOf finds the file among the arguments: it is the first.
func fileOf(args []string) (name string, rest []string, err error) {
	if len(args) == 0 {
		return "", nil, app.Usage("name the file to write, such as shop.jsonl.zst, or - for the standard output")
	}
	name = args[0]
	switch key, _, isCriterion := strings.Cut(name, "="); {
	case name == "traces", name == "metrics", name == "logs", name == "profiles",
		isCriterion && !strings.ContainsAny(key, "/"),
		strings.Contains(name, ":") && !recording.IsFile(name):
		return "", nil, app.Usage("the file comes first: remotetap record FILE %s", strings.Join(args, " "))
	}
	return name, args[1:], nil
}

// run records until there is enough, and returns how many items that were.
func run(ctx context.Context, a *app.App, name string, l limits, scrubber *redact.Redactor, endpoints []string, request tapclient.Selection) (uint64, error) {
	w, err := newWriter(name, l, a.Print)
	if err != nil {
		return 0, err
	}
	r := &recorder{
		writer: w, redactor: scrubber, begun: time.Now(),
		renderer: format.New(format.OTLPJSON, format.Options{MaxMessage: maxLine - 1, Envelope: true}),
	}
	points := app.PointsNotice{Done: "recorded"}
	stats := func(s *tapclient.Stats) error {
		points.Hear(a, s)
		return nil
	}
	totals, err := a.Watch(ctx, endpoints, request, app.Watcher{Batch: r.batch, Stats: stats, Status: r.status, Event: r.event})
	if w.current == nil { // no collector was reached, and so there is no file
		if app.CodeOf(err) != app.CodeUsage {
			a.Say("nothing was recorded, no file was written")
		}
		return 0, err
	}
	closing := w.close()
	a.Say("%s", r.words(totals))
	a.Say("%s", app.TotalsWords(totals))
	if err == nil {
		err = closing
	}
	return r.items, err
}

// recorder turns batches into lines. It is for one goroutine.
type recorder struct {
	writer   *writer
	redactor *redact.Redactor // nil if nothing is scrubbed
	scrubbed []byte
	renderer format.Renderer
	line     []byte

	items uint64 // that were written
	full  bool   // --max-size is reached

	// for the rate

	begun     time.Time
	lastTime  time.Time
	lastItems uint64
	rate      float64
}

// batch writes a batch.
func (r *recorder) batch(b *app.Batch) error {
	proto := b.Proto
	if r.redactor != nil {
		doc, changed, err := r.redactor.Redact(b.OTLP(), proto, r.scrubbed[:0])
		if err != nil {
			return fmt.Errorf("%s: a batch of %s cannot be scrubbed, so it is not written: %w", b.From, b.Signal, err)
		}
		if proto = doc; changed {
			r.scrubbed = doc
		}
	}
	r.renderer.Reset(format.Batch{Signal: b.OTLP(), Proto: proto, Point: b.Point, Time: b.Time})
	for {
		line, items, ok, err := r.renderer.Next(r.line[:0])
		if err != nil {
			return fmt.Errorf("%s: a batch of %s is malformed: %w", b.From, b.Signal, err)
		}
		if !ok {
			return nil
		}
		line = append(line, '\n')
		r.line = line
		if r.full, err = r.writer.write(line, items); err != nil {
			return err
		}
		if r.full {
			return app.ErrEnough
		}
		r.items += uint64(items)
	}
}

// event begins when a collector is reached, and keeps the files current.
func (r *recorder) event(e tapclient.Event) error {
	switch e.(type) {
	case *tapclient.Up:
		return r.writer.open()
	case *tapclient.Stats:
		return r.writer.tick()
	}
	return nil
}

// status is the progress.
func (r *recorder) status(totals tapclient.Totals) string {
	if r.writer.current == nil {
		return ""
	}
	now := time.Now()
	if r.lastTime.IsZero() {
		r.lastTime = r.begun
	}
	if since := now.Sub(r.lastTime); since >= time.Second {
		r.rate = float64(r.items-r.lastItems) / since.Seconds()
		r.lastTime, r.lastItems = now, r.items
	}
	text := fmt.Sprintf("%s: %s items, %s, %s items/s", r.writer.current.name, app.Number(r.items), bytesOf(r.writer.size()), rateOf(r.rate))
	if lost := app.LossWords(totals.Ledger); lost != "" {
		text += "; " + lost
	}
	return text
}

func bytesOf(n int64) string { return humanize.Bytes(uint64(max(n, 0))) }

// rateOf is a rate with as many digits as matter.
func rateOf(rate float64) string {
	if rate > 0 && rate < 10 {
		return fmt.Sprintf("%.1f", rate)
	}
	return app.Number(int64(rate + 0.5))
}

// words is what was recorded.
func (r *recorder) words(totals tapclient.Totals) string {
	text := fmt.Sprintf("wrote %s items, %s, to %v", app.Number(r.items), bytesOf(r.writer.size()), r.writer)
	if r.full {
		text += "; --max-size is reached"
	}
	if received := totals.Received.Items; received > r.items {
		text += fmt.Sprintf("; %s that were received at the end are not in it", app.Number(received-r.items))
	}
	return text
}
