package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
)

// build is what is known of how this program was built.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"` // files were changed since the commit
	Time     string `json:"time,omitempty"`     // of the commit
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// buildOf reads what the Go tool leaves in each program. Builds without version control have no commit.
func buildOf(version string) build {
	b := build{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// String is a line for people.
func (b build) String() string {
	text := "remotetap " + b.Version
	if b.Commit != "" {
		text += ", commit " + b.Commit[:min(12, len(b.Commit))]
	}
	if b.Modified {
		text += " with changes"
	}
	if b.Time != "" {
		text += " of " + b.Time
	}
	return fmt.Sprintf("%s, %s, %s", text, b.Go, b.Platform)
}

// versionCommand is remotetap version.
func versionCommand(a *app.App) *cobra.Command {
	var output string
	command := &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this program",
		Long:    "Print the version of this program, the commit and the Go version that it was built from.\nThe versions of collectors are told by remotetap points.",
		Example: "  remotetap version -o json",
		Args:    cobra.NoArgs,
	}
	command.Flags().StringVarP(&output, "output", "o", "text", "print as `FORMAT`: text or json")
	command.RunE = func(*cobra.Command, []string) error {
		switch output {
		case "text":
			return a.Print([]byte(buildOf(a.Version).String() + "\n"))
		case "json":
			text, err := json.Marshal(buildOf(a.Version))
			if err != nil {
				return err
			}
			return a.Print(append(text, '\n'))
		default:
			return app.Usage("-o %s: write text or json", output)
		}
	}
	return command
}
