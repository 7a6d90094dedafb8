// Package tail is the command `remotetap tail`: live items, or those of a recording, one line each.
package tail

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/recording"
	"github.com/remotetap/remotetapprocessor/internal/nearest"
	"github.com/remotetap/remotetapprocessor/internal/selection"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// flushPeriod is how long what goes into a pipe may wait for more.
const flushPeriod = 100 * time.Millisecond

// Command is remotetap tail.
func Command(a *app.App) *cobra.Command {
	command := &cobra.Command{
		Use:     "tail [SIGNAL...] [KEY=VALUE...] [ENDPOINT... | FILE...]",
		Short:   "Show live items, or those of a recording, one line each",
		Long:    long,
		Example: example,
	}
	r := &run{app: a}
	flags := command.Flags()
	flags.StringVarP(&r.output, "output", "o", "text", "print as `FORMAT`: text, wide, json, otlp, template=TEMPLATE or template=@FILE")
	flags.BoolVar(&r.exitCode, "exit-code", false, "end with 4 if nothing came")
	a.ConnectionFlags(flags)
	r.selecting = app.SelectionFlags(flags, app.OptionRate, app.OptionCount, app.OptionDuration)
	command.RunE = func(command *cobra.Command, args []string) error { return r.run(command.Context(), args) }
	formats := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return append(outputs(), "template="), cobra.ShellCompDirectiveNoFileComp
	}
	if err := command.RegisterFlagCompletionFunc("output", formats); err != nil {
		panic(err) // there is no such flag: a bug that each start would show
	}
	return command
}

// run is one run of the command.
type run struct {
	app       *app.App
	selecting *app.Selecting
	output    string
	exitCode  bool
}

func (r *run) run(ctx context.Context, args []string) error {
	arguments, err := r.selecting.Arguments(args, recording.IsFile)
	if err != nil {
		return err
	}
	printer, err := newPrinter(r.app, r.output, len(arguments.Files) > 1 || len(arguments.Endpoints) > 1)
	if err != nil {
		return err
	}
	if _, err := r.selecting.Request(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := newSink(r.app.Print, cancel, !r.app.Screen.IsTerminal)
	each := func(b *app.Batch) error {
		return out.write(func(dst []byte) ([]byte, error) { return printer.print(dst, b) })
	}
	totals, err := r.watch(ctx, arguments, printer, each)
	err = cmp.Or(out.close(), err)
	if app.CodeOf(err) != app.CodeUsage && !errors.As(err, new(*recording.FileError)) {
		r.app.Say("%s", app.TotalsWords(totals))
	}
	if err == nil && r.exitCode && totals.Received.Items == 0 {
		return app.Unproved("nothing came (--exit-code): %s", passed(totals.Ledger))
	}
	return err
}

// watch hands what is selected to a function, from files or from collectors, until there is no more.
func (r *run) watch(ctx context.Context, arguments app.Arguments, printer printer, each func(*app.Batch) error) (tapclient.Totals, error) {
	if len(arguments.Files) > 0 {
		selected, err := r.selecting.Parse()
		if err != nil {
			return tapclient.Totals{}, err
		}
		return r.read(ctx, arguments.Files, selected, each)
	}
	request, err := r.selecting.Request()
	if err != nil {
		return tapclient.Totals{}, err
	}
	watcher := app.Watcher{Batch: each, Event: func(event tapclient.Event) error {
		if listener, ok := printer.(listener); ok {
			listener.hear(event)
		}
		return nil
	}}
	return r.app.Watch(ctx, arguments.Endpoints, request, watcher)
}

// read hands what is selected from files to a function, and says why nothing is, if so.
func (r *run) read(ctx context.Context, files []string, selected selection.Selection, each func(*app.Batch) error) (tapclient.Totals, error) {
	source, err := recording.New(files, selected)
	if err != nil {
		return tapclient.Totals{}, err
	}
	err = source.Each(ctx, each)
	if hints := source.Hints(); len(hints) > 0 {
		r.app.Say("Nothing matched. %s", strings.Join(hints, "\n"))
	}
	return source.Totals(), err
}

// passed is what there was, if none of it came.
func passed(l tapclient.Ledger) string {
	if l.Seen == 0 {
		return "nothing passed at all"
	}
	return app.Number(l.Seen) + " passed, " + app.Number(l.Matched) + " matched"
}

// printer turns batches into what is printed.
type printer interface {
	// print appends what a batch is printed as.
	print(dst []byte, b *app.Batch) ([]byte, error)
}

// listener is a printer that wants to know what there is besides batches.
type listener interface{ hear(event tapclient.Event) }

// outputs are the values of -o, but for templates.
func outputs() []string { return []string{"text", "wide", "json", "otlp"} }

// templateOutput is how -o begins for templates.
const templateOutput = "template="

// newPrinter makes what -o asks for. several says that there is more than one source already.
func newPrinter(a *app.App, output string, several bool) (printer, error) {
	if text, ok := cutTemplate(output); ok {
		return newTemplate(text)
	}
	switch output {
	case "text":
		return newLines(a.Screen, widthOf(a), several), nil
	case "wide":
		return &wide{screen: a.Screen}, nil
	case "json":
		return newDocuments(jsonItems), nil
	case "otlp":
		return newDocuments(otlpDocuments), nil
	case "template":
		return nil, app.Usage("-o template: write the template behind it, as -o 'template={{.Service}} {{.Name}}', or template=@FILE")
	}
	if near := nearest.Name(output, append(outputs(), "template")); near != "" {
		return nil, app.Usage("-o %s: did you mean %s?", output, near)
	}
	return nil, app.Usage("-o %s: write text, wide, json, otlp, template=TEMPLATE or template=@FILE", output)
}

// widthOf tells how wide lines may be now: as wide as the terminal, or as $COLUMNS says; 0 for any
// width where nobody says, such as in a pipe.
func widthOf(a *app.App) func() int {
	if !a.Screen.IsTerminal && a.Getenv("COLUMNS") == "" {
		return func() int { return 0 }
	}
	return a.Screen.Width
}
