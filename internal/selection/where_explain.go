package selection

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottldatapoint"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottllog"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlmetric"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlresource"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlscope"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlspan"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlspanevent"

	"github.com/remotetap/remotetapprocessor/internal/otlp"

	"github.com/remotetap/remotetapprocessor/internal/nearest"
)

// exampleCondition is one that works.
const exampleCondition = `span.attributes["http.route"] == "/pay" and resource.attributes["k8s.pod.name"] != nil`

// contextWords are the contexts that a condition may name.
const contextWords = "resource, scope, span, spanevent, log, metric or datapoint"

// exampleConditions are conditions that work, by context.
func exampleConditions() map[string]string {
	return map[string]string{
		ottlresource.ContextName:  `resource.attributes["k8s.namespace.name"] == "shop"`,
		ottlscope.ContextName:     `scope.name == "io.opentelemetry.jdbc"`,
		legacyScope:               `scope.name == "io.opentelemetry.jdbc"`,
		ottlspan.ContextName:      `span.attributes["http.route"] == "/pay"`,
		ottlspanevent.ContextName: `spanevent.name == "exception"`,
		ottlmetric.ContextName:    `metric.name == "http.server.duration"`,
		ottldatapoint.ContextName: `datapoint.attributes["http.route"] == "/pay"`,
		ottllog.ContextName:       `log.severity_number >= SEVERITY_NUMBER_WARN`,
	}
}

// explain makes an Error of OTTL's own: with its position, and a condition that works. Where OTTL only lists its
// contexts, the Error says what is wrong in other words.
func explain(text string, err error) *Error {
	message := strings.TrimPrefix(err.Error(), fmt.Sprintf("unable to parse OTTL condition %q: ", text))
	message = strings.ReplaceAll(message, "\n", "; ") // several errors are one line
	paths := pathsOf(text)
	noContext := strings.HasPrefix(message, "unable to infer context from conditions") || strings.HasPrefix(message, "missing context name for path")
	wrongContext := strings.HasPrefix(message, "context \"")
	switch {
	case noContext && paths.loose == nil:
		return problem("write for example "+exampleCondition, "the condition names no path, such as span.name, so no item can be asked")
	case noContext:
		return problem("write for example "+exampleFor(paths.loose.text), "1:%d near `%s`: the path has no context: begin it with %s",
			paths.loose.column, paths.loose.text, contextWords)
	case wrongContext && len(paths.signals) > 1:
		return paths.mixedSignals()
	case wrongContext && paths.loose != nil:
		return problem("write for example "+paths.example(), "1:%d near `%s`: %s is no context here: begin the path with %s",
			paths.loose.column, paths.loose.text, paths.loose.context, contextWords)
	}
	hint := "write for example " + paths.example()
	if name, ok := quotedAfter(message, `does not support the function "`); ok {
		if slices.Contains(withheld(), name) {
			return problem(hint, "%s", located(text, "the function \""+name+"\" could take any time or memory, and is not to be had here"))
		}
		if near := nearest.Name(name, slices.Sorted(maps.Keys(functions[any]()))); near != "" {
			hint = "did you mean " + near + "?"
		}
	}
	return problem(hint, "%s", located(text, message))
}

// located puts the position in front of a message of OTTL's that has none, if it names a part of the condition.
func located(text, message string) string {
	if strings.Contains(message, "has invalid syntax") {
		return message
	}
	for _, before := range [...]string{`path "`, `call to "`, `the function "`, `the enum symbol "`} {
		if part, ok := quotedAfter(message, before); ok {
			if at := strings.Index(text, part); at >= 0 {
				return fmt.Sprintf("1:%d near `%s`: %s", at+1, part, message)
			}
		}
	}
	return message
}

// quotedAfter is what stands between a text that ends in a quotation mark and the next mark.
func quotedAfter(message, before string) (string, bool) {
	_, after, found := strings.Cut(message, before)
	quoted, _, closed := strings.Cut(after, `"`)
	return quoted, found && closed && quoted != ""
}

// conditionPaths are the paths of a condition that OTTL refused.
type conditionPaths struct {
	contexts []string               // as written
	signals  map[otlp.Signal]string // each with the first of its contexts
	other    *ottlToken             // the first path of another signal than the first one's
	loose    *ottlToken             // the first path that does not begin with a context
}

func pathsOf(text string) conditionPaths {
	examples := exampleConditions()
	paths := conditionPaths{signals: map[otlp.Signal]string{}}
	for token := range ottlTokens(text) {
		switch {
		case !token.path:
		case examples[token.context] != "":
			paths.contexts = append(paths.contexts, token.context)
			if signal, ok := signalOfContext(token.context); ok && paths.signals[signal] == "" {
				paths.signals[signal] = token.context
				if len(paths.signals) == 2 && paths.other == nil {
					paths.other = &token
				}
			}
		case paths.loose == nil:
			paths.loose = &token
		}
	}
	return paths
}

// example is a condition that works, on the context that the refused one begins with.
func (p conditionPaths) example() string {
	if len(p.contexts) == 0 {
		return exampleCondition
	}
	return exampleConditions()[p.contexts[0]]
}

// mixedSignals is the refusal of a condition that no item can be asked.
func (p conditionPaths) mixedSignals() *Error {
	var contexts, examples []string
	for signal := range otlp.Signal(otlp.NumSignals) {
		if context := p.signals[signal]; context != "" {
			contexts = append(contexts, context)
			examples = append(examples, "where="+exampleConditions()[context])
		}
	}
	return problem("write one for each signal, of which any may hold: "+strings.Join(examples, " & "),
		"1:%d near `%s`: a condition takes the contexts of one signal, and this one has %s",
		p.other.column, p.other.text, enumerate(contexts, "and"))
}

// exampleFor is an example with a context for a path that has none.
func exampleFor(path string) string {
	switch field, _, _ := strings.Cut(path, "."); field {
	case "body", "severity_number", "severity_text":
		return "log." + path + ` != nil`
	case "data_points", "unit", "type":
		return "metric." + path + ` != nil`
	case "attributes":
		return `span.attributes["http.route"] == "/pay", or resource.attributes["host.name"] == "web-1"`
	case "name":
		return `span.name == "GET /pay", or metric.name == "http.server.duration"`
	default:
		return exampleCondition
	}
}

func signalOfContext(context string) (otlp.Signal, bool) {
	switch context {
	case ottlspan.ContextName, ottlspanevent.ContextName:
		return otlp.Traces, true
	case ottlmetric.ContextName, ottldatapoint.ContextName:
		return otlp.Metrics, true
	case ottllog.ContextName:
		return otlp.Logs, true
	default:
		return 0, false
	}
}
