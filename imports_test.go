package remotetapprocessor

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/remotetap/remotetapprocessor"

// What docs/architecture.md promises about imports: for each package, the prefixes that its
// dependencies outside the standard library may have.
func TestPackagesImportOnlyWhatTheyMay(t *testing.T) {
	may := map[string][]string{
		"internal/otlp":      {},
		"internal/nearest":   {},
		"internal/format":    {module + "/internal/otlp"},
		"proto/remotetap/v1": {"google.golang.org/protobuf/", "google.golang.org/grpc", "google.golang.org/genproto/googleapis/rpc/status", "go.opentelemetry.io/proto/otlp/", "golang.org/x/"},
		"internal/guard":     {"golang.org/x/net/publicsuffix"},
		"tapclient":          {module + "/proto/remotetap/v1", "go.opentelemetry.io/collector/pdata", "go.opentelemetry.io/collector/featuregate", "go.opentelemetry.io/proto/otlp/", "google.golang.org/grpc", "google.golang.org/protobuf/", "google.golang.org/genproto/googleapis/rpc/status", "github.com/cenkalti/backoff/v5", "golang.org/x/", "github.com/json-iterator/go", "github.com/modern-go/", "github.com/hashicorp/go-version", "go.uber.org/multierr"},
		"internal/redact":    {module + "/internal/otlp", "go.opentelemetry.io/collector/pdata", "go.opentelemetry.io/collector/featuregate", "github.com/json-iterator/go", "github.com/modern-go/", "github.com/hashicorp/go-version", "go.uber.org/multierr"},
		"internal/logcore":   {"go.uber.org/zap", "go.uber.org/multierr"},
		"internal/shop":      {"go.opentelemetry.io/collector/pdata", "go.opentelemetry.io/collector/featuregate", "go.opentelemetry.io/collector/internal/", "google.golang.org/", "golang.org/x/", "github.com/json-iterator/go", "github.com/modern-go/", "github.com/hashicorp/go-version", "go.uber.org/multierr"},
		"internal/subset":    {"go.opentelemetry.io/collector/pdata", "go.opentelemetry.io/collector/featuregate", "github.com/json-iterator/go", "github.com/modern-go/", "github.com/hashicorp/go-version", "go.uber.org/multierr"},
	}
	for _, pkg := range list(t, "./...") {
		room, _ := strings.CutPrefix(pkg, module+"/")
		for _, dependency := range list(t, "-deps", pkg) {
			if dependency == pkg {
				continue
			}
			if strings.HasPrefix(room, "internal/") {
				assert.NotEqual(t, module, dependency, "%s imports the root", room)
			}
			assert.NotContains(t, dependency, "github.com/spf13/", "%s imports the libraries of a command", pkg)
			if allowed, limited := may[room]; limited {
				assert.True(t, slices.ContainsFunc(allowed, func(prefix string) bool { return strings.HasPrefix(dependency, prefix) }),
					"%s imports %s", room, dependency)
			}
		}
	}
}

func list(t *testing.T, arguments ...string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"list", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}"}, arguments...)...).Output()
	require.NoError(t, err)
	return strings.Fields(string(out))
}
