package app

import (
	"slices"

	"github.com/spf13/pflag"
)

// FlagGroup is some flags of a command that are about the same, for its help.
type FlagGroup struct {
	// Title is what they are about; "" for the command's own.
	Title string
	// Flags are in the order in which the command has them.
	Flags *pflag.FlagSet
}

// The titles of groups of flags.
const (
	groupCriteria   = "Which items (different criteria are AND, the same one again is OR)"
	groupDelivery   = "How many"
	groupConnection = "How to reach the collectors"
	groupHelp       = "Help"
)

// FlagGroups sorts a command's flags by what they are about, its own first. Groups without flags are
// left out.
func FlagGroups(flags *pflag.FlagSet) []FlagGroup {
	connection := pflag.NewFlagSet("", pflag.ContinueOnError)
	(&App{}).ConnectionFlags(connection)
	groups := []FlagGroup{{Title: ""}, {Title: groupCriteria}, {Title: groupDelivery}, {Title: groupConnection}, {Title: groupHelp}}
	for i := range groups {
		groups[i].Flags = pflag.NewFlagSet("", pflag.ContinueOnError)
		groups[i].Flags.SortFlags = false
	}
	flags.VisitAll(func(f *pflag.Flag) {
		at := 0
		switch value := f.Value.(type) {
		case *attribute:
			at = 1
		case *parameter:
			if at = 1; isOption(value.name) {
				at = 2
			}
		default:
			switch {
			case f.Name == "help":
				at = 4
			case connection.Lookup(f.Name) != nil:
				at = 3
			}
		}
		groups[at].Flags.AddFlag(f)
	})
	return slices.DeleteFunc(groups, func(g FlagGroup) bool { return !g.Flags.HasAvailableFlags() })
}
