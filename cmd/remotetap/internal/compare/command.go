// Package compare is the command `remotetap compare`: what becomes of the telemetry between two tap
// points of a collector.
package compare

import (
	"context"
	"encoding/json"
	"time"

	"github.com/spf13/cobra"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/recording"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

const long = `Compare what passes two tap points of the same collectors, for instance before and after
sampling: how many items a second, the share that is kept, which services and errors
lose how much, what vanished, and which attributes were added, removed or changed.

A point is named by its id, or by the part behind the slash.

WHAT IT TAKES. Three taps, of the five that a collector allows unless told otherwise:
two count (exactly, without payload), and one looks at the items of both points. It
looks at one of 2, 4, 8 ... traces, so that about 1,000 items a second come; --look
says otherwise, and --look 0 does without. A hash of the trace id decides which traces;
it has nothing to do with what samplers decide by. (--sample goes by the same bits as
they do: it would find just those traces that they keep.)

THE INTERVAL. The kept share of all items is that of the counts. What it would be if
one counted long enough lies, 19 times of 20, within the interval: Wilson's, for the
number of independent items that have the same variance. A sampler keeps or drops whole
traces, so the spans of a trace tell hardly more than one of them; the variance is that
of a ratio over traces as clusters, measured in the look. Services and errors have
intervals of their own, from the look alone. For one group exactly, count only that:
remotetap compare A B --error.

EDGES. Items that pass the first point at the end need time to come to the second, and
some that pass the second at the beginning had passed the first before. So the look goes
on for --grace after the counting, and neither counts as vanished, or as new. A sampler
that waits for whole traces (tail_sampling) needs a --grace of its decision_wait and more.

Spans are matched by trace and span id, log records by these, time and body. Metrics are
only counted. At most 200,000 items are known at once: beyond, every second trace is
forgotten, and that is said.`

const example = `  # Does the sampler keep a quarter?
  remotetap compare remote_tap after_sampling --expect 25%
  # In a script: exit code 4 if it does not.
  remotetap compare remote_tap after_sampling --expect 25% --exit-code --duration 1m -o json
  # Are errors kept, exactly?
  remotetap compare remote_tap after_sampling --error --look 0`

// options are the flags.
type options struct {
	duration, grace time.Duration
	look, expect    string
	output          string
	exitCode        bool
	top             int
}

// Command is remotetap compare.
func Command(a *app.App) *cobra.Command {
	command := &cobra.Command{
		Use:     "compare POINT_A POINT_B [SIGNAL] [KEY=VALUE...] [ENDPOINT...]",
		Short:   "Compare two tap points, such as before and after sampling",
		Long:    long,
		Example: example,
	}
	var o options
	flags := command.Flags()
	flags.DurationVar(&o.duration, "duration", 10*time.Second, "count for so `LONG`")
	flags.DurationVar(&o.grace, "grace", 2*time.Second, "the `TIME` that an item may take from the first point to the second")
	flags.StringVar(&o.look, "look", "auto", "look at this `SHARE` of the traces, rounded down to 1/2, 1/4, 1/8 ...; 0 for counts only")
	flags.StringVar(&o.expect, "expect", "", "say whether this `SHARE` (25%, 0.25, 1/4) lies within the interval of what is kept")
	flags.BoolVar(&o.exitCode, "exit-code", false, "end with 4 if nothing passed, or --expect does not hold")
	flags.StringVarP(&o.output, "output", "o", "text", "`FORMAT`: text or json")
	flags.IntVar(&o.top, "top", 10, "list so `MANY` services, names and attributes")
	a.ConnectionFlags(flags)
	selecting := app.SelectionFlags(flags)
	command.RunE = func(command *cobra.Command, args []string) error {
		r, err := prepare(a, o, selecting, args)
		if err != nil {
			return err
		}
		return r.run(command.Context())
	}
	return command
}

// prepare checks what the user wrote.
func prepare(a *app.App, o options, selecting *app.Selecting, args []string) (*run, error) {
	if err := app.NoFiles(args[:min(2, len(args))], recording.IsFile); err != nil {
		return nil, err
	}
	if len(args) < 2 {
		return nil, app.Usage("name two tap points: remotetap compare POINT_A POINT_B; `remotetap points` lists them")
	}
	switch {
	case o.output != "text" && o.output != "json":
		return nil, app.Usage("-o %s: write text or json", o.output)
	case o.duration < 100*time.Millisecond:
		return nil, app.Usage("--duration %s: write at least 100ms", o.duration)
	case o.grace < 0:
		return nil, app.Usage("--grace %s: write 0s or more", o.grace)
	case o.top < 1:
		return nil, app.Usage("--top %d: write 1 or more", o.top)
	}
	r := &run{app: a, options: o, pointA: args[0], pointB: args[1]}
	var err error
	if r.look, err = parseLook(o.look); err != nil {
		return nil, err
	}
	if o.expect != "" {
		expected, err := parseShare(o.expect)
		if err != nil {
			return nil, app.Usage("--expect %s: write a share such as 25%%, 0.25 or 1/4", o.expect)
		}
		r.expected = &expected
	}
	r.endpoints, err = selecting.Endpoints(args[2:], recording.IsFile)
	switch {
	case err != nil:
		return nil, err
	case selecting.Given("point"):
		return nil, app.Usage("--point: the two arguments are the points, leave it out")
	case selecting.Given("sample"):
		return nil, app.Usage("--sample picks traces as samplers do, so it would find just what they keep: use --look for less work")
	}
	r.selection, err = selecting.Request()
	return r, err
}

// run is one comparison.
type run struct {
	app            *app.App
	options        options
	pointA, pointB string
	look           look
	expected       *float64
	endpoints      []string
	selection      tapclient.Selection
}

func (r *run) run(ctx context.Context) error {
	client, err := r.app.Dial(ctx, r.endpoints)
	if err != nil {
		return err
	}
	defer client.Close()
	listings, err := client.ListPoints(ctx)
	if err != nil {
		return err
	}
	plan, err := planOf(listings, r.pointA, r.pointB, r.selection)
	if err != nil {
		return err
	}
	w := newWatch(r, client, plan)
	if err := w.watch(ctx); err != nil {
		return err
	}
	report := w.report()
	r.app.Status("")
	if err := r.print(report, w.panel.back()); err != nil {
		return err
	}
	return r.verdict(report)
}

// print writes the report, to where `back` goes on a terminal.
func (r *run) print(report *report, back string) error {
	if r.options.output == "json" {
		text, err := json.Marshal(report)
		if err != nil {
			return err
		}
		return r.app.Print(append(text, '\n'))
	}
	return r.app.Print([]byte(back + report.text(r.app.Screen, r.options.top)))
}

// verdict is the error of a condition that does not hold, if the user asked for it.
func (r *run) verdict(report *report) error {
	switch {
	case !r.options.exitCode:
		return nil
	case report.Points[0].Items == 0:
		return app.Unproved("nothing passed %s", report.Points[0].Point)
	case report.Expected != nil && !report.Expected.Holds:
		return app.Unproved("%s", report.Expected.words(report))
	}
	return nil
}
