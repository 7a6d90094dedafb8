// Package trace is the command `remotetap trace`: one trace as it passes, drawn as a waterfall with its
// logs.
package trace

import (
	"context"
	"encoding/hex"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/recording"
)

const long = `Collect one trace while it passes, and draw it as a waterfall with its log records and
events: the one with TRACE_ID (32 hexadecimal digits, or a traceparent header), or, with
--next, the next of which a span or log record is selected. The selection decides which
trace it is; then all of it is shown, whoever made its spans. It is complete when a root
has come and all parents; else it is said what is missing.

The trace is drawn when --wait has gone by without anything new of it, or at Ctrl-C.

WHAT IT TAKES. TRACE_ID takes one tap, and the collector picks out what belongs to it.
--next takes one tap that shows all spans and log records, of which the newest are kept in
memory here (--keep, --memory): when one is selected, the spans of its trace that passed
before are there too. On a busy collector that is much: the tap's limits (10 MiB a second
unless configured) may drop some, which is said. With --narrow the collector selects, and a
second tap follows the trace that was found: cheap, but what passed before is missing.

A span that passes several tap points is shown once. Of spans that are alike (name, service,
and result) and have the same parent, five or more, one is drawn and the others are summed up;
--all draws everything. At most 20,000 items and 64 MiB of one trace are collected.

A bar is drawn in the time of the whole trace. "~" marks spans that lie outside the time of
their parent, since clocks differ or work went on after it.`

const example = `  remotetap trace 5b8efff798038103d269b633813fc60c
  # The next failing trace of checkout, with all services' spans:
  remotetap trace --next --service checkout --error
  # What a colleague's laptop does among everybody's:
  remotetap trace --next service.version=local-debug
  # In a script: 4 if it does not come within a minute, or spans are missing.
  remotetap trace --next --min-duration 1s --duration 1m --exit-code -o json`

// options are the flags.
type options struct {
	next, narrow, all bool
	wait, duration    time.Duration
	keep              time.Duration
	memory            int // MiB
	output            string
	exitCode          bool
}

// Command is remotetap trace.
func Command(a *app.App) *cobra.Command {
	command := &cobra.Command{
		Use:     "trace TRACE_ID|--next [KEY=VALUE...] [ENDPOINT...]",
		Short:   "Draw one trace with its logs, as it passes",
		Long:    long,
		Example: example,
	}
	var o options
	flags := command.Flags()
	flags.BoolVar(&o.next, "next", false, "take the next trace of which something is selected")
	flags.BoolVar(&o.narrow, "narrow", false, "with --next: have the collector select, in a second tap; what passed before is missing")
	flags.BoolVar(&o.all, "all", false, "draw all spans and records: sum up none, leave out none")
	flags.DurationVar(&o.wait, "wait", 3*time.Second, "draw it when nothing new has come for so `LONG`")
	flags.DurationVar(&o.duration, "duration", 0, "give up, or draw what there is, after so `LONG` in all; 0 for never")
	flags.DurationVar(&o.keep, "keep", 30*time.Second, "with --next: keep what has passed for so `LONG`")
	flags.IntVar(&o.memory, "memory", 64, "with --next: keep at most so many `MIB` of it")
	flags.StringVarP(&o.output, "output", "o", "text", "`FORMAT`: text, json (one object) or otlp (OTLP/JSON lines)")
	flags.BoolVar(&o.exitCode, "exit-code", false, "end with 4 if no trace came, or spans are missing")
	a.ConnectionFlags(flags)
	selecting := app.SelectionFlags(flags)
	command.RunE = func(command *cobra.Command, args []string) error {
		c, err := prepare(a, o, selecting, args)
		if err != nil {
			return err
		}
		return c.run(command.Context())
	}
	return command
}

// prepare checks what the user wrote.
func prepare(a *app.App, o options, selecting *app.Selecting, args []string) (*collector, error) {
	id, isID := "", false
	if len(args) > 0 {
		if id, isID = idOf(args[0]); isID {
			args = args[1:]
		}
	}
	switch {
	case isID && o.next:
		return nil, app.Usage("--next takes whichever trace comes next: leave it out, or %s", id)
	case !isID && !o.next:
		return nil, app.Usage("name a trace by its 32 hexadecimal digits, or write --next for the next that matches")
	case o.narrow && !o.next:
		return nil, app.Usage("--narrow is about --next: a trace that is named is picked out by the collector anyhow")
	case o.output != "text" && o.output != "json" && o.output != "otlp":
		return nil, app.Usage("-o %s: write text, json or otlp", o.output)
	case o.wait <= 0:
		return nil, app.Usage("--wait %s: write more than 0s", o.wait)
	case o.duration < 0 || o.keep < 0:
		return nil, app.Usage("--duration and --keep: write 0s or more")
	case o.memory < 1 || o.memory > 4096:
		return nil, app.Usage("--memory %d: write 1 to 4096 MiB", o.memory)
	}
	endpoints, err := selecting.Endpoints(args, recording.IsFile)
	if err != nil {
		return nil, err
	}
	if selecting.Given("trace_id") {
		return nil, app.Usage("--trace-id: write the id as the first argument instead")
	}
	return newCollector(a, o, selecting, id, endpoints)
}

// idOf reads a trace id, or the one in a traceparent header (W3C Trace Context).
func idOf(text string) (string, bool) {
	text = strings.ToLower(text)
	if parts := strings.Split(text, "-"); len(parts) == 4 && len(parts[0]) == 2 {
		text = parts[1]
	}
	if id, err := hex.DecodeString(text); err != nil || len(id) != 16 {
		return "", false
	}
	return text, true
}

// run collects the trace and shows it.
func (c *collector) run(ctx context.Context) error {
	if err := c.collect(ctx); err != nil {
		return err
	}
	if c.id == "" || c.trace.items == 0 {
		return c.nothing(ctx)
	}
	tree := c.trace.tree(c.id)
	problems := c.problems(tree)
	if err := c.show(tree, problems); err != nil {
		return err
	}
	if c.options.exitCode && !tree.complete() {
		return app.Unproved("trace %s is not complete", c.id)
	}
	return nil
}

// nothing is for when nothing has come: because nothing passed, or because nobody was there to see it, which
// is an error unless the user did not wait for it (ctx is done).
func (c *collector) nothing(ctx context.Context) error {
	if err := c.reach.Never(); err != nil && ctx.Err() == nil {
		return err
	}
	message := "nothing of trace " + c.id + " has passed"
	if c.id == "" {
		message = "no trace that is selected has passed"
	}
	if words := c.losses(); words != "" {
		message += "; " + words
	}
	if err := c.reach.Now(); err != nil {
		message += "; not connected to " + strings.ReplaceAll(err.Error(), "\n", ", ")
	}
	if c.options.exitCode {
		return app.Unproved("%s", message)
	}
	c.app.Say("%s", message)
	return nil
}
