// Remotetap watches the live telemetry of running OpenTelemetry Collectors that have the remote_tap
// processor. See docs/cli.md.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
	"github.com/remotetap/remotetapprocessor/internal/nearest"
	"github.com/remotetap/remotetapprocessor/internal/selection"
)

// version is set by the linker for releases; else the module's version is used.
var version string

func main() {
	signal.Ignore(syscall.SIGPIPE) // a closed pipe is an error of Write, which ends the command quietly
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	afterGrace(ctx, stop)
	code := run(ctx, os.Args[1:], app.System{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv, Version: versionOf()})
	os.Exit(int(code))
}

// grace is how long after the first Ctrl-C another does not count: timeout(1) and others signal a command
// and its group, so that one that is sent arrives twice.
const grace = 500 * time.Millisecond

// afterGrace has the second Ctrl-C end a command that the first, which ends ctx, does not: stop gives the
// signals their own effect back.
func afterGrace(ctx context.Context, stop func()) {
	context.AfterFunc(ctx, func() { time.AfterFunc(grace, stop) })
}

// run is the command with its arguments.
func run(ctx context.Context, args []string, system app.System) app.Code {
	a := app.New(system)
	root := newRoot(a)
	root.SetArgs(withCommand(root, args))
	begun := false
	root.PersistentPreRun = func(*cobra.Command, []string) { begun = true }
	err := root.ExecuteContext(ctx)
	if err != nil && !begun {
		err = argumentError(root, err)
	}
	code := app.CodeOf(err)
	if code != app.CodeDone {
		fmt.Fprintln(system.Err, "remotetap: "+terminal.Lines(err.Error())) //nolint:errcheck // there is nobody left to tell
	}
	return code
}

// withCommand puts `tail` before arguments that name no command: remotetap --service checkout.
func withCommand(root *cobra.Command, args []string) []string {
	if len(args) > 0 {
		switch first := args[0]; {
		case first == "-h", first == "--help", first == "-v", first == "--version":
			return args
		case isSignal(first): // not what is nearly one of the commands
		case strings.HasPrefix(first, "__complete"):
			if len(args) > 2 || len(args) == 2 && strings.HasPrefix(args[1], "-") {
				return append([]string{first}, withCommand(root, args[1:])...)
			}
			return args // the first word may become a command
		case slices.ContainsFunc(root.Commands(), func(c *cobra.Command) bool { return c.Name() == first || c.HasAlias(first) }):
			return args
		case isNearly(root, first):
			return args // cobra says what is near
		}
	}
	return append([]string{"tail"}, args...)
}

func isSignal(word string) bool { return slices.Contains(selection.AllSignals().Names(), word) }

// isNearly reports whether a word was probably meant for a command.
func isNearly(root *cobra.Command, word string) bool {
	var names []string
	for _, c := range root.Commands() {
		names = append(names, c.Name())
	}
	return !strings.ContainsAny(word, "-.:/=") && nearest.Name(word, names) != ""
}

// argumentError is cobra's own error about arguments, with the command that is near.
func argumentError(root *cobra.Command, err error) error {
	word, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), `unknown command "`), `"`)
	var names []string
	for _, c := range root.Commands() {
		names = append(names, c.Name())
	}
	if near := nearest.Name(word, names); near != "" && word != err.Error() {
		return app.Usage("there is no command %s; did you mean %s?", word, near)
	}
	return app.Usage("%w", err)
}

// flagError says which flag is near to one that does not exist.
func flagError(c *cobra.Command, err error) error {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "unknown flag: --"); ok {
		var names []string
		c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if near := nearest.Name(name, names); near != "" {
			text += "; did you mean --" + near + "?"
		} else {
			text += "; see " + c.CommandPath() + " --help"
		}
	}
	return app.Usage("%s", text)
}

// versionOf is the version of this build.
func versionOf() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development"
}
