package main

import (
	"github.com/spf13/cobra"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/tail"
)

// newRoot is the tree of commands. Without a command it tails.
func newRoot(a *app.App) *cobra.Command {
	root := &cobra.Command{
		Use:   "remotetap",
		Short: "Watch the live telemetry of running OpenTelemetry Collectors",
		Long: `remotetap watches the live telemetry of running OpenTelemetry Collectors that have the
remote_tap processor: what passes right now, selected by the collector, with an account
of everything that was not shown. The pipelines go on untouched.

Without a command it is remotetap tail.

Collectors are named by arguments (HOST:PORT, https://HOST:PORT, dns:///NAME:PORT for all
addresses of a name), by --kube, $REMOTETAP_ENDPOINT, or a context of the file
~/.config/remotetap/config.yaml; else it is localhost:12001.`,
		Version:       a.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	root.SetFlagErrorFunc(flagError)
	commands := []func(*app.App) *cobra.Command{
		tail.Command,
	}
	for _, command := range commands {
		root.AddCommand(command(a))
	}
	return root
}
