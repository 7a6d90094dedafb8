package selection

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write docs/selection.md")

// documentation is docs/selection.md, made from the tables.
func documentation() string {
	var b strings.Builder
	b.WriteString(`<!-- Made from internal/selection by ` + "`go test ./internal/selection -run TestDocumentation -update`" + `. Do not edit. -->
# What a tap selects

Criteria are query parameters, and together they all have to hold. The same one given again is *or*; ` + "`NAME!=VALUE`" + ` negates
those that have a "yes" below, and then all of its values have to differ. A criterion that cannot apply to a signal leaves that
signal out: ` + "`min_duration=1s`" + ` selects from traces only. What is unknown, malformed or out of range is refused before the stream
starts, with what to write instead.

| parameter | keeps | signals | again: or | negated |
|---|---|---|---|---|
`)
	for _, c := range Criteria() {
		fmt.Fprintf(&b, "| `%s=%s` | %s | %s | %s | %s |\n", c.Name, cell(c.Value), cell(c.Matches), signalsCell(c), word(c.Repeats), word(c.Negates))
	}
	b.WriteString("\n")
	for _, c := range Criteria() {
		fmt.Fprintf(&b, "- `%s`", c.Example)
		if c.Help != "" {
			fmt.Fprintf(&b, ": %s", c.Help)
		}
		b.WriteString("\n")
	}
	b.WriteString(`
A condition is evaluated within the collector's pipelines, and cannot be interrupted. So OTTL functions that could take any time or memory are withheld, and regular expressions and results are bounded: [configuration.md](configuration.md#limits-without-a-key) lists both.

In a URL, spaces, quotes and brackets are escaped; ` + "`curl -G --data-urlencode`" + ` does it:

` + "```sh" + `
curl -NG http://localhost:12001/v1/tap --data-urlencode 'where=span.attributes["http.route"] == "/pay"' --data-urlencode 'service!=canary*'
` + "```" + `

## Delivery

These do not choose items. Each is given once. Taps that are alike but for the ones marked with * share all work.

| parameter | without it | |
|---|---|---|
`)
	for _, o := range Options() {
		star := ""
		if o.PerTap {
			star = " *"
		}
		fmt.Fprintf(&b, "| `%s=%s`%s | %s | %s |\n", o.Name, cell(o.Value), star, cell(o.Default), cell(o.Help))
	}
	return b.String()
}

// cell escapes what would end a table's cell.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

func word(yes bool) string {
	if yes {
		return "yes"
	}
	return ""
}

func signalsCell(c Criterion) string {
	switch {
	case c.Name == whereName:
		return "those of its contexts"
	case c.Signals == AllSignals():
		return "all"
	default:
		return strings.Join(c.Signals.Names(), ", ")
	}
}

func TestDocumentationIsCurrent(t *testing.T) {
	const file = "../../docs/selection.md"
	want := documentation()
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(want), 0o644))
	}
	got, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, want, string(got), "run go test ./internal/selection -run TestDocumentation -update")
}

func TestTablesAreWhole(t *testing.T) {
	var names []string
	for _, c := range Criteria() {
		names = append(names, c.Name)
		t.Run(c.Name, func(t *testing.T) {
			assert.NotEmpty(t, c.Value)
			assert.NotEmpty(t, c.Matches)
			assert.NotZero(t, c.Signals)
			assert.NotNil(t, c.parse)
			assert.True(t, c.tests != nil || slices.Contains([]string{pointName, signalName, whereName}, c.Name), "it can be asked of items")
			values, err := url.ParseQuery(c.Example)
			require.NoError(t, err)
			s, err := Parse(values, AllSignals())
			require.NoError(t, err, "the example works")
			if c.Name == signalName {
				return
			}
			require.Len(t, s.Terms(), 1)
			term := s.Terms()[0]
			assert.Equal(t, c.Name, term.Criterion.Name)
			if c.Name != whereName {
				assert.Equal(t, c.Signals, s.Signals())
			}
			if c.tests == nil {
				return
			}
			made := c.tests(&term)
			assert.Equal(t, c.Signals.Has(0), made.span != nil || made.scope == nil && made.resource != nil, "traces")
			assert.Equal(t, c.Signals.Has(1), made.point != nil || made.metric != nil || made.scope == nil && made.resource != nil, "metrics")
			assert.Equal(t, c.Signals.Has(2), made.record != nil || made.scope == nil && made.resource != nil, "logs")
			assert.Equal(t, c.Signals.Has(3), made.resource != nil, "profiles")
		})
	}
	for _, o := range Options() {
		names = append(names, o.Name)
		t.Run(o.Name, func(t *testing.T) {
			assert.NotEmpty(t, o.Value)
			assert.NotEmpty(t, o.Default)
			assert.NotEmpty(t, o.Help)
			if o.Example == "" {
				assert.Equal(t, "since", o.Name, "not available yet")
				return
			}
			_, s := parsed(t, o.Example)
			assert.Equal(t, o.Example, s.String(), "the example is no default, and canonical")
			assert.Equal(t, o.PerTap, s.View().String() == "", "a view is without what is a tap's own")
		})
	}
	slices.Sort(names)
	assert.Equal(t, names, slices.Compact(slices.Clone(names)), "each name is there once")
}
