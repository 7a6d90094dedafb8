package main

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/contexts"
	"github.com/remotetap/remotetapprocessor/internal/format"
	"github.com/remotetap/remotetapprocessor/internal/nearest"
	"github.com/remotetap/remotetapprocessor/internal/selection"
)

// complete tells the shells what the values of a command's flags and its arguments may be, where the
// command does not say so itself.
func complete(a *app.App, c *cobra.Command) {
	c.Flags().SortFlags = false // help has them in the order of the tables
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if _, said := c.GetFlagCompletionFunc(f.Name); !said {
			_ = c.RegisterFlagCompletionFunc(f.Name, values(a, f)) // it exists, and nobody has
		}
	})
	if c.ValidArgsFunction == nil && len(c.ValidArgs) == 0 {
		c.ValidArgsFunction = arguments(a, c.Use)
	}
	for _, sub := range c.Commands() {
		complete(a, sub)
	}
}

// values completes the value of a flag.
func values(a *app.App, f *pflag.Flag) cobra.CompletionFunc {
	placeholder, _ := pflag.UnquoteUsage(f)
	switch {
	case f.Name == "context":
		return func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			return contextNames(a, c), cobra.ShellCompDirectiveNoFileComp
		}
	case f.Name == "signal":
		return signals
	case f.Name == "point":
		return func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if strings.HasPrefix(c.Use, "compare ") { // which names them by arguments
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return tapPoints(c.Context(), a, args), cobra.ShellCompDirectiveNoFileComp
		}
	case f.Name == "severity":
		return cobra.FixedCompletions([]string{"trace", "debug", "info", "warn", "error", "fatal"}, cobra.ShellCompDirectiveNoFileComp)
	case f.Name == "output":
		return cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp)
	case strings.Contains(placeholder, "|"): // true|false, ERROR|OK|UNSET
		return cobra.FixedCompletions(strings.Split(placeholder, "|"), cobra.ShellCompDirectiveNoFileComp)
	case placeholder == "FILE":
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault)
	default:
		return cobra.NoFileCompletions
	}
}

// signals completes a list of signals with commas between them.
func signals(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	before := begun[:strings.LastIndex(begun, ",")+1]
	var names []string
	for _, name := range selection.AllSignals().Names() {
		if !slices.Contains(strings.Split(before, ","), name) {
			names = append(names, before+name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// arguments completes what a command's synopsis asks for: tap points before all else, signals, and files
// if it reads or writes some.
func arguments(a *app.App, use string) cobra.CompletionFunc {
	rest := signalsOrFiles(use)
	ofPoints := strings.Count(use, " POINT_")
	if ofPoints == 0 {
		return rest
	}
	return func(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= ofPoints {
			return rest(c, args, begun)
		}
		there := slices.DeleteFunc(tapPoints(c.Context(), a, nil), func(id string) bool { return slices.Contains(args, id) })
		return there, cobra.ShellCompDirectiveNoFileComp
	}
}

func signalsOrFiles(use string) cobra.CompletionFunc {
	var names []string
	if strings.Contains(use, "SIGNAL") {
		names = selection.AllSignals().Names()
	}
	directive := cobra.ShellCompDirectiveNoFileComp
	if strings.Contains(use, "FILE") {
		directive = cobra.ShellCompDirectiveDefault
	}
	return cobra.FixedCompletions(names, directive)
}

// pointsPatience is how long a Tab may wait for the collectors.
const pointsPatience = time.Second

// tapPoints are those of the collectors that a line names so far. If none answers in time there are
// none, without a word: who completes has not asked for anything yet, nor for a question about a password.
func tapPoints(ctx context.Context, a *app.App, args []string) []string {
	a.In, a.Err = strings.NewReader(""), io.Discard
	ctx, cancel := context.WithTimeout(ctx, pointsPatience)
	defer cancel()
	named, err := app.SelectionFlags(pflag.NewFlagSet("", pflag.ContinueOnError)).Arguments(args, nil)
	if err != nil {
		return nil
	}
	client, err := a.Dial(ctx, named.Endpoints)
	if err != nil {
		return nil
	}
	defer client.Close()
	listings, _ := client.ListPoints(ctx) // some may have answered
	var ids []string
	for _, listing := range listings {
		for _, point := range listing.Points {
			if format.Visible(point.ID) == point.ID { // what is completed ends up on the terminal
				ids = append(ids, point.ID)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// refuseUnknownShells has `completion SHELL` say which shell is near, where cobra prints its help as if
// nothing were wrong.
func refuseUnknownShells(root *cobra.Command) {
	for _, c := range root.Commands() {
		if c.Name() != "completion" {
			continue
		}
		var shells []string
		for _, shell := range c.Commands() {
			shells = append(shells, shell.Name())
		}
		c.Use, c.Args = "completion SHELL", cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			if near := nearest.Name(args[0], shells); near != "" {
				return app.Usage("there is no completion for %s; did you mean %s?", args[0], near)
			}
			return app.Usage("there is no completion for %s: write one of %s", args[0], strings.Join(shells, ", "))
		}
	}
}

// contextNames are those of the file with contexts. Without a file that can be read there are none.
func contextNames(a *app.App, c *cobra.Command) []string {
	path, err := c.Flags().GetString("config")
	if err != nil || path == "" {
		path = contexts.Path(a.Getenv)
	}
	file, err := contexts.Read(path, false)
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(file.Contexts))
}
