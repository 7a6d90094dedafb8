//go:build linux

package torture

import (
	"flag"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// roleVariable says, in the environment of a process that a test has started, what that is.
const roleVariable = "REMOTE_TAP_TORTURE_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "collector":
		os.Exit(beCollector(os.Stdin, os.Stdout))
	case "attackers":
		os.Exit(beAttackers(os.Stdin, os.Stdout))
	}
	flag.Bool("long", false, "torture for as long as is worth while, not for as long as every change can wait")
	flag.String("update", "", "write the figures into this `file`, between its markers")
	goleak.VerifyTestMain(m)
}

// flagged is the value of one of the flags above.
func flagged(name string) string { return flag.Lookup(name).Value.String() }

// TestTorture is one test, whose parts share the table of figures. Each part can be run by name:
// -run 'TestTorture/hostile_clients/slow'.
func TestTorture(t *testing.T) {
	f := &figures{began: time.Now(), long: flagged("long") == "true"}
	t.Run("hostile clients", func(t *testing.T) { hostileClients(t, f) })
	t.Run("the WebSocket protocol", func(t *testing.T) { webSocketProtocol(t, f) })
	t.Run("broken networks", func(t *testing.T) { brokenNetworks(t, f) })
	t.Run("broken pipelines", func(t *testing.T) { brokenPipelines(t, f) })
	t.Run("soak", func(t *testing.T) { soak(t, f) })
	if file := flagged("update"); file != "" {
		f.write(t, file)
	}
}
