// Package top is the command `remotetap top`: what passes, counted by service and operation, or by any
// attributes: rates, errors, percentiles; as a live table, or once for scripts.
//
// Three parts know little of each other: a counter that has no clock and no screen, a screen that is
// drawn from what the counter says at a moment, and the wiring with the collectors and the terminal.
package top

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/recording"
	"github.com/remotetap/remotetapprocessor/internal/nearest"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// top is one run of the command.
type top struct {
	app *app.App

	// flags

	by       []string
	sort     string
	interval time.Duration
	isOnce   bool
	output   string
	limit    int

	// what they mean

	fields []field
	order  order
	query  string // what is selected
}

const long = `Top counts what passes, by service and operation: spans with their rate, errors and percentiles
of their durations; log records by severity; metrics with their last value. With --by it counts by
any attributes instead.

On a terminal it is a live table; press ? for its keys. With --once, -o, or if the output is no
terminal, it counts for --duration (30s if nothing is said), prints the groups with the most errors,
and ends.

What is counted is what arrives. Where items were lost (dropped by a limit, skipped to save the
collector's time, or passed while there was no connection) a line says how many, and why; counts and
rates are then lower bounds, marked with ≥, and shares and percentiles are those of what arrived,
marked with ~. They are not scaled up: limits keep errors and slow spans before the rest, so what was
lost is not like what came. To see a part that is like the whole, ask for --sample 0.1.

An item that passes several tap points, for instance before and after sampling, is counted at each:
name one with --point, or tell them apart with --by point.

With -o json the document has since, until, seconds, items, lower_bounds, the account, and for each of
traces, logs, metrics and profiles its items, per_second, points, the number of groups, and rows: by
(what the group has in common; null if its items have no such key), items, per_second, errors,
error_share (0 to 1), p50_ms, p95_ms, p99_ms, severities, last_value, unit, as far as they apply.

Percentiles are within 1 %, of spans that have an end. Each signal has 2,000 groups at most; what
belongs to others is counted together.`

const example = `  # What is failing right now?
  remotetap top --sort errors

  # Which routes of one service are slow, and on which pods?
  remotetap top traces --service checkout --by http.route --by k8s.pod.name --sort p99

  # The ten operations with the most errors in half a minute, for a script
  remotetap top traces --once --duration 30s -o json | jq '.traces.rows[] | select(.errors > 0)'`

// Command is remotetap top.
func Command(a *app.App) *cobra.Command {
	t := &top{app: a}
	command := &cobra.Command{
		Use:     "top [SIGNAL...] [KEY=VALUE...] [ENDPOINT...]",
		Short:   "Count what passes: rates, errors and durations by service and operation",
		Long:    long,
		Example: example,
	}
	flags := command.Flags()
	flags.StringArrayVar(&t.by, "by", nil, "group by this `KEY` instead: an attribute (attr.KEY if it has no dot), or service, name, kind, status, severity, point, collector; may be repeated")
	flags.StringVar(&t.sort, "sort", "", "the first rows have the most of this `ORDER`: "+orderNames()+" (default rate; errors with --once)")
	flags.DurationVar(&t.interval, "interval", 2*time.Second, "`TIME` over which the live table's rates and percentiles are taken; from 500ms to 1h")
	flags.BoolVar(&t.isOnce, "once", false, "count for --duration (default 30s), print, and end")
	flags.StringVarP(&t.output, "output", "o", "text", "how to print with --once, which this implies: `text|json`")
	flags.IntVar(&t.limit, "limit", 10, "print `N` groups of each signal with --once; 0 for all")
	a.ConnectionFlags(flags)
	selecting := app.SelectionFlags(flags, app.OptionRate, app.OptionCount, app.OptionDuration)
	command.RunE = func(command *cobra.Command, args []string) error {
		endpoints, err := selecting.Endpoints(args, recording.IsFile)
		if err != nil {
			return err
		}
		request, err := selecting.Request()
		if err != nil {
			return err
		}
		t.query = selecting.Query()
		if err := t.check(flags.Changed); err != nil {
			return err
		}
		return t.run(command.Context(), endpoints, request)
	}
	return command
}

// check finds out what the flags mean.
func (t *top) check(given func(flag string) bool) error {
	t.isOnce = t.isOnce || given("output") || !t.app.Screen.IsTerminal
	t.order = byRate
	if t.isOnce {
		t.order = byErrors
	}
	if t.sort != "" {
		t.order = order(t.sort)
	}
	var err error
	switch {
	case !slices.Contains(orders(), t.order):
		hint := "write one of " + orderNames()
		if near := nearest.Name(t.sort, strings.Split(orderNames(), ", ")); near != "" {
			hint = "did you mean " + near + "?"
		}
		return app.Usage("--sort %s: there is no such order; %s", t.sort, hint)
	case t.interval < 500*time.Millisecond || t.interval > time.Hour:
		return app.Usage("--interval %s: write a time from 500ms to 1h", t.interval)
	case t.output != "text" && t.output != "json":
		return app.Usage("-o %s: write text or json", t.output)
	case t.limit < 0:
		return app.Usage("--limit %d: write how many groups to print, or 0 for all", t.limit)
	case !t.isOnce && given("limit"):
		return app.Usage("--limit is for --once: the live table has all groups; press tab")
	case t.isOnce && given("interval"):
		return app.Usage("--interval is for the live table; with --once write --duration")
	}
	t.fields, err = parseFields(t.by)
	return err
}

func orderNames() string {
	var names []string
	for _, o := range orders() {
		names = append(names, string(o))
	}
	return strings.Join(names, ", ")
}

func (t *top) run(ctx context.Context, endpoints []string, request tapclient.Selection) error {
	if t.isOnce {
		return t.once(ctx, endpoints, request)
	}
	return t.live(ctx, endpoints, request)
}
