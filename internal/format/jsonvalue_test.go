package format

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// parse reads one JSON document as objects (map[string]any), lists ([]any), strings, bools and numbers (float64).
// It fails on anything that no document may have: a key twice in an object, invalid UTF-8, raw control characters,
// or something behind the end.
func parse(t testing.TB, text []byte) any {
	t.Helper()
	require.True(t, utf8.Valid(text), "%q", text)
	require.Negative(t, bytes.IndexFunc(text, func(r rune) bool {
		return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029
	}), "%q", text)
	require.True(t, json.Valid(text), "%q", text)
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := parseValue(d)
	require.NoError(t, err, "%q", text)
	_, err = d.Token()
	require.ErrorIs(t, err, io.EOF)
	return v
}

func parseValue(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '{' {
			return parseObject(d)
		}
		return parseList(d)
	case json.Number:
		v, err := strconv.ParseFloat(string(token), 64)
		return v, err
	default:
		return token, nil
	}
}

func parseObject(d *json.Decoder) (any, error) {
	object := map[string]any{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		if _, twice := object[key.(string)]; twice {
			return nil, fmt.Errorf("key %v comes twice", key)
		}
		if object[key.(string)], err = parseValue(d); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return object, err
}

func parseList(d *json.Decoder) (any, error) {
	list := []any{}
	for d.More() {
		v, err := parseValue(d)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.Token()
	return list, err
}

// atoms lists the atoms of a document in order, each as JSON with everything around it: items, and messages that
// could hold items and hold none.
func atoms(t testing.TB, m *otlp.Message, object any, around string) []string {
	t.Helper()
	rest := map[string]any{}
	var child *otlp.Field
	for key, v := range object.(map[string]any) {
		if f := m.FieldByName(key); f != nil && f.Role != otlp.RoleValue {
			require.Nil(t, child, "%s has two children", m.Name)
			child = f
		} else {
			rest[key] = v
		}
	}
	self, err := json.Marshal(rest)
	require.NoError(t, err)
	around += string(self)
	if child == nil {
		return []string{around}
	}
	children, ok := object.(map[string]any)[child.Name].([]any)
	if !ok {
		children = []any{object.(map[string]any)[child.Name]}
	}
	var all []string
	for _, c := range children {
		all = append(all, atoms(t, child.Message, c, around+"/"+child.Name)...)
	}
	return all
}
