package top

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/items"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

func TestByTakesAttributesAndAFewWords(t *testing.T) {
	for _, c := range []struct {
		name string
		by   []string
		says string // "" if all is well
	}{
		{"an attribute's key has a dot", []string{"http.route", "k8s.pod.name"}, ""},
		{"an attribute without a dot is written like in selections", []string{"attr.tenant"}, ""},
		{"words name what is no attribute", []string{"service", "name", "kind", "status", "severity", "point", "collector"}, ""},
		{"a misspelt word is not taken for an attribute", []string{"servce"}, "--by servce: did you mean service? An attribute with this key is written attr.servce"},
		{"another word is explained", []string{"tenant"}, "--by tenant: an attribute with this key is written attr.tenant; without a dot there are service, name, kind, status, severity, point, collector"},
		{"an empty key is none", []string{""}, "--by needs an attribute's key, such as http.route, or one of service, name, kind, status, severity, point, collector"},
		{"attr. alone is no key", []string{"attr."}, "--by needs an attribute's key, such as http.route, or one of service, name, kind, status, severity, point, collector"},
		{"a key is there once", []string{"http.route", "http.route"}, "--by http.route is there twice: leave one out"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fields, err := parseFields(c.by)
			if c.says != "" {
				assert.EqualError(t, err, c.says)
				assert.Equal(t, app.CodeUsage, app.CodeOf(err))
				return
			}
			require.NoError(t, err)
			var names []string
			for _, f := range fields {
				names = append(names, f.name)
			}
			assert.Equal(t, c.by, names)
		})
	}
}

func TestEachSignalHasItsUsualFields(t *testing.T) {
	names := func(fields []field) (all []string) {
		for _, f := range fields {
			all = append(all, f.name)
		}
		return all
	}
	assert.Equal(t, []string{"service", "name"}, names(fieldsOf(tapclient.Traces, nil)))
	assert.Equal(t, []string{"service"}, names(fieldsOf(tapclient.Logs, nil)))
	assert.Equal(t, []string{"name", "service"}, names(fieldsOf(tapclient.Metrics, nil)))
	assert.Equal(t, []string{"point"}, names(fieldsOf(tapclient.Profiles, nil)))

	by, err := parseFields([]string{"http.route", "name"})
	require.NoError(t, err)
	assert.Equal(t, []string{"http.route", "name"}, names(fieldsOf(tapclient.Traces, by)))
	assert.Equal(t, []string{"name", "http.route"}, names(fieldsOf(tapclient.Metrics, by)), "metrics are never put together")
}

// Values that differ give keys that differ, however they are cut into values.
func TestKeysTellGroupsApart(t *testing.T) {
	fields := []field{attributeField("a.a", "a.a"), attributeField("b.b", "b.b")}
	texts := []string{"", "a", "b", "ab", "\x00", "\x01", "\x01a", "\x02ab", "\xff"}
	seen := map[string][2]any{}
	for _, a := range append([]string{"missing"}, texts...) {
		for _, b := range append([]string{"missing"}, texts...) {
			item := items.Item{Attributes: pcommon.NewMap(), Scope: pcommon.NewMap(), Resource: pcommon.NewMap()}
			values := [2]any{}
			for i, text := range []string{a, b} {
				if text != "missing" {
					item.Attributes.PutStr(fields[i].name, text)
					values[i] = text
				}
			}
			key := string(appendKey(nil, fields, &item))
			other, ok := seen[key]
			assert.False(t, ok, "%q and %q are one", values, other)
			seen[key] = values
		}
	}
}

func TestValuesAreBounded(t *testing.T) {
	assert.Equal(t, "short", cut("short"))
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		text := strings.Repeat("x", random.IntN(4)) + strings.Repeat("日本é", 200)
		short := cut(text)
		assert.LessOrEqual(t, len(short), maxValue)
		assert.Greater(t, len(short), maxValue-8)
		assert.True(t, utf8.ValidString(short), "cut between characters")
		assert.True(t, strings.HasSuffix(short, "…"))
	}
	assert.LessOrEqual(t, len(cut(strings.Repeat("\x80", 1000))), maxValue, "also what is no text")
}
