package selection

import (
	"context"
	"fmt"
	"strings"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottldatapoint"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottllog"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlmetric"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlresource"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlscope"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlspan"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlspanevent"
	"go.opentelemetry.io/collector/component"
	"go.uber.org/zap"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// maxBrackets is how deep brackets may be nested in a condition. OTTL's parser takes time with the square of the depth.
const maxBrackets = 32

// condition is one OTTL condition, compiled for the context that its paths name. Exactly one of its fields is set.
// OTTL's conditions are immutable and safe for concurrent use.
type condition struct {
	resource  *ottl.Condition[*ottlresource.TransformContext]
	scope     *ottl.Condition[*ottlscope.TransformContext]
	span      *ottl.Condition[*ottlspan.TransformContext]
	spanEvent *ottl.Condition[*ottlspanevent.TransformContext]
	metric    *ottl.Condition[*ottlmetric.TransformContext]
	point     *ottl.Condition[*ottldatapoint.TransformContext]
	record    *ottl.Condition[*ottllog.TransformContext]
}

// signals are those that the condition can be asked of.
func (c *condition) signals() Signals {
	switch {
	case c.span != nil || c.spanEvent != nil:
		return SignalsOf(otlp.Traces)
	case c.metric != nil || c.point != nil:
		return SignalsOf(otlp.Metrics)
	case c.record != nil:
		return SignalsOf(otlp.Logs)
	default:
		return SignalsOf(otlp.Traces, otlp.Metrics, otlp.Logs)
	}
}

// conditionText refuses what OTTL's parser should not see.
func conditionText(value string) (string, *Error) {
	text := strings.TrimSpace(value)
	if text == "" {
		return "", problem("write a condition such as "+exampleCondition, "is empty")
	}
	if deepest(text) > maxBrackets {
		return "", problem("write it with fewer", "brackets are nested more than %d deep", maxBrackets)
	}
	return text, nil
}

// deepest is how deep brackets are nested, strings aside.
func deepest(text string) int {
	depth, most := 0, 0
	for token := range ottlTokens(text) {
		switch token.text {
		case "(", "[", "{":
			depth++
			most = max(most, depth)
		case ")", "]", "}":
			depth--
		}
	}
	return most
}

// conditionsOf compiles the terms' conditions.
func conditionsOf(terms []Term) ([]*condition, error) {
	var conditions []*condition
	for _, t := range terms {
		if t.Criterion.Name != whereName {
			continue
		}
		for _, text := range t.Values {
			c, err := parseCondition(text)
			if err != nil {
				return nil, about(whereName, err)
			}
			conditions = append(conditions, c)
		}
	}
	return conditions, nil
}

// parseCondition compiles a condition with the standard converters and without editors: it can change nothing, and
// reaches neither network nor files. The error's message is OTTL's, with where and what to write instead.
func parseCondition(text string) (c *condition, failure *Error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			c, failure = nil, problem("write it in another way", "OTTL panicked: %v", panicked)
		}
	}()
	contexts, err := conditionContexts()
	if err != nil {
		return nil, problem("this is a bug in remote_tap", "OTTL: %v", err)
	}
	c, err = contexts.ParseConditions(ottl.NewConditionsGetter([]string{text}))
	if err != nil {
		return nil, explain(text, err)
	}
	return c, nil
}

// conditionContexts are the contexts that a condition may name. OTTL's own log could hold telemetry: there is none.
func conditionContexts() (*ottl.ParserCollection[*condition], error) {
	settings := component.TelemetrySettings{Logger: zap.NewNop()}
	return ottl.NewParserCollection(
		settings,
		conditionContext(ottlresource.NewParser, func(c *condition, parsed *ottl.Condition[*ottlresource.TransformContext]) { c.resource = parsed },
			ottlresource.ContextName),
		conditionContext(ottlscope.NewParser, func(c *condition, parsed *ottl.Condition[*ottlscope.TransformContext]) { c.scope = parsed },
			ottlscope.ContextName, ottlresource.ContextName, legacyScope),
		conditionContext(ottlscope.NewParser, func(c *condition, parsed *ottl.Condition[*ottlscope.TransformContext]) { c.scope = parsed },
			legacyScope, ottlresource.ContextName, ottlscope.ContextName),
		conditionContext(ottlspan.NewParser, func(c *condition, parsed *ottl.Condition[*ottlspan.TransformContext]) { c.span = parsed },
			ottlspan.ContextName, ottlresource.ContextName, ottlscope.ContextName, legacyScope),
		conditionContext(ottlspanevent.NewParser, func(c *condition, parsed *ottl.Condition[*ottlspanevent.TransformContext]) { c.spanEvent = parsed },
			ottlspanevent.ContextName, ottlspan.ContextName, ottlresource.ContextName, ottlscope.ContextName, legacyScope),
		conditionContext(ottlmetric.NewParser, func(c *condition, parsed *ottl.Condition[*ottlmetric.TransformContext]) { c.metric = parsed },
			ottlmetric.ContextName, ottlresource.ContextName, ottlscope.ContextName, legacyScope),
		conditionContext(ottldatapoint.NewParser, func(c *condition, parsed *ottl.Condition[*ottldatapoint.TransformContext]) { c.point = parsed },
			ottldatapoint.ContextName, ottlmetric.ContextName, ottlresource.ContextName, ottlscope.ContextName, legacyScope),
		conditionContext(ottllog.NewParser, func(c *condition, parsed *ottl.Condition[*ottllog.TransformContext]) { c.record = parsed },
			ottllog.ContextName, ottlresource.ContextName, ottlscope.ContextName, legacyScope),
	)
}

// legacyScope is OTTL's older name of the scope context.
const legacyScope = "instrumentation_scope"

// conditionContext is one context with the contexts around it, which its paths may name too. OTTL's own list would add
// otelcol, the client's metadata and credentials: a tap shows the telemetry, not who sent it.
func conditionContext[K any](
	newParser func(map[string]ottl.Factory[K], component.TelemetrySettings, ...ottl.Option[K]) (ottl.Parser[K], error),
	set func(*condition, *ottl.Condition[K]),
	name string, around ...string,
) ottl.ParserCollectionOption[*condition] {
	return func(collection *ottl.ParserCollection[*condition]) error {
		names := ottl.WithPathContextNames[K](append(around, name))
		parser, err := newParser(functions[K](), collection.Settings, names)
		if err != nil {
			return err
		}
		convert := func(_ *ottl.ParserCollection[*condition], _ ottl.ConditionsGetter, parsed []*ottl.Condition[K]) (*condition, error) {
			if len(parsed) != 1 {
				return nil, fmt.Errorf("one condition became %d", len(parsed))
			}
			c := &condition{}
			set(c, parsed[0])
			return c, nil
		}
		return ottl.WithParserCollectionContext(name, &parser, ottl.WithConditionConverter(convert))(collection)
	}
}

// background is the context for OTTL, which looks in it for the client's metadata and finds none.
func background() context.Context { return context.Background() }
