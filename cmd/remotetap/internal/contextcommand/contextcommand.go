// Package contextcommand is the command `remotetap context`: lists, shows and chooses the named collectors
// of the configuration file.
package contextcommand

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/contexts"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
	"github.com/remotetap/remotetapprocessor/internal/format"
	"github.com/remotetap/remotetapprocessor/internal/nearest"
)

// Command is remotetap context.
func Command(a *app.App) *cobra.Command {
	command := &cobra.Command{
		Use:   "context",
		Short: "List, show and choose named collectors",
		Long: `context lists the contexts of ~/.config/remotetap/config.yaml: collectors with a name, and how
they are reached. Each key is the flag of the same name; paths are relative to the file:

  current: shop
  contexts:
    shop:
      endpoints: [https://otel.shop.example.com:12001]
      cacert: shop-ca.pem
      token-file: ~/.shop-token
    cluster:
      kube: monitoring/deploy/otel-collector

The current context is what commands tap if nothing else is said. --context NAME and
$REMOTETAP_CONTEXT choose another; flags and the other variables go before what it holds.`,
		Example: `  remotetap context
  remotetap context use shop
  remotetap context show
  remotetap tail --context cluster --service checkout`,
		Args: none,
	}
	config := command.PersistentFlags().String("config", "", "the `FILE` with contexts (default ~/.config/remotetap/config.yaml)")
	c := &contextCommand{app: a, config: config}
	command.RunE = func(*cobra.Command, []string) error { return c.list() }
	command.AddCommand(
		&cobra.Command{Use: "list", Short: "List the contexts; * is the current one", Args: none, RunE: command.RunE},
		&cobra.Command{
			Use: "use NAME", Short: "Make a context the current one; none for NAME \"\"", Args: one, ValidArgsFunction: c.complete,
			RunE: func(_ *cobra.Command, args []string) error { return c.use(args[0]) },
		},
		&cobra.Command{
			Use: "show [NAME]", Short: "Show what a context holds, without its secrets", Args: atMostOne, ValidArgsFunction: c.complete,
			RunE: func(_ *cobra.Command, args []string) error { return c.show(strings.Join(args, "")) },
		},
	)
	return command
}

func none(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range command.Commands() {
		names = append(names, c.Name())
	}
	if near := nearest.Name(args[0], names); near != "" {
		return app.Usage("%s has no command %q; did you mean %s?", command.CommandPath(), args[0], near)
	}
	if command.HasSubCommands() {
		return app.Usage("%s has no command %q; to choose a context write remotetap context use NAME", command.CommandPath(), args[0])
	}
	return app.Usage("%s takes no arguments: leave out %s", command.CommandPath(), strings.Join(args, " "))
}

func one(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return app.Usage("which context? Write remotetap context use NAME; remotetap context lists them")
	}
	return nil
}

func atMostOne(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return app.Usage("one context at a time: write remotetap context show NAME")
	}
	return nil
}

// contextCommand is a run of the command.
type contextCommand struct {
	app    *app.App
	config *string // the flag
}

// path is where the file is.
func (c *contextCommand) path() string { return cmp.Or(*c.config, contexts.Path(c.app.Getenv)) }

// read reads the file, which must be there if the user named it.
func (c *contextCommand) read() (contexts.File, error) {
	file, err := contexts.Read(c.path(), *c.config != "" || c.app.Getenv("REMOTETAP_CONFIG") != "")
	if err != nil {
		return file, &app.Error{Code: app.CodeUsage, Err: err}
	}
	return file, nil
}

// current is the one that commands use if no flag says otherwise.
func (c *contextCommand) current(file contexts.File) string {
	return cmp.Or(c.app.Getenv("REMOTETAP_CONTEXT"), file.Current)
}

// list writes a line for each context.
func (c *contextCommand) list() error {
	file, err := c.read()
	if err != nil {
		return err
	}
	if len(file.Contexts) == 0 {
		c.app.Say("There are no contexts in %s; remotetap context --help shows how to write some.", cmp.Or(c.path(), "~/.config/remotetap/config.yaml"))
		return nil
	}
	current := c.current(file)
	width := 0
	for name := range file.Contexts {
		width = max(width, len(format.Visible(name)))
	}
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(file.Contexts)) {
		mark := " "
		if name == current {
			mark = "*"
		}
		fmt.Fprintf(&b, "%s %s  %s\n", mark, terminal.Fit(format.Visible(name), width), format.Visible(where(file.Contexts[name])))
	}
	return c.app.Print(b.Bytes())
}

// where is where a context's collectors are.
func where(c contexts.Context) string {
	switch {
	case c.Kube != "":
		return "kube " + c.Kube
	case len(c.Endpoints) > 0:
		return strings.Join(c.Endpoints, ", ")
	default:
		return app.DefaultEndpoint
	}
}

// use makes a context the current one.
func (c *contextCommand) use(name string) error {
	file, err := c.read()
	if err != nil {
		return err
	}
	found := contexts.Context{}
	if name != "" {
		if found, err = file.Find(name); err != nil {
			return &app.Error{Code: app.CodeUsage, Err: err}
		}
	}
	if c.path() == "" {
		return errors.New("there is no home directory to keep the contexts in: set REMOTETAP_CONFIG")
	}
	if err := contexts.Use(c.path(), name); err != nil {
		return err
	}
	if name == "" {
		c.app.Say("No context is current: commands tap %s.", app.DefaultEndpoint)
		return nil
	}
	c.app.Say("%s is current: commands tap %s.", name, where(found))
	if other := c.app.Getenv("REMOTETAP_CONTEXT"); other != "" && other != name {
		c.app.Say("But REMOTETAP_CONTEXT is set to %s, which goes before: unset it.", other)
	}
	return nil
}

// show writes what a context holds.
func (c *contextCommand) show(name string) error {
	file, err := c.read()
	if err != nil {
		return err
	}
	name = cmp.Or(name, c.current(file))
	if name == "" {
		c.app.Say("No context is current: commands tap %s.", app.DefaultEndpoint)
		return nil
	}
	found, err := file.Find(name)
	if err != nil {
		return &app.Error{Code: app.CodeUsage, Err: err}
	}
	found = found.WithoutSecrets()
	for header := range found.Headers {
		found.Headers[header] = "(not shown)"
	}
	text, err := yaml.Marshal(map[string]contexts.Context{name: found}) //nolint:gosec // it has the names of files, not what they hold
	if err != nil {
		return err
	}
	return c.app.Print([]byte(terminal.Lines(string(text))))
}

// complete offers the names of contexts to the shell.
func (c *contextCommand) complete(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	file, err := c.read()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return slices.Sorted(maps.Keys(file.Contexts)), cobra.ShellCompDirectiveNoFileComp
}
