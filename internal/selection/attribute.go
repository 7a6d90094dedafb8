package selection

import (
	"math"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// wanted is the text of an attribute's value, prepared so that comparing numbers needs no text.
type wanted struct {
	text    string
	integer int64
	double  float64
	// whether an attribute of the type can have this text
	isInteger, isDouble bool
}

func newWanted(text string) wanted {
	w := wanted{text: text}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		w.integer, w.isInteger = n, strconv.FormatInt(n, 10) == text
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		w.double, w.isDouble = f, pcommon.NewValueDouble(f).AsString() == text
	}
	return w
}

// equals compares with a value as text, as pdata's AsString writes it: 500, true, 0.5, base64 for bytes, JSON for maps
// and lists. It allocates only to write bytes, maps and lists.
func (w *wanted) equals(v pcommon.Value) bool {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return v.Str() == w.text
	case pcommon.ValueTypeInt:
		return w.isInteger && v.Int() == w.integer
	case pcommon.ValueTypeBool:
		return strconv.FormatBool(v.Bool()) == w.text
	case pcommon.ValueTypeDouble:
		f := v.Double()
		return w.isDouble && (math.Float64bits(f) == math.Float64bits(w.double) || f != f && w.double != w.double)
	case pcommon.ValueTypeMap:
		return strings.HasPrefix(w.text, "{") && v.AsString() == w.text
	case pcommon.ValueTypeSlice:
		return strings.HasPrefix(w.text, "[") && v.AsString() == w.text
	default:
		return v.AsString() == w.text
	}
}

// attribute finds one key's value among a few texts, of which there is usually one.
type attribute struct {
	key   string
	first wanted
	more  []wanted
}

func newAttribute(key string, texts []string) *attribute {
	a := &attribute{key: key, first: newWanted(texts[0])}
	for _, text := range texts[1:] {
		a.more = append(a.more, newWanted(text))
	}
	return a
}

// in reports whether the attributes hold the key with one of the values.
func (a *attribute) in(attributes pcommon.Map) bool {
	value, ok := attributes.Get(a.key)
	if !ok {
		return false
	}
	switch kind := value.Type(); {
	case len(a.more) > 0:
		return a.equalsAny(value)
	case kind == pcommon.ValueTypeStr: // what most are, without a further call
		return value.Str() == a.first.text
	case kind == pcommon.ValueTypeInt:
		return a.first.isInteger && value.Int() == a.first.integer
	default:
		return a.first.equals(value)
	}
}

func (a *attribute) equalsAny(value pcommon.Value) bool {
	if a.first.equals(value) {
		return true
	}
	for i := range a.more {
		if a.more[i].equals(value) {
			return true
		}
	}
	return false
}

// above is the verdict of a resource's or scope's attributes: if they do not have it, the items below may.
func (a *attribute) above(attributes pcommon.Map) verdict {
	if a.in(attributes) {
		return yes
	}
	return undecided
}

// attributeTests look at the attributes of the resource, the scope and the item.
func attributeTests(t *Term) tests {
	a := newAttribute(t.Key, t.Values)
	return tests{
		resource: a.above,
		scope:    a.above,
		span:     func(span ptrace.Span) bool { return a.in(span.Attributes()) },
		record:   func(record plog.LogRecord) bool { return a.in(record.Attributes()) },
		point:    a.in,
	}
}

// serviceTests look at the resource's service.name. Without one, no pattern matches, not even *.
func serviceTests(t *Term) tests {
	globs := newGlobs(t.Values)
	return tests{resource: func(attributes pcommon.Map) verdict {
		name, ok := attributes.Get(serviceName)
		return verdictOf(ok && globs.match(textOf(name)))
	}}
}

// textOf is AsString without a detour for strings.
func textOf(value pcommon.Value) string {
	if value.Type() == pcommon.ValueTypeStr {
		return value.Str()
	}
	return value.AsString()
}

const serviceName = "service.name"

// globs match if one of them does.
type globs []glob

func newGlobs(patterns []string) globs {
	made := make(globs, len(patterns))
	for i, pattern := range patterns {
		made[i] = newGlob(pattern)
	}
	return made
}

func (g globs) match(text string) bool {
	for i := range g {
		if g[i].matches(text) {
			return true
		}
	}
	return false
}
