package main

import (
	"github.com/spf13/cobra"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/compare"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/contextcommand"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/doctor"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/forward"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/points"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/record"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/replay"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/tail"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/top"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/trace"
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
		Version:            a.Version,
		SilenceErrors:      true,
		SilenceUsage:       true,
		DisableSuggestions: true, // argumentError has them
		Example: `  # Everything that passes localhost:12001:
  remotetap
  # The errors of checkout, and what its services are doing:
  remotetap --service checkout --error
  remotetap top --service checkout
  # The pods of a collector in Kubernetes:
  remotetap traces --kube monitoring/deploy/otel-collector
  # Why do I see nothing?
  remotetap doctor`,
	}
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	root.SetFlagErrorFunc(flagError)
	root.SetUsageFunc(usage(a))
	root.SetHelpFunc(help)
	root.SetVersionTemplate(buildOf(a.Version).String() + "\n")
	commands := []func(*app.App) *cobra.Command{
		tail.Command,
		trace.Command,
		top.Command,
		compare.Command,
		record.Command,
		replay.Command,
		forward.Command,
		points.Command,
		versionCommand,
		contextcommand.Command,
		doctor.Command,
	}
	for _, command := range commands {
		root.AddCommand(command(a))
	}
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	refuseUnknownShells(root)
	complete(a, root)
	return root
}
