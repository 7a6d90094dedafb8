package selection

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/ottlfuncs"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// A condition is evaluated on a pipeline's goroutine, and OTTL's evaluation cannot be interrupted. So what one call may
// take is bounded by what it may ask for.
const (
	// maxPattern is the size of a regular expression, in steps: characters and operators, repeated ones as often as they
	// may repeat.
	maxPattern = 1000
	// maxMatching is what one match may take: the pattern's steps times the text's bytes, which is what it may take in
	// the worst case; about 10 ns each.
	maxMatching = 4 << 20
	// maxResult is the size of what a function returns, in bytes or elements.
	maxResult = 1 << 20
)

// withheld are the standard functions that a condition may not call: a short condition could take any time or memory
// with them.
func withheld() []string {
	return []string{
		"Concat", "Format", "InsertXML", // as large as one writes it
		"All", "Any", "Filter", "Find", "MapEach", "Reduce", // loops within loops
		"ExtractGrokPatterns", "ExtractPatterns", "UserAgent", // regular expressions without bounds
		"ConvertAttributesToElementsXML", "ConvertTextToElementsXML", "GetXML", "RemoveXML", // XPath
	}
}

// functions are those that a condition may call: OTTL's standard converters, which change nothing, but for those that
// are withheld; with bounds.
func functions[K any]() map[string]ottl.Factory[K] {
	all := ottlfuncs.StandardConverters[K]()
	isMatch := newIsMatch[K]()
	all[isMatch.Name()] = isMatch
	for name, factory := range all {
		if slices.Contains(withheld(), name) {
			delete(all, name)
			continue
		}
		all[name] = bounded(factory)
	}
	return all
}

// errLarge is an evaluation that fails.
var errLarge = errors.New("what a function returns has more than 1 MiB")

// bounded makes a function fail that returns too much: nested calls could double it each time.
func bounded[K any](factory ottl.Factory[K]) ottl.Factory[K] {
	return ottl.NewFactory(factory.Name(), factory.CreateDefaultArguments(), func(fc ottl.FunctionContext, arguments ottl.Arguments) (ottl.ExprFunc[K], error) {
		call, err := factory.CreateFunction(fc, arguments)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, item K) (any, error) {
			result, err := call(ctx, item)
			if err == nil && sizeOf(result) > maxResult {
				return nil, errLarge
			}
			return result, err
		}, nil
	})
}

// sizeOf is the size of what a function returned.
func sizeOf(result any) int {
	switch v := result.(type) {
	case string:
		return len(v)
	case []byte:
		return len(v)
	case []any:
		return len(v)
	case []string:
		return len(v)
	case map[string]any:
		return len(v)
	case pcommon.ByteSlice:
		return v.Len()
	case pcommon.Slice:
		return v.Len()
	case pcommon.Map:
		return v.Len()
	default:
		return 0
	}
}

// isMatchArguments are those of OTTL's IsMatch, with a pattern that is known before anything is evaluated.
type isMatchArguments[K any] struct {
	Target  ottl.StringLikeGetter[K]
	Pattern string
}

// newIsMatch makes IsMatch, whose pattern is a text in the condition, and bounded.
func newIsMatch[K any]() ottl.Factory[K] {
	return ottl.NewFactory("IsMatch", &isMatchArguments[K]{}, func(_ ottl.FunctionContext, arguments ottl.Arguments) (ottl.ExprFunc[K], error) {
		a, ok := arguments.(*isMatchArguments[K])
		if !ok {
			return nil, fmt.Errorf("IsMatch was given %T", arguments)
		}
		pattern, size, err := compilePattern(a.Pattern)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, item K) (any, error) {
			text, ok, err := a.Target.Get(ctx, item)
			if err != nil || !ok {
				return false, err
			}
			if len(text) > maxMatching/size {
				return nil, fmt.Errorf("IsMatch looks at no more than %d bytes with this pattern, and the text has %d", maxMatching/size, len(text))
			}
			return pattern.MatchString(text), nil
		}, nil
	})
}

// compilePattern compiles a regular expression, unless it is too large, and says how large it is.
func compilePattern(text string) (pattern *regexp.Regexp, size int, err error) {
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, 0, fmt.Errorf("the pattern supplied to IsMatch is no regular expression: %w", err)
	}
	if size = stepsOf(parsed); size > maxPattern {
		return nil, 0, fmt.Errorf("the regular expression has more than %d steps, counting what repeats; write a smaller one", maxPattern)
	}
	pattern, err = regexp.Compile(text)
	return pattern, size, err
}

// stepsOf is about how many instructions a regular expression compiles to, at least one; no more than a little above
// maxPattern is counted.
func stepsOf(re *syntax.Regexp) int {
	steps := 1
	if re.Op == syntax.OpLiteral {
		steps = len(re.Rune)
	}
	if re.Op == syntax.OpRepeat || re.Op == syntax.OpConcat || re.Op == syntax.OpCapture {
		steps = 0 // nothing but their parts
	}
	for _, part := range re.Sub {
		steps += stepsOf(part)
		if steps > maxPattern {
			return maxPattern + 1
		}
	}
	if re.Op == syntax.OpRepeat {
		steps *= max(1, re.Min, re.Max)
	}
	return max(1, min(steps, maxPattern+1))
}
