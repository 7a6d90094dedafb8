package contexts

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/remotetap/remotetapprocessor/internal/nearest"
)

// unknownKey is what the decoder says about a key that is not in a struct.
var unknownKey = regexp.MustCompile(`^line (\d+): field (.+) not found in type contexts\.(File|Context)$`)

// wrongType is what it says about a value of the wrong type, which may be a secret.
var wrongType = regexp.MustCompile("^line (\\d+): cannot unmarshal (!![a-z]+)(?: `[^`]*`)? into (.+)$")

// explain says what is near to unknown keys, and repeats no values.
func explain(err error) error {
	var wrong *yaml.TypeError
	if !errors.As(err, &wrong) {
		return err
	}
	var texts []string
	for _, text := range wrong.Errors {
		if m := unknownKey.FindStringSubmatch(text); m != nil {
			texts = append(texts, fmt.Sprintf("line %s: there is no key %q%s", m[1], m[2], instead(m[2], m[3])))
		} else if m := wrongType.FindStringSubmatch(text); m != nil {
			texts = append(texts, fmt.Sprintf("line %s: this is %s, and it has to be %s", m[1], typeName(m[2]), typeName(m[3])))
		} else {
			texts = append(texts, text)
		}
	}
	return errors.New(strings.Join(texts, "; "))
}

// instead says which key was probably meant, or which there are.
func instead(key, of string) string {
	keys := keysOf(reflect.TypeFor[File]())
	if of == "Context" {
		keys = keysOf(reflect.TypeFor[Context]())
	}
	if near := nearest.Name(key, keys); near != "" {
		return "; did you mean " + near + "?"
	}
	return "; there are " + strings.Join(keys, ", ")
}

// keysOf are the keys of a struct in YAML.
func keysOf(t reflect.Type) []string {
	var keys []string
	for field := range t.Fields() {
		key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		keys = append(keys, key)
	}
	return keys
}

// typeName is a type of YAML or Go as people call it.
func typeName(name string) string {
	switch {
	case name == "!!seq", strings.HasPrefix(name, "[]"):
		return "a list"
	case name == "!!map", strings.HasPrefix(name, "map"), strings.HasPrefix(name, "contexts."):
		return "a map of keys and values"
	case name == "!!bool", name == "bool":
		return "true or false"
	default:
		return "a text"
	}
}
