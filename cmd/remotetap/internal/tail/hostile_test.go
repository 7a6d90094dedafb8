package tail

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// attacks are texts that do something to terminals, or to who reads them there.
func attacks() map[string]string {
	return map[string]string{
		"clears the screen":           "\x1b[2J\x1b[H",
		"sets the window's title":     "\x1b]0;owned\x07",
		"puts into the clipboard":     "\x1b]52;c;cm0gLXJmIC8=\x07",
		"C1 controls":                 "\u009b31m\u0090\u009d",
		"writes over the line before": "\r\x1b[1A\x1b[2K15:04:05 all is well",
		"begins another line":         "fine\n15:04:06.000 span   payment  ok",
		"is read from right to left":  "\u202edenilced\u202c",
		"has no width":                "a\u200bb\u2060c\ufeffd",
		"is not UTF-8":                "a\xff\xfe\x9b31m",
		"tags":                        "\U000e0041\U000e0042",
		"backspaces":                  "ok\b\b\bno",
		"other line ends":             "a\u2028b\u2029c\u0085d\vx\fy",
		"marks upon marks":            "e" + strings.Repeat("\u0301", 10_000),
		"is as wide as a wall":        strings.Repeat("漢", 2_000),
		"tabs":                        strings.Repeat("\t", 50),
		"begins an escape at its end": "x\x1b",
	}
}

func attributesOf(text string, to pcommon.Map) {
	to.PutStr(text, text)
	to.PutStr("http.route", text)
	to.PutEmptyMap("nested").PutStr(text, text)
}

// hostile is telemetry in which all that can be a text is the given one.
func hostile(t *testing.T, text string) []*app.Batch {
	t.Helper()
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", text)
	rs.Resource().Attributes().PutStr("k8s.pod.name", text)
	attributesOf(text, rs.Resource().Attributes())
	ss := rs.ScopeSpans().AppendEmpty()
	attributesOf(text, ss.Scope().Attributes())
	span := ss.Spans().AppendEmpty()
	span.SetName(text)
	span.Status().SetMessage(text)
	span.Status().SetCode(ptrace.StatusCodeError)
	attributesOf(text, span.Attributes())

	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rs.Resource().Attributes().CopyTo(rl.Resource().Attributes())
	record := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.Body().SetStr(text)
	record.SetEventName(text)
	record.SetSeverityText(text)
	attributesOf(text, record.Attributes())

	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rs.Resource().Attributes().CopyTo(rm.Resource().Attributes())
	metric := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	metric.SetName(text)
	metric.SetUnit(text)
	metric.SetDescription(text)
	attributesOf(text, metric.SetEmptyGauge().DataPoints().AppendEmpty().Attributes())

	batches := []*app.Batch{batch(t, td), batch(t, ld), batch(t, md)}
	for _, b := range batches {
		b.From, b.Point = text, "remote_tap/"+text
	}
	return batches
}

// sgr are the colours that are our own.
func sgr() *regexp.Regexp { return regexp.MustCompile(`\x1b\[[0-9;]*m`) }

// assertHarmless sees that a text holds nothing that a terminal obeys but the ends of lines and, in
// colour, our own colours.
func assertHarmless(t *testing.T, out string, colour bool) {
	t.Helper()
	if colour {
		out = sgr().ReplaceAllString(out, "")
	}
	assert.True(t, utf8.ValidString(out))
	for _, r := range out {
		if r == '\n' || r == '…' {
			continue
		}
		if unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			t.Fatalf("%+q reaches the terminal in %.200q", r, out)
		}
	}
}

func TestWhatTelemetryHoldsIsNeverObeyedByATerminal(t *testing.T) {
	const everything = `template={{.Service}} {{.Name}} {{.Body}} {{.StatusMessage}} {{.SeverityText}} {{.Unit}} {{.Value}} {{.From}} {{.Point}} ` +
		`{{.Attributes}} {{.Scope}} {{.Resource}} {{attr "http.route"}} {{attr "nested"}} {{json .}} {{printf "%s %q" .Name .Name}} {{cut 9 .Name}} {{pad 20 .Name}}`
	for name, text := range attacks() {
		t.Run(name, func(t *testing.T) {
			for _, width := range []int{0, 40, 60, 80, 120} {
				for _, colour := range []bool{false, true} {
					screen := terminal.Terminal{Color: colour}
					asTemplate, err := newTemplate(strings.TrimPrefix(everything, templateOutput))
					require.NoError(t, err)
					lines := newLines(screen, func() int { return width }, true)
					lines.hear(&tapclient.Stats{Points: []string{text, text + "b"}})
					for output, p := range map[string]printer{"text": lines, "wide": &wide{screen: screen}, "template": asTemplate} {
						for _, b := range hostile(t, text) {
							out, err := p.print(nil, b)
							require.NoError(t, err)
							assertHarmless(t, string(out), colour)
							assert.Equal(t, 1, strings.Count(string(out), "\n"), "%s: an item is a line", output)
							if output == "text" && width > 0 {
								assert.LessOrEqual(t, ansi.StringWidth(strings.TrimRight(string(out), "\n")), width)
							}
						}
					}
				}
			}
		})
	}
}

func TestJSONHasTheTextsAsTheyAreAndStillHarmless(t *testing.T) {
	for name, text := range attacks() {
		t.Run(name, func(t *testing.T) {
			for _, p := range []printer{newDocuments(jsonItems), newDocuments(otlpDocuments)} {
				for _, b := range hostile(t, text) {
					out, err := p.print(nil, b)
					require.NoError(t, err)
					assertHarmless(t, string(out), false)
					require.True(t, json.Valid(out), "%s", out)
				}
			}
			out, err := newDocuments(jsonItems).print(nil, hostile(t, text)[0])
			require.NoError(t, err)
			var item struct{ Name, Service string }
			require.NoError(t, json.Unmarshal(out, &item))
			assert.Equal(t, string([]rune(text)), item.Name, "each byte that is not UTF-8 is U+FFFD")
		})
	}
}
