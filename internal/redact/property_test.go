package redact

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

var secret = []byte("0123456789abcdef0123456789abcdef")

func compiled(t testing.TB, keys, values []string, mode Mode) *Rules {
	t.Helper()
	rules, err := Compile(keys, values, string(mode), secret)
	require.NoError(t, err)
	return rules
}

// modes are all of them, with keys, with values, and with both.
func configurations(t testing.TB) []*Rules {
	t.Helper()
	var all []*Rules
	for _, mode := range []Mode{Mask, Hash, Drop} {
		all = append(all, compiled(t, testKeys, testValues, mode), compiled(t, testKeys, nil, mode), compiled(t, nil, testValues, mode))
	}
	return all
}

// requireSame fails if the redaction of a document that pdata wrote is not what redacting pdata gives.
func requireSame(t testing.TB, ref reference, rules *Rules, proto []byte) {
	t.Helper()
	proto = ref.mustNormal(t, proto)
	before := slices.Clone(proto)
	doc, changed, err := NewRedactor(rules).Redact(ref.signal, proto, nil)
	require.NoError(t, err)
	require.True(t, bytes.Equal(before, proto), "the input was changed")
	require.Equal(t, changed, !bytes.Equal(doc, proto))
	want := ref.redacted(t, NewRedactor(rules), proto)
	got := ref.mustNormal(t, doc)
	if ref.signal != otlp.Profiles {
		want, got = withoutDoubles(ref.signal.Message(), want), withoutDoubles(ref.signal.Message(), got)
	}
	if !bytes.Equal(want, got) {
		require.JSONEq(t, ref.json(t, want), ref.json(t, got))
		require.Fail(t, "the documents differ")
	}
}

// FuzzBytesAndPdataAgree compares the redaction of bytes with that of pdata, over random documents.
func FuzzBytesAndPdataAgree(f *testing.F) {
	for seed := range uint64(160) {
		f.Add(seed, byte(seed%otlp.NumSignals), seed%3 == 0)
	}
	refs, all := references(), configurations(f)
	f.Fuzz(func(t *testing.T, seed uint64, signal byte, odd bool) {
		ref := refs[signal%otlp.NumSignals]
		proto := newGenerator(seed, odd).document(ref.signal)
		for _, rules := range all {
			requireSame(t, ref, rules, proto)
		}
	})
}

// requireHidden fails if there is anything left in a document that the rules hide, or that nobody knows.
func requireHidden(t testing.TB, rules *Rules, m *otlp.Message, doc []byte) {
	t.Helper()
	if rules.hidesKeys() {
		require.NotContains(t, string(doc), planted)
	}
	requireTexts(t, rules, m, doc)
}

// requireTexts fails if a value pattern matches in a text of a document, or if there is something that nobody knows.
func requireTexts(t testing.TB, rules *Rules, m *otlp.Message, doc []byte) {
	t.Helper()
	eachField(m, doc, func(f *otlp.Field, _, content []byte) {
		require.NotNil(t, f, "an unknown field of %s", m.Name)
		switch f.Kind { //nolint:exhaustive // the others are no texts
		case otlp.KindMessage:
			requireTexts(t, rules, f.Message, content)
		case otlp.KindString, otlp.KindBytes:
			for _, p := range rules.patterns {
				require.False(t, p.expression.Match(content), "%s.%s is %q", m.Name, f.Name, content)
			}
			require.False(t, m.ID == otlp.Profile && f.Kind == otlp.KindBytes && len(content) > 0, "an original payload")
		}
	})
}

// FuzzNothingHiddenSurvives plants secrets in random documents of whatever form protobuf allows, and looks for them.
func FuzzNothingHiddenSurvives(f *testing.F) {
	for seed := range uint64(160) {
		f.Add(seed, byte(seed%otlp.NumSignals), seed%3 > 0)
	}
	refs, all := references(), configurations(f)
	f.Fuzz(func(t *testing.T, seed uint64, signal byte, strange bool) {
		ref := refs[signal%otlp.NumSignals]
		g := newGenerator(seed, true)
		g.strange = strange
		proto := g.document(ref.signal)
		for _, rules := range all {
			doc, _, err := NewRedactor(rules).Redact(ref.signal, proto, nil)
			require.NoError(t, err)
			requireHidden(t, rules, ref.signal.Message(), doc)
			if !strange {
				ref.mustNormal(t, doc)
			}
		}
	})
}

// FuzzArbitraryBytes takes any bytes as a document: the redaction is one in which nothing is left to hide, or an error.
func FuzzArbitraryBytes(f *testing.F) {
	for seed := range uint64(40) {
		for signal := range otlp.NumSignals {
			f.Add(newGenerator(seed, seed%2 == 0).document(otlp.Signal(signal)), byte(signal))
		}
	}
	refs, all := references(), configurations(f)
	f.Fuzz(func(t *testing.T, proto []byte, signal byte) {
		ref := refs[signal%otlp.NumSignals]
		before := slices.Clone(proto)
		for _, rules := range all {
			doc, changed, err := NewRedactor(rules).Redact(ref.signal, proto, nil)
			require.True(t, bytes.Equal(before, proto), "the input was changed")
			if err != nil {
				require.Nil(t, doc)
				continue
			}
			requireTexts(t, rules, ref.signal.Message(), doc)
			if _, ok := ref.normal(proto); ok && !changed {
				require.True(t, bytes.Equal(proto, doc))
			}
			again, changed, err := NewRedactor(rules).Redact(ref.signal, doc, nil)
			require.NoError(t, err, "a redacted document can be redacted")
			requireTexts(t, rules, ref.signal.Message(), again)
			require.True(t, changed || bytes.Equal(doc, again))
		}
	})
}
