package remotetapprocessor

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"

	"go.opentelemetry.io/collector/confmap"

	"github.com/remotetap/remotetapprocessor/internal/nearest"
)

// This file reads and checks the keys that a user wrote, before there are
// values to validate. Every error starts with the key's full name, its parts
// joined by "::" as the collector writes them.

// limitIsNoRate follows a limit that is a fraction. Other processors' limit is
// a rate, for which a fraction makes sense.
const limitIsNoRate = "; in remote_tap limit is the number of concurrent taps, " +
	"and a rate (another processor's messages per second) is per_tap::items_per_second"

// notYetAvailable lists the keys of the configuration whose features come
// later. They are refused rather than ignored. When a feature lands, its key
// moves from here into Config.
func notYetAvailable() []string {
	return []string{"lookback_mib", "page"}
}

// deferredKeys refuses every key in written whose feature is yet to come,
// whatever its value.
func deferredKeys(written map[string]any) []error {
	var errs []error
	for _, key := range notYetAvailable() {
		if _, ok := written[key]; ok {
			errs = append(errs, fmt.Errorf("%s: not available yet; remove this key", key))
		}
	}
	return errs
}

// isPointsOwn reports whether a top-level key is each point's own, so that points
// which share a server need not agree on it.
func isPointsOwn(key string) bool { return key == "redact" }

// keysWithValue returns the keys of written that have a value other than null,
// sorted.
func keysWithValue(written map[string]any) []string {
	var keys []string
	for key, value := range written {
		if value != nil {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// unknownKeys refuses the keys in written, at any depth, that Config has not,
// in the order of their names.
func unknownKeys(written map[string]any) []error {
	known := keysOf(reflect.TypeFor[Config]())
	ours := maps.Clone(written)
	for _, key := range notYetAvailable() {
		delete(ours, key)
	}
	return unknownIn("", ours, known)
}

func unknownIn(section string, written map[string]any, known map[string]reflect.Type) []error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(written)) {
		t, ok := known[name]
		if !ok {
			errs = append(errs, fmt.Errorf("%s: unknown key; %s", join(section, name), instead(section, name, known)))
			continue
		}
		errs = append(errs, unknownBelow(join(section, name), written[name], t)...)
	}
	return errs
}

// unknownBelow looks for unknown keys inside one value, which is decoded into t.
func unknownBelow(key string, value any, t reflect.Type) []error {
	switch v := value.(type) {
	case map[string]any:
		if known := keysOf(t); len(known) > 0 {
			return unknownIn(key, v, known)
		}
	case []any:
		if t.Kind() != reflect.Slice {
			return nil
		}
		var errs []error
		for i, element := range v {
			errs = append(errs, unknownBelow(join(key, strconv.Itoa(i)), element, t.Elem())...)
		}
		return errs
	}
	return nil
}

// keysOf returns the keys that decode into t, with the type of each one's
// value; none if t has no keys of a fixed set.
func keysOf(t reflect.Type) map[string]reflect.Type {
	if inner, ok := optionalType(t); ok {
		keys := keysOf(inner)
		keys["enabled"] = reflect.TypeFor[bool]()
		return keys
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	keys := map[string]reflect.Type{}
	for field := range t.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get(confmap.MapstructureTag), ",")
		switch {
		case !field.IsExported() || name == "-":
		case options == "squash":
			maps.Copy(keys, keysOf(field.Type))
		default:
			keys[cmp.Or(name, field.Name)] = field.Type
		}
	}
	return keys
}

// optionalType returns the T of a configoptional.Optional[T].
func optionalType(t reflect.Type) (reflect.Type, bool) {
	if !strings.HasPrefix(t.String(), "configoptional.Optional[") {
		return nil, false
	}
	get, ok := reflect.PointerTo(t).MethodByName("Get")
	if !ok {
		return nil, false
	}
	return get.Type.Out(0).Elem(), true
}

// instead says what to write instead of the unknown key name: the known one
// that is spelled nearly alike, or the one of that name a level further down,
// or else any of the known ones.
func instead(section, name string, known map[string]reflect.Type) string {
	names := slices.Sorted(maps.Keys(known))
	if near := nearest.Name(name, names); near != "" {
		return "did you mean " + join(section, near) + "?"
	}
	for _, parent := range names {
		if _, ok := keysOf(known[parent])[name]; ok && name != "enabled" {
			return "did you mean " + join(section, join(parent, name)) + "?"
		}
	}
	return "the keys of " + cmp.Or(section, "remote_tap") + " are " + strings.Join(names, ", ")
}

// keyReader reads values of one section and collects what is wrong with them.
// A key that is absent or null leaves its destination as it is.
type keyReader struct {
	name   string // of the section, "" at the top
	values map[string]any
	errs   *[]error
}

// refuse adds an error about key; problem says what is wrong and what to write.
func (r keyReader) refuse(key, problem string) {
	*r.errs = append(*r.errs, fmt.Errorf("%s: %s %s", join(r.name, key), describe(r.values[key]), problem))
}

// section returns a reader for the keys below key.
func (r keyReader) section(key string) keyReader {
	values, ok := r.values[key].(map[string]any)
	if !ok && r.values[key] != nil {
		r.refuse(key, "is not a section; write its keys below it, each on a line of its own")
	}
	return keyReader{name: join(r.name, key), values: values, errs: r.errs}
}

// number reads a number; example is one to write.
func (r keyReader) number(key string, to *float64, example float64) {
	if r.values[key] == nil {
		return
	}
	v, ok := asFloat(r.values[key])
	if !ok {
		r.refuse(key, fmt.Sprintf("is not a number; write a number such as %v", example))
		return
	}
	*to = v
}

// whole reads a whole number; fraction follows the error about one that is not.
func (r keyReader) whole(key string, to *int, example int, fraction string) {
	v := float64(*to)
	before := len(*r.errs)
	r.number(key, &v, float64(example))
	switch {
	case len(*r.errs) > before:
	case v != math.Trunc(v): // NaN too
		r.refuse(key, fmt.Sprintf("is not a whole number; write a whole number such as %d%s", example, fraction))
	case math.Abs(v) > math.MaxInt32:
		r.refuse(key, fmt.Sprintf("is out of range; write a whole number such as %d", example))
	default:
		*to = int(v)
	}
}

// duration reads a duration; example is one to write. A bare number other than
// 0 is refused: the general decoder would take it for nanoseconds.
func (r keyReader) duration(key string, to *time.Duration, example string) {
	switch v := r.values[key].(type) {
	case nil:
	case time.Duration:
		*to = v
	case string:
		d, err := time.ParseDuration(v)
		if err != nil {
			r.refuse(key, "is not a duration; write a number and a unit such as "+example)
			return
		}
		*to = d
	default:
		if number, ok := asFloat(v); !ok || number != 0 {
			r.refuse(key, "is not a duration; write a number and a unit such as "+example)
			return
		}
		*to = 0
	}
}

// asFloat returns v as a float64 if it is a number of any type.
func asFloat(v any) (float64, bool) {
	switch number := reflect.ValueOf(v); {
	case number.CanInt():
		return float64(number.Int()), true
	case number.CanUint():
		return float64(number.Uint()), true
	case number.CanFloat():
		return number.Float(), true
	}
	return 0, false
}

// describe renders a value for an error: scalars as they are written, anything
// larger by its kind.
func describe(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case map[string]any, map[any]any:
		return "a map"
	case []any:
		return "a list"
	}
	return fmt.Sprint(v)
}

// decodingErrors takes apart what the general decoder returns, one error for
// each key, and writes the keys as everywhere else. section is where they are.
func decodingErrors(section string, err error) []error {
	switch e := err.(type) { //nolint:errorlint // the layers are taken off one by one
	case nil:
		return nil
	case *mapstructure.DecodeError:
		key := strings.NewReplacer(".", confmap.KeyDelimiter, "[", confmap.KeyDelimiter, "]", "").Replace(e.Name())
		return decodingErrors(join(section, key), e.Unwrap())
	case interface{ Unwrap() []error }:
		var errs []error
		for _, each := range e.Unwrap() {
			errs = append(errs, decodingErrors(section, each)...)
		}
		return errs
	}
	var several interface{ Unwrap() []error }
	var one *mapstructure.DecodeError
	if errors.As(err, &several) || errors.As(err, &one) {
		return decodingErrors(section, errors.Unwrap(err))
	}
	if section == "" {
		return []error{err}
	}
	return []error{fmt.Errorf("%s: %w", section, err)}
}

// join joins the parts of a key; either may be empty.
func join(section, key string) string {
	if section == "" || key == "" {
		return section + key
	}
	return section + confmap.KeyDelimiter + key
}

// text reads a text; choice is what to write.
func (r keyReader) text(key string, to *string, choice string) {
	switch v := r.values[key].(type) {
	case nil:
	case string:
		*to = v
	default:
		r.refuse(key, "is not a text; write "+choice)
	}
}

// texts reads a list of texts; example is one to write. A text alone is a list
// of one: unlike the general decoder it does not cut at commas, which a pattern
// may have.
func (r keyReader) texts(key string, to *[]string, what, example string) {
	var texts []string
	switch v := r.values[key].(type) {
	case nil:
		return
	case string:
		texts = []string{v}
	case []any:
		for _, element := range v {
			text, ok := element.(string)
			if !ok {
				r.refuse(key, "is not a list of "+what+"; write a list such as "+example)
				return
			}
			texts = append(texts, text)
		}
	default:
		r.refuse(key, "is not a list of "+what+"; write a list such as "+example)
		return
	}
	*to = texts
}
