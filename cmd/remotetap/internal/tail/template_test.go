package tail

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
)

func TestATemplatePrintsFieldsAndAttributes(t *testing.T) {
	s := today()
	for _, test := range []struct {
		name, template string
		data           any
		lines          []string
	}{
		{"of spans", `{{.Service}} {{.Name}} {{.Kind}} {{ms .Duration}} {{.Status}} {{.StatusMessage}}`, s.Traces(4, 5), []string{
			"frontend GET /checkout Server 140 Unset", "checkout charge Internal 120 Unset",
			"payment POST /pay Server 100 Error card declined", "payment SELECT card Client 80 Error card declined",
		}},
		{"of records", `{{clock .Time}} {{.Severity}} {{.Body}} {{.TraceID}}`, s.Logs(4, 5), []string{
			"15:04:05.450 ERROR card declined 5b8efff7980381031715609f7c746c69",
		}},
		{"of data points", `{{.Name}}={{.Value}} {{.Unit}} ({{.Kind}})`, s.Metrics(4, 5), []string{"orders.total=5 {order} (Sum)", "queue.length=2 {order} (Gauge)"}},
		{"attributes of the item and of the resource", `{{attr "order.number"}} {{attr "service.version"}} {{attr "no.such"}}|`, s.Logs(4, 5), []string{"4 1.4.2 |"}},
		{"attributes as maps", `{{index .Attributes "order.number"}} {{json .Resource}}`, s.Logs(4, 5), []string{
			`4 {"k8s.pod.name":"payment-0","service.name":"payment","service.version":"1.4.2"}`,
		}},
		{"only some items", `{{if .Error}}{{.Name}}{{end}}`, s.Traces(4, 5), []string{"POST /pay", "SELECT card"}},
		{"with tabs and ends of lines as shells leave them", `{{.Name}}\t{{"a\tb"}}\n`, s.Metrics(4, 5), []string{"orders.total\ta\tb", "queue.length\ta\tb"}},
		{"in columns", `{{pad 6 .Name}}|{{cut 4 .Name}}|{{upper .Service}}`, s.Metrics(4, 5), []string{"order…|ord…|CHECKOUT", "queue…|que…|CHECKOUT"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := newTemplate(test.template)
			require.NoError(t, err)
			out, err := p.print([]byte("before\n"), batch(t, test.data))
			require.NoError(t, err)
			assert.Equal(t, append([]string{"before"}, test.lines...), trimmed(out))
		})
	}
}

func TestATemplateMayBeInAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "line.tmpl")
	require.NoError(t, os.WriteFile(file, []byte("{{.Body}}\n"), 0o600))
	p, err := newTemplate("@" + file)
	require.NoError(t, err)
	out, err := p.print(nil, batch(t, today().Logs(4, 6)))
	require.NoError(t, err)
	assert.Equal(t, "card declined\npaid\n", string(out))
}

func TestATemplateThatCannotBeIsRefusedBeforeAnythingIsDialled(t *testing.T) {
	for name, test := range map[string]struct{ template, says string }{
		"a field that does not exist":    {`{{.Nam}}`, "can't evaluate field Nam; `remotetap tail --help` lists the fields"},
		"a function that does not exist": {`{{foo .Name}}`, `function "foo" not defined`},
		"an action that is not closed":   {`{{.Name`, "unclosed action"},
		"the wrong kind of value":        {`{{ms .Name}}`, "wrong type"},
		"nothing":                        {` `, "it is empty; write for instance"},
		"a file that is not there":       {`@no/such/file`, "no/such/file"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newTemplate(test.template)
			require.ErrorContains(t, err, test.says)
			assert.Equal(t, app.CodeUsage, app.CodeOf(err))
			assert.NotContains(t, err.Error(), "tail.Fields")
		})
	}
}

func TestAWrongOutputSaysWhatIsNear(t *testing.T) {
	a := app.New(app.System{Getenv: func(string) string { return "" }})
	for output, says := range map[string]string{
		"jsn":       "did you mean json?",
		"yaml":      "write text, wide, json, otlp, template=TEMPLATE or template=@FILE",
		"template":  "write the template behind it",
		"templates": "did you mean template?",
	} {
		_, err := newPrinter(a, output, false)
		require.ErrorContains(t, err, says)
		assert.Equal(t, app.CodeUsage, app.CodeOf(err))
	}
	for _, output := range append(outputs(), "template={{.Name}}") {
		_, err := newPrinter(a, output, false)
		require.NoError(t, err, strings.ToUpper(output))
	}
}
