package format

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTheDocumentedExamplesAreReal renders testdata/examples and looks for each message in docs/formats.md.
func TestTheDocumentedExamplesAreReal(t *testing.T) {
	docs, err := os.ReadFile(filepath.Join("..", "..", "docs", "formats.md"))
	require.NoError(t, err)
	lines := map[string]bool{}
	for line := range bytes.Lines(docs) {
		lines[string(bytes.TrimSuffix(line, []byte("\n")))] = true
	}
	var s protoStamp
	s.set("remote_tap", passed)
	for _, part := range []string{"c2 3e 17 ", "0a 0a 72 65 6d 6f 74 65 5f 74 61 70 ", "11 05 ca c4 71 fe 9c 97 17 ", "18 0c "} {
		assert.Contains(t, string(docs), part)
		envelope := fmt.Sprintf("% x ", s.append(nil, 12))
		assert.Contains(t, envelope, part)
	}
	for _, ref := range references() {
		source, err := os.ReadFile(filepath.Join("testdata", "examples", ref.signal.String()+".json"))
		require.NoError(t, err)
		for _, f := range []Format{Text, JSON, OTLPJSON} {
			messages, _ := render(t, f, Options{MaxMessage: 65536, Envelope: true}, ref.signal, ref.fromJSON(t, source))
			for _, m := range messages {
				if f == OTLPJSON && !bytes.Contains(m.text, []byte("resourceLogs")) {
					continue // one is enough
				}
				assert.True(t, lines[string(m.text)], "docs/formats.md has no line\n%s", m.text)
			}
		}
	}
}
