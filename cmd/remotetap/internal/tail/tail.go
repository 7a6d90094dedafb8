// Package tail is the command `remotetap tail`: live items, one line each.
package tail

import (
	"github.com/spf13/cobra"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/items"
	"github.com/remotetap/remotetapprocessor/internal/format"
)

// Command is remotetap tail.
func Command(a *app.App) *cobra.Command {
	command := &cobra.Command{
		Use:   "tail [SIGNAL...] [KEY=VALUE...] [ENDPOINT...]",
		Short: "Show live items, one line each",
	}
	a.ConnectionFlags(command.Flags())
	selecting := app.SelectionFlags(command.Flags(), app.OptionRate, app.OptionCount, app.OptionDuration)
	command.RunE = func(command *cobra.Command, args []string) error {
		arguments, err := selecting.Arguments(args, nil)
		if err != nil {
			return err
		}
		request, err := selecting.Request()
		if err != nil {
			return err
		}
		totals, err := a.Watch(command.Context(), arguments.Endpoints, request, app.Watcher{Batch: func(b *app.Batch) error {
			all, err := items.Of(b)
			if err != nil {
				return err
			}
			for _, i := range all {
				if err := a.Print([]byte(format.Visible(i.Service+" "+i.Name+" "+i.Body) + "\n")); err != nil {
					return err
				}
			}
			return nil
		}})
		a.Say("%s", app.TotalsWords(totals))
		return err
	}
	return command
}
