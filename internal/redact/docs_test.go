package redact

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

var update = flag.Bool("update", false, "write the tables of docs/redaction.md")

const docsFile = "../../docs/redaction.md"

// fieldTable lists the fields that redaction looks at, from the tables that it goes by.
func fieldTable() string {
	var b strings.Builder
	b.WriteString("| message | texts | attributes, values |\n|---|---|---|\n")
	for _, m := range otlp.Messages() {
		var texts, values []string
		for i := range m.Fields {
			f := &m.Fields[i]
			switch {
			case m.ID == otlp.Profile && f.Kind == otlp.KindBytes: // left out
			case f.Kind == otlp.KindString || f.Kind == otlp.KindBytes:
				texts = append(texts, "`"+f.Name+"`")
			case f.Kind == otlp.KindMessage && (f.Message.ID == otlp.KeyValue || f.Message.ID == otlp.AnyValue || f.Message.ID == otlp.KeyValueAndUnit):
				values = append(values, "`"+f.Name+"`")
			}
		}
		if len(texts)+len(values) == 0 {
			continue
		}
		name := m.Name[strings.Index(m.Name, ".v1")+1:]
		_, name, _ = strings.Cut(name, ".")
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, strings.Join(texts, ", "), strings.Join(values, ", "))
	}
	return b.String()
}

// exampleTable redacts attributes in all modes.
func exampleTable(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| attributes, or a body | `mask` | `hash` | `drop` |\n|---|---|---|---|\n")
	for _, in := range []string{
		`{"http.request.header.authorization":"Bearer abc"}`,
		`{"user.password.age_days":5}`,
		`{"headers":{"Authorization":["a","b"],"host":"shop"}}`,
		`{"to":"joe@example.org, amy@example.org"}`,
		`{"to":["joe@example.org","all"]}`,
		`"mail to joe@example.org bounced"`,
		`{"joe@example.org":1}`,
	} {
		fmt.Fprintf(&b, "| `%s`", in)
		var raw any
		decoder := json.NewDecoder(strings.NewReader(in))
		decoder.UseNumber()
		require.NoError(t, decoder.Decode(&raw))
		raw = numbersOf(raw)
		for _, mode := range []Mode{Mask, Hash, Drop} {
			rules := compiled(t, []string{"*password*", "*authorization*"}, []string{`[a-z.]+@[a-z.]+`}, mode)
			v := valueOf(t, raw)
			if !NewRedactor(rules).Value("", v) {
				b.WriteString(" | nothing")
				continue
			}
			out, err := json.Marshal(v.AsRaw())
			require.NoError(t, err)
			fmt.Fprintf(&b, " | `%s`", out)
		}
		b.WriteString(" |\n")
	}
	return b.String()
}

// numbersOf makes integers of JSON's numbers.
func numbersOf(raw any) any {
	switch v := raw.(type) {
	case json.Number:
		n, _ := v.Int64()
		return n
	case map[string]any:
		for key := range v {
			v[key] = numbersOf(v[key])
		}
	}
	return raw
}

// TestDocumentationIsCurrent compares the tables between the marks in the documentation with what the code does.
func TestDocumentationIsCurrent(t *testing.T) {
	raw, err := os.ReadFile(docsFile)
	require.NoError(t, err)
	docs := string(raw)
	for name, want := range map[string]string{"fields": fieldTable(), "examples": exampleTable(t)} {
		begin, end := "<!-- "+name+": made by go test ./internal/redact -run TestDocumentation -update -->\n", "<!-- end of "+name+" -->"
		before, rest, found := strings.Cut(docs, begin)
		require.True(t, found, begin)
		got, after, found := strings.Cut(rest, end)
		require.True(t, found, end)
		if *update {
			docs = before + begin + want + end + after
			continue
		}
		assert.Equal(t, want, got, "run go test ./internal/redact -run TestDocumentation -update")
	}
	if *update {
		require.NoError(t, os.WriteFile(docsFile, []byte(docs), 0o644))
	}
	for _, bound := range []int{MaxKeys, MaxKeySize, MaxValues, MaxValueSize, MaxDepth, MaxPath} {
		assert.Contains(t, docs, fmt.Sprintf(" %d ", bound))
	}
}
