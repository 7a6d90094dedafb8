package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/collectortest"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/kube/kubetest"
)

// update has TestCommandLineDocsAreCurrent write docs/cli.md.
var _ = flag.Bool("update", false, "write docs/cli.md")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"remotetap": main})
}

// TestScripts runs testdata/script/*.txtar: the commands as users type them, against real collectors.
// Besides the commands of testscript there are
//
//	collector [NAME [FILE]]   starts a collector with the configuration in a file, or the default one of
//	                          package collectortest. $TAP is its tap, $OTLP and $OTLP_HTTP are its
//	                          receivers; with a name $NAME_TAP and so on. The one started last is
//	                          what the commands below are about, unless they name one.
//	use NAME                  makes that collector the one that the commands below are about
//	await-taps N              waits until N taps have been opened at it since it started
//	await-ends N              waits until N taps have ended
//	send FROM TO [SIGNAL...]  sends the shop's orders with these numbers through it
//	stop                      ends it
//	certificates              writes those of collectortest.WriteCertificates into $WORK
//	kubernetes                starts an API server, for --kube, with the deployment monitoring/otel (app=otel)
//	pod NAME [PORT]           adds a pod of it, or restarts it; its port, 12001 if none is named, leads to the tap
//	delete-pod NAME           removes it
//	forbid VERB RESOURCE      has the API server refuse that
//
// Start what watches in the background (exec remotetap tail &), await its tap, send, and wait.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			env.Values[stageKey] = &stage{collectors: map[string]*collectortest.Collector{}}
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("TZ", "UTC")
			env.Setenv("COLUMNS", "120")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"collector":    startCollector,
			"use":          useCollector,
			"await-taps":   awaitTaps,
			"await-ends":   awaitEnds,
			"send":         sendOrders,
			"stop":         stopCollector,
			"certificates": writeCertificates,
			"kubernetes":   startCluster,
			"pod":          runPod,
			"delete-pod":   deletePod,
			"forbid":       forbid,
		},
	})
}

// stageKey is where a script's stage is.
const stageKey = "stage"

// stage is what a script has started.
type stage struct {
	collectors map[string]*collectortest.Collector
	current    *collectortest.Collector
	cluster    *kubetest.Cluster
}

func stageOf(ts *testscript.TestScript) *stage { return ts.Value(stageKey).(*stage) }

// running is the collector that commands are about.
func running(ts *testscript.TestScript) *collectortest.Collector {
	c := stageOf(ts).current
	if c == nil {
		ts.Fatalf("start a collector first")
	}
	return c
}

func startCollector(ts *testscript.TestScript, _ bool, args []string) {
	name, configuration := "", collectortest.Default
	if len(args) > 0 {
		name = args[0]
	}
	if len(args) > 1 {
		configuration = os.Expand(ts.ReadFile(args[1]), ts.Getenv)
	}
	c := collectortest.Start(script{ts}, configuration)
	stage := stageOf(ts)
	stage.current, stage.collectors[name] = c, c
	for _, prefix := range []string{"", strings.ToUpper(name) + "_"} {
		if prefix == "_" {
			continue
		}
		ts.Setenv(prefix+"TAP", c.Tap())
		ts.Setenv(prefix+"OTLP", c.OTLP())
		ts.Setenv(prefix+"OTLP_HTTP", c.OTLPHTTP())
	}
	ts.Setenv("REMOTETAP_ENDPOINT", c.Tap())
}

func useCollector(ts *testscript.TestScript, _ bool, args []string) {
	stage := stageOf(ts)
	if stage.current = stage.collectors[args[0]]; stage.current == nil {
		ts.Fatalf("no collector %s has been started", args[0])
	}
}

func awaitTaps(ts *testscript.TestScript, _ bool, args []string) {
	running(ts).AwaitTaps(number(ts, args[0]))
}

func awaitEnds(ts *testscript.TestScript, _ bool, args []string) {
	running(ts).AwaitEnds(number(ts, args[0]))
}

func stopCollector(ts *testscript.TestScript, _ bool, _ []string) { running(ts).Stop() }

func sendOrders(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(collectortest.NewShop().Send(context.Background(), running(ts).OTLP(), number(ts, args[0]), number(ts, args[1]), args[2:]...))
}

func number(ts *testscript.TestScript, text string) int {
	n, err := strconv.Atoi(text)
	ts.Check(err)
	return n
}

// script is a script as collectortest needs it.
type script struct{ *testscript.TestScript }

func (script) Helper() {}

func (s script) Fatal(args ...any) { s.Fatalf("%s", fmt.Sprint(args...)) }

func (s script) Cleanup(f func()) { s.Defer(f) }
