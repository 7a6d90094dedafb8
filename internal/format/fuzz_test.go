package format

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// requireEqualMeaning fails if the JSON made from a batch differs from what pdata makes of it: as JSON values, and as
// what pdata's JSON unmarshaler reads from both. pdata must accept the batch.
func requireEqualMeaning(t testing.TB, ref reference, batch []byte) {
	t.Helper()
	doc := whole(t, ref.signal, batch)
	require.Equal(t, ref.count(t, batch), doc.items)
	if ref.signal == otlp.Profiles {
		// Each time pdata marshals profiles it moves strings to the string table; its own JSON has been through
		// that once more than ours.
		want := ref.fromJSON(t, ref.json(t, batch))
		got := ref.normal(t, ref.fromJSON(t, doc.text))
		require.True(t, bytes.Equal(want, got), "%s", doc.text)
		return
	}
	want := ref.json(t, sanitize(ref.signal.Message(), ref.normal(t, batch)))
	require.Equal(t, parse(t, escapeForTerminals(want)), parse(t, doc.text))
	require.True(t, bytes.Equal(ref.fromJSON(t, want), ref.fromJSON(t, doc.text)), "ours: %s\npdata: %s", doc.text, want)
}

// escapeForTerminals writes a document of pdata's with the escapes that parse demands.
func escapeForTerminals(doc []byte) []byte {
	var out []byte
	for _, r := range string(doc) {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 {
			out = appendEscape(out, r)
		} else {
			out = append(out, string(r)...)
		}
	}
	return out
}

// FuzzOTLPJSONMeansWhatPdataMeans compares random batches that OTLP allows.
func FuzzOTLPJSONMeansWhatPdataMeans(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed, byte(seed%otlp.NumSignals), seed%3 == 0)
	}
	refs := references()
	f.Fuzz(func(t *testing.T, seed uint64, signal byte, plain bool) {
		ref := refs[signal%otlp.NumSignals]
		g := newGenerator(seed)
		g.plain, g.valid = plain, ref.signal == otlp.Profiles
		requireEqualMeaning(t, ref, g.message(ref.signal.Message(), 3))
	})
}

// FuzzOTLPJSONOfArbitraryBytes takes any bytes as a batch. What pdata accepts must have the same meaning; what it
// refuses must give documents or an error.
func FuzzOTLPJSONOfArbitraryBytes(f *testing.F) {
	for seed := range uint64(40) {
		for signal := range otlp.NumSignals {
			f.Add(newGenerator(seed).message(otlp.Signal(signal).Message(), 2), byte(signal), uint16(500))
		}
	}
	refs := references()
	f.Fuzz(func(t *testing.T, batch []byte, signal byte, maxMessage uint16) {
		ref := refs[signal%otlp.NumSignals]
		_, _, err := trySplit(ref.signal, batch, int(maxMessage), 1<<20)
		if !ref.accepts(batch) || hasOddities(ref.signal.Message(), batch, 0) {
			return
		}
		if ref.signal == otlp.Profiles && !bytes.Equal(sanitize(ref.signal.Message(), ref.normal(t, batch)), ref.normal(t, batch)) {
			return // the string table may have had strings that only invalid bytes told apart
		}
		require.NoError(t, err)
		requireEqualMeaning(t, ref, batch)
	})
}

// hasOddities reports whether a batch has what we treat differently from pdata on purpose: groups (pdata loses track
// of where they end), the scopes of OTLP before 0.15, and values nested too deep.
func hasOddities(m *otlp.Message, data []byte, depth int) bool {
	if m.ID == otlp.AnyValue {
		depth++
	}
	if depth > MaxDepth {
		return true
	}
	for len(data) > 0 {
		number, wire, next := otlp.Tag(data, 0)
		end := otlp.Skip(data, max(0, next), wire)
		if next < 0 || end < 0 || wire == otlp.WireStartGroup || number == 1000 {
			return true
		}
		if f := m.FieldByNumber(number); f != nil && f.Kind == otlp.KindMessage {
			content, _ := protowire.ConsumeBytes(data[next:])
			if hasOddities(f.Message, content, depth) {
				return true
			}
		}
		data = data[end:]
	}
	return false
}

// FuzzSplit compares the documents of a random batch with the one document it would be without a limit.
func FuzzSplit(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed, byte(seed%otlp.NumSignals), uint16(seed*37%3000), uint16(seed*91%5000))
	}
	refs := references()
	f.Fuzz(func(t *testing.T, seed uint64, signal byte, maxMessage, hardLimit uint16) {
		ref := refs[signal%otlp.NumSignals]
		batch := newGenerator(seed).message(ref.signal.Message(), 2)
		docs, tooLarge := split(t, ref.signal, batch, int(maxMessage), 0)
		require.Zero(t, tooLarge)
		requireSameAtoms(t, ref, batch, docs, int(maxMessage))
		requireHardLimit(t, ref, batch, int(maxMessage), int(hardLimit))
	})
}

// requireSameAtoms fails if docs do not hold the atoms of a batch, each once and in order, or are larger than need be.
func requireSameAtoms(t testing.TB, ref reference, batch []byte, docs []document, maxMessage int) {
	t.Helper()
	m := ref.signal.Message()
	single := whole(t, ref.signal, batch)
	want := atoms(t, m, parse(t, single.text), "")
	if !ref.signal.Splits() || maxMessage == 0 || len(single.text) <= maxMessage {
		require.Equal(t, []document{single}, docs)
		return
	}
	var got []string
	items := 0
	for _, d := range docs {
		in := atoms(t, m, parse(t, d.text), "")
		require.True(t, len(d.text) <= maxMessage || len(in) == 1, "%d bytes, %d atoms: %s", len(d.text), len(in), d.text)
		require.Equal(t, ref.count(t, ref.fromJSON(t, d.text)), d.items)
		got = append(got, in...)
		items += d.items
	}
	require.Equal(t, want, got)
	require.Equal(t, ref.count(t, batch), items)
}

// requireHardLimit fails if a document is larger than the hard limit, or if items are lost without being counted.
func requireHardLimit(t testing.TB, ref reference, batch []byte, maxMessage, hardLimit int) {
	t.Helper()
	docs, tooLarge := split(t, ref.signal, batch, maxMessage, hardLimit)
	items := 0
	for _, d := range docs {
		require.True(t, json.Valid(d.text), "%s", d.text)
		require.True(t, hardLimit == 0 || maxMessage > hardLimit || maxMessage == 0 || len(d.text) <= hardLimit)
		items += d.items
	}
	require.Equal(t, ref.count(t, batch), items+tooLarge)
}
