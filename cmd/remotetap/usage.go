package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
)

// commandGroup is some commands that the help of the root lists together.
type commandGroup struct {
	title string
	names []string
}

// commandGroups is the order of the commands in the help of the root. Those that are in none come last.
func commandGroups() []commandGroup {
	return []commandGroup{
		{"Watch", []string{"tail", "top", "trace", "compare"}},
		{"Keep and pass on", []string{"record", "replay", "forward"}},
		{"Find out", []string{"points", "doctor"}},
		{"Other commands", []string{"context", "completion", "version", "help"}},
	}
}

// The text's width: as wide as the terminal, but no wider than can be read well.
const (
	minHelpWidth = 60
	maxHelpWidth = 110
)

// usage makes a function that prints how a command is used: its examples, its commands, and its flags by
// what they are about.
func usage(a *app.App) func(*cobra.Command) error {
	return func(c *cobra.Command) error {
		var b strings.Builder
		b.WriteString("Usage:\n")
		if c.HasParent() && c.Runnable() {
			b.WriteString("  " + c.UseLine() + "\n")
		}
		if !c.HasParent() {
			b.WriteString("  " + c.Name() + " [SIGNAL...] [KEY=VALUE...] [ENDPOINT... | FILE...] [flags]   as remotetap tail\n")
		}
		if c.HasAvailableSubCommands() {
			b.WriteString("  " + c.CommandPath() + " COMMAND [flags]\n")
		}
		if c.HasExample() {
			b.WriteString("\nExamples:\n" + c.Example + "\n")
		}
		writeCommands(&b, c)
		width := min(max(a.Screen.Width(), minHelpWidth), maxHelpWidth)
		for _, group := range app.FlagGroups(c.Flags()) {
			title := group.Title
			if title == "" {
				title = "Flags"
			}
			b.WriteString("\n" + title + ":\n" + group.Flags.FlagUsagesWrapped(width))
		}
		if !c.HasParent() {
			b.WriteString(rootUsage)
		}
		_, err := io.WriteString(c.OutOrStdout(), b.String())
		return err
	}
}

// writeCommands lists the commands of a command, the root's by groups.
func writeCommands(b *strings.Builder, c *cobra.Command) {
	rest := slices.DeleteFunc(slices.Clone(c.Commands()), func(c *cobra.Command) bool {
		return !c.IsAvailableCommand() && c.Name() != "help"
	})
	list := func(title string, commands []*cobra.Command) {
		if len(commands) == 0 {
			return
		}
		b.WriteString("\n" + title + ":\n")
		for _, c := range commands {
			fmt.Fprintf(b, "  %-11s %s\n", c.Name(), c.Short)
		}
	}
	if c.HasParent() {
		list("Commands", rest)
		return
	}
	for _, group := range commandGroups() {
		var found []*cobra.Command
		for _, name := range group.names {
			if at := slices.IndexFunc(rest, func(c *cobra.Command) bool { return c.Name() == name }); at >= 0 {
				found = append(found, rest[at])
				rest = slices.Delete(rest, at, at+1)
			}
		}
		list(group.title, found)
	}
	list("Further commands", rest)
}

// help makes a function that prints what a command is for and how it is used.
func help(c *cobra.Command, _ []string) {
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	if _, err := io.WriteString(c.OutOrStdout(), strings.TrimSpace(text)+"\n\n"); err == nil {
		_ = c.Usage() // who does not read help does not need to be told
	}
}

// rootUsage is what holds for all commands.
const rootUsage = `
Environment:
  REMOTETAP_ENDPOINT                    collectors to watch where no argument names one, with commas between
  REMOTETAP_CONFIG, REMOTETAP_CONTEXT   the file with contexts, and the context of it to use
  REMOTETAP_TOKEN, REMOTETAP_PASSWORD   a bearer token, the password of --user
  NO_COLOR, COLUMNS                     no colours; the width of lines where there is no terminal

Exit codes:
  0  done, or ended by Ctrl-C      3  a server refuses: credentials, all taps taken, no such point
  1  failed                        4  a condition did not hold (--exit-code)
  2  wrong usage

remotetap COMMAND --help says more about each.
`
