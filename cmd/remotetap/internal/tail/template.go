package tail

import (
	"encoding/json"
	"io"
	"os"
	"regexp"
	"strings"
	"text/template"
	"time"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/items"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
	"github.com/remotetap/remotetapprocessor/internal/format"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// Fields are what a template of -o template= gets for each item. All texts are harmless on terminals:
// controls, escape sequences and the like are shown as \x1b. Functions besides those of Go's
// text/template:
//
//	attr KEY          the value of an attribute of the item, else of its scope, else of its resource; ""
//	clock TIME        the time of day with milliseconds
//	ms DURATION       a time in milliseconds, as a number
//	cut WIDTH TEXT    a text of at most so many columns
//	pad WIDTH TEXT    a text of exactly so many columns
//	json VALUE        as JSON
//	upper TEXT, lower TEXT, join SEPARATOR LIST
type Fields struct {
	// Time is when a span began, a record was written, a point was measured.
	Time time.Time
	// Passed is when it passed the tap point; zero for files that do not say.
	Passed time.Time
	// Signal is "traces", "metrics", "logs" or "profiles".
	Signal string
	// From is the collector's address or the file; Point the tap point.
	From, Point string
	// Service is the resource's service.name.
	Service string
	// Name is a span's or metric's name, a record's event name; Body a record's body.
	Name, Body string
	// TraceID, SpanID and ParentID are hexadecimal; "" where there are none.
	TraceID, SpanID, ParentID string
	// Kind is a span's kind ("Server") or a metric's type ("Sum").
	Kind string
	// Duration is a span's; 0 for others and for spans without an end.
	Duration time.Duration
	// Status is a span's: "Unset", "Ok" or "Error"; StatusMessage its words.
	Status, StatusMessage string
	// Severity is a record's: "INFO" and the like; SeverityText what its source calls it.
	Severity, SeverityText string
	// Value and Unit are a data point's.
	Value, Unit string
	// Error says that it is one, as --error has it.
	Error bool
	// Attributes, Scope and Resource are attributes as text.
	Attributes, Scope, Resource map[string]string
}

// templateName is what the library calls the template in its errors.
const templateName = "line"

// templated prints what a template makes of each item, on a line of its own.
type templated struct {
	template *template.Template
	current  *Fields // what attr looks at
}

func newTemplate(text string) (*templated, error) {
	if file, ok := strings.CutPrefix(text, "@"); ok {
		content, err := os.ReadFile(file) //nolint:gosec // the user names it
		if err != nil {
			return nil, &app.Error{Code: app.CodeUsage, Err: err}
		}
		text = strings.TrimSuffix(string(content), "\n")
	} else {
		text = unescape(text)
	}
	if strings.TrimSpace(text) == "" {
		return nil, app.Usage("-o template: it is empty; write for instance -o 'template={{.Service}} {{.Name}}'")
	}
	t := &templated{}
	var err error
	if t.template, err = template.New(templateName).Funcs(t.functions()).Parse(text); err != nil {
		return nil, templateError(err)
	}
	return t, t.try()
}

// cutTemplate is what stands behind template=, if -o asks for a template.
func cutTemplate(output string) (string, bool) { return strings.CutPrefix(output, templateOutput) }

func (t *templated) functions() template.FuncMap {
	return template.FuncMap{
		"attr":  t.attr,
		"clock": clock,
		"ms":    func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) },
		"cut":   func(columns int, text string) string { return terminal.Cut(text, columns) },
		"pad":   func(columns int, text string) string { return terminal.Fit(text, columns) },
		"json": func(v any) (string, error) {
			text, err := json.Marshal(v)
			return string(text), err
		},
		"upper": strings.ToUpper,
		"lower": strings.ToLower,
		"join":  func(separator string, list []string) string { return strings.Join(list, separator) },
	}
}

func (t *templated) attr(key string) string {
	for _, m := range [...]map[string]string{t.current.Attributes, t.current.Scope, t.current.Resource} {
		if value, ok := m[format.Visible(key)]; ok {
			return value
		}
	}
	return ""
}

// try finds what is wrong with a template before anything is dialled: fields that do not exist, and the
// like.
func (t *templated) try() error {
	const id = "5b8efff798038103d269b633813fc60c"
	t.current = &Fields{
		Time: time.Unix(1, 0), Passed: time.Unix(1, 0), Signal: "traces", From: "localhost:12001", Point: "remote_tap",
		Service: "checkout", Name: "GET /checkout", Body: "paid", TraceID: id, SpanID: id[:16], ParentID: id[16:],
		Kind: "Server", Duration: time.Second, Status: "Error", StatusMessage: "card declined", Severity: "ERROR",
		SeverityText: "ERROR", Value: "42", Unit: "ms", Error: true,
	}
	if err := t.template.Execute(io.Discard, t.current); err != nil {
		return templateError(err)
	}
	return nil
}

// templateError is the error of a template, without how the library calls its parts.
func templateError(err error) error {
	text := strings.TrimPrefix(err.Error(), "template: "+templateName+":")
	text = strings.ReplaceAll(text, `executing "`+templateName+`" `, "")
	if strings.Contains(text, "can't evaluate field") {
		text = strings.ReplaceAll(text, " in type *tail.Fields", "")
		return app.Usage("-o template: %s; `remotetap tail --help` lists the fields", text)
	}
	return app.Usage("-o template: %s", text)
}

// unescape makes the tabs and ends of lines that a shell leaves as \t and \n, but not within actions,
// where the template does.
func unescape(text string) string {
	action := regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	replace := strings.NewReplacer(`\t`, "\t", `\n`, "\n", `\\`, `\`)
	var b strings.Builder
	for {
		at := action.FindStringIndex(text)
		if at == nil {
			b.WriteString(replace.Replace(text))
			return b.String()
		}
		b.WriteString(replace.Replace(text[:at[0]]))
		b.WriteString(text[at[0]:at[1]])
		text = text[at[1]:]
	}
}

func (t *templated) print(dst []byte, b *app.Batch) ([]byte, error) {
	all, err := items.Of(b)
	if err != nil {
		return dst, err
	}
	for n := range all {
		t.current = fieldsOf(&all[n])
		out := appender{dst}
		if err := t.template.Execute(&out, t.current); err != nil {
			return dst, templateError(err)
		}
		if line := out.buf[len(dst):]; len(line) > 0 { // {{if}} may leave items out
			dst = out.buf
			if line[len(line)-1] != '\n' {
				dst = append(dst, '\n')
			}
		}
	}
	return dst, nil
}

// appender is a writer that appends.
type appender struct{ buf []byte }

// Write appends.
func (a *appender) Write(p []byte) (int, error) {
	a.buf = append(a.buf, p...)
	return len(p), nil
}

// fieldsOf are the fields of an item, made harmless.
func fieldsOf(i *items.Item) *Fields {
	f := &Fields{
		Time: i.Time, Passed: i.Passed, Signal: string(i.Signal), From: format.Visible(i.From), Point: format.Visible(i.Point),
		Service: format.Visible(i.Service), Name: format.Visible(i.Name), Body: format.Visible(i.Body),
		TraceID: i.TraceID, SpanID: i.SpanID, ParentID: i.ParentID,
		Kind: i.Kind, Status: i.Status, StatusMessage: format.Visible(i.StatusMessage),
		SeverityText: format.Visible(i.SeverityText), Value: format.Visible(i.Value), Unit: format.Visible(i.Unit), Error: i.Error,
		Attributes: harmless(allOf(i.Attributes)), Scope: harmless(allOf(i.Scope)), Resource: harmless(allOf(i.Resource)),
	}
	if i.Signal == tapclient.Traces {
		f.Duration = max(i.Duration, 0)
	}
	if i.Signal == tapclient.Logs {
		f.Severity = items.Level(i.Severity)
	}
	return f
}

func harmless(attributes []attribute) map[string]string {
	m := make(map[string]string, len(attributes))
	for _, a := range attributes {
		m[format.Visible(a.key)] = format.Visible(a.value)
	}
	return m
}
