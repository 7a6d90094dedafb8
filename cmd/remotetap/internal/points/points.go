// Package points is the command `remotetap points`: what there is to tap, and who does.
package points

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

const long = `List the tap points of collectors with their signals, and the open taps: who watches what
since when, and what was delivered or lost. It opens no tap itself.

Items per second are known only where somebody watches: what nobody watches is not counted,
since a collector that nobody watches does nothing for it. Rates are those of the last
seconds, of all that passes the point, whatever the taps select.

-o json prints {"collectors":[...]}, each with its endpoint and what GET /v1/points answers.`

const example = `  remotetap points
  # All pods of a headless service, again every two seconds:
  remotetap points dns:///otel-collector-headless:12001 --watch
  # How many taps are open?
  remotetap points -o json | jq '.collectors[].taps | length'`

// watchPeriod is the time between two lists of --watch.
const watchPeriod = 2 * time.Second

// Command is remotetap points.
func Command(a *app.App) *cobra.Command {
	command := &cobra.Command{
		Use:     "points [ENDPOINT...]",
		Short:   "List the tap points, their live rates, and who is tapping",
		Long:    long,
		Example: example,
	}
	c := &lister{app: a}
	flags := command.Flags()
	flags.StringVarP(&c.output, "output", "o", "text", "print as `FORMAT`: text or json")
	flags.BoolVarP(&c.watch, "watch", "w", false, "list them again every 2 seconds, until Ctrl-C")
	a.ConnectionFlags(flags)
	command.RunE = func(command *cobra.Command, args []string) error { return c.run(command.Context(), args) }
	return command
}

// lister is one run of the command.
type lister struct {
	app    *app.App
	output string
	watch  bool
}

func (l *lister) run(ctx context.Context, endpoints []string) error {
	if l.output != "text" && l.output != "json" {
		return app.Usage("-o %s: write text or json", l.output)
	}
	client, err := l.app.Dial(ctx, endpoints)
	if err != nil {
		return err
	}
	defer client.Close()
	for first := true; ; first = false {
		listings, err := client.ListPoints(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && (!l.watch || first):
			return err
		case err != nil: // it may come back
			listings = []tapclient.Listing{{Err: err}}
		}
		if err := l.print(listings, first); err != nil {
			return err
		}
		if !l.watch {
			return unanswered(listings)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchPeriod):
		}
	}
}

// print prints the lists, on a terminal that is watched in place of those before.
func (l *lister) print(listings []tapclient.Listing, first bool) error {
	if l.output == "json" {
		text, err := asJSON(listings)
		if err != nil {
			return err
		}
		return l.app.Print(append(text, '\n'))
	}
	s := &sheet{terminal: l.app.Screen, width: l.app.Screen.Width()}
	for i := range listings {
		if i > 0 {
			s.line("")
		}
		s.collector(&listings[i])
	}
	switch {
	case !l.watch:
		return l.app.Print(s.bytes())
	case l.app.Screen.IsTerminal:
		return l.app.Print(s.inPlace(l.app.Screen.Height(), first))
	case !first:
		return l.app.Print(append([]byte("\n"), s.bytes()...))
	default:
		return l.app.Print(s.bytes())
	}
}

// unanswered is the error about those collectors that did not answer, while others did.
func unanswered(listings []tapclient.Listing) error {
	failed := 0
	var last error
	for _, listing := range listings {
		if listing.Err != nil {
			failed++
			last = listing.Err
		}
	}
	if failed == 0 {
		return nil
	}
	return &app.Error{Code: app.CodeOf(last), Err: fmt.Errorf("%d of %d collectors did not answer", failed, len(listings))}
}
