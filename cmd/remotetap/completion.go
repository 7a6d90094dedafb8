package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/contexts"
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
		c.ValidArgsFunction = arguments(c.Use)
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

// arguments completes what a command's synopsis asks for: signals, and files if it reads or writes some.
func arguments(use string) cobra.CompletionFunc {
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
