package tail

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
)

// BenchmarkPrint prints batches of 1000 spans: ns/span times spans a second is the share of a core.
func BenchmarkPrint(b *testing.B) {
	data := batch(b, today().Traces(0, 250))
	asTemplate, err := newTemplate(`{{clock .Time}} {{.Service}} {{.Name}} {{attr "http.route"}}`)
	require.NoError(b, err)
	for name, p := range map[string]printer{
		"text":     newLines(terminal.Terminal{}, func() int { return 120 }, false),
		"wide":     &wide{},
		"json":     newDocuments(jsonItems),
		"otlp":     newDocuments(otlpDocuments),
		"template": asTemplate,
	} {
		b.Run(name, func(b *testing.B) {
			var out []byte
			for b.Loop() {
				var err error
				out, err = p.print(out[:0], data)
				require.NoError(b, err)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/span")
		})
	}
}
