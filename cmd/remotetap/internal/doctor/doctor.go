// Package doctor is the command `remotetap doctor`: why do I see nothing?
package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/recording"
	"github.com/remotetap/remotetapprocessor/internal/nearest"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

const (
	// defaultDuration is how long traffic is watched: servers take five seconds to say why nothing
	// matches.
	defaultDuration = 6 * time.Second
	// leastDuration is the shortest that tells anything.
	leastDuration = 500 * time.Millisecond
	// maxSites is how many addresses are looked at.
	maxSites = 20
	// atOnce is how many are looked at together.
	atOnce = 5
)

// Command is remotetap doctor.
func Command(a *app.App) *cobra.Command {
	var duration time.Duration
	var output string
	command := &cobra.Command{
		Use:   "doctor [SIGNAL...] [KEY=VALUE...] [ENDPOINT...]",
		Short: "Find out why nothing is seen",
		Long: `doctor goes the way of a tap step by step, and says for each what it found and, where
something is wrong, what to do: whether the name resolves, the port answers, TLS and
credentials are right, it is a remote_tap at all, which tap points there are, whether a tap
is free, what passes, and, with the criteria of a selection, which of them excludes
everything.

It opens up to two taps that only count (format=none), more, one after the other, if nothing
matches: nothing is taken from the pipelines but the time to look at the items.

It ends with 0 if all is well and 1 if there is a problem.`,
		Example: `  remotetap doctor
  remotetap doctor https://otel.example.com:12001 --cacert ca.pem
  remotetap doctor traces --service checkout --error --duration 30s
  remotetap doctor --kube monitoring/deploy/otel-collector
  remotetap doctor -o json | jq '.endpoints[].findings[] | select(.state == "problem")'`,
	}
	flags := command.Flags()
	a.ConnectionFlags(flags)
	selecting := app.SelectionFlags(flags)
	flags.DurationVar(&duration, "duration", defaultDuration, "watch what passes for this `TIME`; hints why nothing matches take 5s")
	flags.StringVarP(&output, "output", "o", "text", "`FORMAT` of the findings: text or json")
	command.RunE = func(command *cobra.Command, args []string) error {
		endpoints, err := selecting.Endpoints(args, recording.IsFile)
		if err != nil {
			return err
		}
		if output != "text" && output != "json" {
			return unknownOutput(output)
		}
		if duration < leastDuration {
			return app.Usage("--duration %s is too short to see anything: write %s or more", duration, leastDuration)
		}
		w, err := wantOf(selecting)
		if err != nil {
			return err
		}
		d := &doctor{app: a, want: w, duration: duration}
		return d.run(command.Context(), endpoints, output == "json")
	}
	return command
}

func unknownOutput(output string) error {
	if near := nearest.Name(output, []string{"text", "json"}); near != "" {
		return app.Usage("--output %q is unknown; did you mean %s?", output, near)
	}
	return app.Usage("--output %q is unknown: write text or json", output)
}

// doctor is a run of the command.
type doctor struct {
	app      *app.App
	want     want
	duration time.Duration
}

// run looks at all endpoints, and writes what it finds: each as soon as it and those before it are
// done.
func (d *doctor) run(ctx context.Context, endpoints []string, asJSON bool) error {
	connection, err := d.app.Connect(ctx, endpoints)
	if err != nil {
		return err
	}
	sites, left := d.sites(ctx, connection)
	d.app.Status(fmt.Sprintf("looking, for about %s ...", d.duration))
	defer d.app.Status("")
	var all []report
	for r := range d.examineAll(ctx, sites) {
		all = append(all, r)
		if !asJSON {
			if err := d.app.Print([]byte(d.render(r))); err != nil {
				return err
			}
		}
	}
	if asJSON {
		text, err := json.MarshalIndent(document{Endpoints: all, NotExamined: left}, "", "  ")
		if err != nil {
			return err
		}
		if err := d.app.Print(append(text, '\n')); err != nil {
			return err
		}
	}
	if left > 0 {
		d.app.Say("%d more addresses were not looked at.", left)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return verdict(all)
}

// document is the output of -o json.
type document struct {
	Endpoints   []report `json:"endpoints"`
	NotExamined int      `json:"not_examined"` // addresses beyond the limit
}

// verdict is the error of a run: how many problems there are.
func verdict(all []report) error {
	problems, where := 0, 0
	for _, r := range all {
		if n := r.problems(); n > 0 {
			problems += n
			where++
		}
	}
	switch {
	case problems == 0:
		return nil
	case len(all) == 1:
		return fmt.Errorf("%s found", app.Counted(problems, "problem"))
	default:
		return fmt.Errorf("%s found, at %d of %d addresses", app.Counted(problems, "problem"), where, len(all))
	}
}

// examineAll looks at the sites, some at once, and yields the reports in their order.
func (d *doctor) examineAll(ctx context.Context, sites []*site) func(yield func(report) bool) {
	return func(yield func(report) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var examining sync.WaitGroup
		defer examining.Wait()
		defer cancel()
		slots := make(chan struct{}, atOnce)
		reports := make([]chan report, len(sites))
		for i, s := range sites {
			reports[i] = make(chan report, 1)
			examining.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				reports[i] <- d.examine(ctx, s)
			})
		}
		for _, r := range reports {
			if !yield(<-r) {
				return
			}
		}
	}
}

// examine looks at one site.
func (d *doctor) examine(ctx context.Context, s *site) report {
	e := &examination{doctor: d, site: s, report: report{Endpoint: s.endpoint, Address: s.shown()}}
	e.findings = append(e.findings, s.found...)
	for _, step := range []func(context.Context) bool{e.connects, e.speaksTLS, e.speaksHTTP2, e.serves, e.has, e.passes} {
		if s.broken || ctx.Err() != nil || !step(ctx) {
			break
		}
	}
	e.Findings = e.findings
	e.Healthy = e.problems() == 0
	return e.report
}

// examination is what is known about a site so far.
type examination struct {
	*doctor
	*site
	report
	findings []finding
	listing  tapclient.Listing
	room     int // free taps
}

// ok, note and problem add a finding.
func (e *examination) ok(check, text string, args ...any) {
	e.findings = append(e.findings, finding{Check: check, State: stateOK, Text: fmt.Sprintf(text, args...)})
}

func (e *examination) note(check, remedy, text string, args ...any) {
	e.findings = append(e.findings, finding{Check: check, State: stateNote, Text: fmt.Sprintf(text, args...), Remedy: remedy})
}

func (e *examination) problem(check, remedy, text string, args ...any) {
	e.findings = append(e.findings, finding{Check: check, State: stateProblem, Text: fmt.Sprintf(text, args...), Remedy: remedy})
}

// lines joins parts that stand on lines of their own.
func lines(parts []string) string { return strings.Join(parts, "\n") }
