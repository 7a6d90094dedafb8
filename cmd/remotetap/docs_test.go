package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
)

// docsWidth is the width of flags in the documentation, in columns.
const docsWidth = 100

// TestCommandLineDocsAreCurrent compares docs/cli.md with what the commands say of themselves. With
// -update, as in `make generate`, it writes the file.
func TestCommandLineDocsAreCurrent(t *testing.T) {
	const file = "../../docs/cli.md"
	written := commandLineDocs(newRoot(app.New(app.System{
		In: strings.NewReader(""), Out: &bytes.Buffer{}, Err: &bytes.Buffer{}, Getenv: func(string) string { return "" },
	})))
	if flag.Lookup("update").Value.String() == "true" {
		require.NoError(t, os.WriteFile(file, []byte(written), 0o644))
	}
	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(kept), written, "docs/cli.md is out of date: make generate writes it")
}

// commandLineDocs is the documentation of all commands. Flags that several commands have in common are
// listed once.
func commandLineDocs(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("# remotetap\n\n<!-- Written by `make generate` from the commands. -->\n\n" + docsIntroduction + "\n")
	commands := documented(root)
	shared := sharedGroups(commands)
	for _, group := range commandGroups() {
		for _, name := range group.names {
			if c, ok := commands[name]; ok {
				fmt.Fprintf(&b, "- [`%s`](#remotetap-%s): %s\n", name, name, c.Short)
			}
		}
	}
	b.WriteString("\n```text\n" + strings.TrimSpace(root.Long) + "\n" + strings.TrimRight(rootUsage, "\n") + "\n```\n")
	for _, group := range commandGroups() {
		for _, name := range group.names {
			if c, ok := commands[name]; ok {
				writeDocs(&b, c, shared)
			}
		}
	}
	b.WriteString("\n## Flags that commands share\n")
	for _, title := range shared.titles {
		fmt.Fprintf(&b, "\n### %s\n\n```text\n%s```\n", title, shared.texts[title])
	}
	return b.String()
}

// documented are the commands with a section of their own, by name.
func documented(root *cobra.Command) map[string]*cobra.Command {
	commands := map[string]*cobra.Command{}
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" {
			commands[c.Name()] = c
		}
	}
	return commands
}

// writeDocs writes the section of a command, and those of its own commands.
func writeDocs(b *strings.Builder, c *cobra.Command, shared *groups) {
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	fmt.Fprintf(b, "\n## %s\n\n```text\n%s\n", c.CommandPath(), strings.TrimSpace(text))
	if c.Runnable() {
		fmt.Fprintf(b, "\nUsage:\n  %s\n", c.UseLine())
	}
	if c.HasExample() {
		b.WriteString("\nExamples:\n" + strings.TrimRight(c.Example, "\n") + "\n")
	}
	var elsewhere []string
	for _, g := range app.FlagGroups(c.Flags()) {
		usage := g.Flags.FlagUsagesWrapped(docsWidth)
		switch {
		case g.Title != "" && shared.texts[g.Title] == usage:
			elsewhere = append(elsewhere, g.Title)
		case strings.TrimSpace(usage) != "":
			fmt.Fprintf(b, "\n%s:\n%s", titleOf(g.Title), usage)
		}
	}
	b.WriteString("```\n")
	if len(elsewhere) > 0 {
		fmt.Fprintf(b, "\nAnd [the flags](#flags-that-commands-share) about: %s.\n", strings.ToLower(strings.Join(elsewhere, "; ")))
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && c.Name() != "completion" { // cobra's own words about each shell
			writeDocs(b, sub, shared)
		}
	}
}

func titleOf(title string) string {
	if title == "" {
		return "Flags"
	}
	return title
}

// groups are groups of flags that several commands have, in the order of their first appearance.
type groups struct {
	titles []string
	texts  map[string]string
}

func sharedGroups(commands map[string]*cobra.Command) *groups {
	shared, times := &groups{texts: map[string]string{}}, map[string]int{}
	for _, of := range commandGroups() {
		for _, name := range of.names {
			c, ok := commands[name]
			if !ok {
				continue
			}
			for _, g := range app.FlagGroups(c.Flags()) {
				text := g.Flags.FlagUsagesWrapped(docsWidth)
				if times[g.Title+text]++; g.Title != "" && g.Title != "Help" && times[g.Title+text] == 2 {
					shared.titles = append(shared.titles, g.Title)
					shared.texts[g.Title] = text
				}
			}
		}
	}
	return shared
}

const docsIntroduction = "The command for incidents. `make build` writes it to `dist/remotetap`; with Go,\n" +
	"`go install github.com/remotetap/remotetapprocessor/cmd/remotetap@latest` installs it once a release is tagged.\n" +
	"`remotetap completion` prints what shells need to complete it.\n"
