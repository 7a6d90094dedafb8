package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The command is a client: it shares the parts of the processor that need no collector, and no more.
// What runs collectors is for its tests.
func TestTheCommandContainsNoCollector(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	require.NoError(t, err)
	const root = "github.com/remotetap/remotetapprocessor"
	for dependency := range strings.FieldsSeq(string(out)) {
		room, inside := strings.CutPrefix(dependency, root+"/")
		if inside {
			assert.Contains(t, []string{"cmd", "internal", "proto", "tapclient"}, strings.Split(room, "/")[0], dependency)
		}
		assert.NotEqual(t, root, dependency, "the command imports the processor")
		assert.NotContains(t, dependency, "collectortest")
		assert.NotContains(t, dependency, "terminaltest")
		for _, of := range []string{"service", "otelcol", "receiver", "exporter", "processor", "extension"} {
			assert.False(t, strings.HasPrefix(dependency, "go.opentelemetry.io/collector/"+of), "the command imports %s", dependency)
		}
	}
}
