package top

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/items"
	"github.com/remotetap/remotetapprocessor/internal/nearest"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// field is one of those that items are grouped by.
type field struct {
	// name is what the user writes and what JSON calls it.
	name string
	// of finds an item's value; false if it has none.
	of func(*items.Item) (string, bool)
}

// value is what a field is in a group. The text comes from strangers.
type value struct {
	text  string
	known bool // false: the items have no such field
}

// maxValue is the length in bytes that a group's value is cut to.
const maxValue = 256

// plainFields are those that --by has words for: what items have besides attributes.
func plainFields() []field {
	return []field{
		{"service", func(i *items.Item) (string, bool) { return i.Service, i.Service != "" }},
		{"name", func(i *items.Item) (string, bool) { return i.Name, i.Name != "" }},
		{"kind", func(i *items.Item) (string, bool) { return i.Kind, i.Kind != "" }},
		{"status", func(i *items.Item) (string, bool) { return i.Status, i.Status != "" }},
		{"severity", func(i *items.Item) (string, bool) { level := items.Level(i.Severity); return level, level != "" }},
		{"point", func(i *items.Item) (string, bool) { return i.Point, i.Point != "" }},
		{"collector", func(i *items.Item) (string, bool) { return i.From, i.From != "" }},
	}
}

// plain returns the plain fields with these names, in their order.
func plain(names ...string) []field {
	var found []field
	for _, name := range names {
		for _, f := range plainFields() {
			if f.name == name {
				found = append(found, f)
			}
		}
	}
	return found
}

// attributeField is an attribute of the item, its scope or its resource.
func attributeField(name, key string) field {
	return field{name, func(i *items.Item) (string, bool) { return i.Attribute(key) }}
}

// parseFields reads what --by asks for: attribute keys and words. A key without a dot is written
// attr.KEY, as in selections, so that a misspelt word is not taken for one.
func parseFields(by []string) ([]field, error) {
	var fields []field
	for _, name := range by {
		f, err := parseField(name)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(fields, func(other field) bool { return other.name == f.name }) {
			return nil, app.Usage("--by %s is there twice: leave one out", name)
		}
		fields = append(fields, f)
	}
	return fields, nil
}

func parseField(name string) (field, error) {
	if found := plain(name); found != nil {
		return found[0], nil
	}
	key, isAttribute := strings.CutPrefix(name, "attr.")
	if isAttribute && key != "" {
		return attributeField(name, key), nil
	}
	if strings.Contains(name, ".") && !isAttribute {
		return attributeField(name, name), nil
	}
	var words []string
	for _, f := range plainFields() {
		words = append(words, f.name)
	}
	switch near := nearest.Name(name, words); {
	case name == "" || isAttribute:
		return field{}, app.Usage("--by needs an attribute's key, such as http.route, or one of %s", strings.Join(words, ", "))
	case near != "":
		return field{}, app.Usage("--by %s: did you mean %s? An attribute with this key is written attr.%s", name, near, name)
	default:
		return field{}, app.Usage("--by %s: an attribute with this key is written attr.%s; without a dot there are %s", name, name, strings.Join(words, ", "))
	}
}

// fieldsOf are the fields by which the items of a signal are grouped: the usual ones, or those that
// the user asks for. Points of different metrics are never put together, since they have no last
// value in common.
func fieldsOf(signal tapclient.Signal, by []field) []field {
	switch {
	case signal == tapclient.Metrics && len(by) > 0:
		rest := slices.DeleteFunc(slices.Clone(by), func(f field) bool { return f.name == "name" })
		return append(plain("name"), rest...)
	case len(by) > 0:
		return by
	case signal == tapclient.Traces:
		return plain("service", "name")
	case signal == tapclient.Logs:
		return plain("service")
	case signal == tapclient.Metrics:
		return plain("name", "service")
	default:
		return plain("point")
	}
}

// appendKey appends what tells a group from others: the values of an item, each with its length, so
// that no two lists of values give the same key.
func appendKey(key []byte, fields []field, item *items.Item) []byte {
	for _, f := range fields {
		text, known := f.of(item)
		if !known {
			key = append(key, 0)
			continue
		}
		text = cut(text)
		key = binary.AppendUvarint(key, uint64(len(text))+1)
		key = append(key, text...)
	}
	return key
}

// valuesOf are the values of an item, as copies that do not hold the batch in memory.
func valuesOf(fields []field, item *items.Item) []value {
	values := make([]value, len(fields))
	for i, f := range fields {
		text, known := f.of(item)
		values[i] = value{strings.Clone(cut(text)), known}
	}
	return values
}

// cut shortens a value, with an ellipsis: memory has to be bounded, and no column is that wide.
func cut(text string) string {
	const ellipsis = "…"
	if len(text) <= maxValue {
		return text
	}
	end := maxValue - len(ellipsis)
	for end > maxValue-len(ellipsis)-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}
