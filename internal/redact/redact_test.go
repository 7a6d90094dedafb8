package redact

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// record is a document of one log record, whose fields are written as JSON.
func record(fields string) string {
	return `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{` + fields + `}]}]}]}`
}

// redactJSON redacts a document that is written as OTLP/JSON, by way of bytes and by way of pdata, which must agree.
func redactJSON(t testing.TB, rules *Rules, signal otlp.Signal, doc string) string {
	t.Helper()
	ref := references()[signal]
	proto := ref.fromJSON(t, doc)
	requireSame(t, ref, rules, proto)
	redacted, _, err := NewRedactor(rules).Redact(signal, proto, nil)
	require.NoError(t, err)
	return ref.json(t, redacted)
}

// requireJSON compares documents with what pdata writes of `want`, which says what it leaves out.
func requireJSON(t testing.TB, signal otlp.Signal, want, got string) {
	t.Helper()
	ref := references()[signal]
	require.JSONEq(t, ref.json(t, ref.fromJSON(t, want)), got)
}

func TestKeysHideValues(t *testing.T) {
	for name, c := range map[string]struct {
		keys             []string
		in               string // the fields of a log record
		mask, hash, drop string
	}{
		"a text": {
			keys: []string{"*password*"},
			in:   `"attributes":[{"key":"a","value":{"stringValue":"b"}},{"key":"db.Password","value":{"stringValue":"joe@example.org"}}]`,
			mask: `"attributes":[{"key":"a","value":{"stringValue":"b"}},{"key":"db.Password","value":{"stringValue":"****"}}]`,
			hash: `"attributes":[{"key":"a","value":{"stringValue":"b"}},{"key":"db.Password","value":{"stringValue":"hmac:8bd8e89db955d877"}}]`,
			drop: `"attributes":[{"key":"a","value":{"stringValue":"b"}}]`,
		},
		"numbers and truth values, hashed as their text": {
			keys: []string{"?"},
			in:   `"attributes":[{"key":"i","value":{"intValue":5}},{"key":"d","value":{"doubleValue":5}},{"key":"f","value":{"doubleValue":0.5}},{"key":"b","value":{"boolValue":true}},{"key":"s","value":{"stringValue":"5"}}]`,
			mask: `"attributes":[{"key":"i","value":{"stringValue":"****"}},{"key":"d","value":{"stringValue":"****"}},{"key":"f","value":{"stringValue":"****"}},{"key":"b","value":{"stringValue":"****"}},{"key":"s","value":{"stringValue":"****"}}]`,
			hash: `"attributes":[{"key":"i","value":{"stringValue":"hmac:4afebc3e3a28b434"}},{"key":"d","value":{"stringValue":"hmac:4afebc3e3a28b434"}},{"key":"f","value":{"stringValue":"hmac:b86375a7840c8543"}},{"key":"b","value":{"stringValue":"hmac:2ebc4929adf1d9e0"}},{"key":"s","value":{"stringValue":"hmac:4afebc3e3a28b434"}}]`,
			drop: `"attributes":[]`,
		},
		"bytes, hashed as the text that they are, and no value at all": {
			keys: []string{"*"},
			in:   `"attributes":[{"key":"b","value":{"bytesValue":"NQ=="}},{"key":"n","value":{}},{"key":"e","value":{"stringValue":""}}]`,
			mask: `"attributes":[{"key":"b","value":{"stringValue":"****"}},{"key":"n","value":{"stringValue":"****"}},{"key":"e","value":{"stringValue":"****"}}]`,
			hash: `"attributes":[{"key":"b","value":{"stringValue":"hmac:4afebc3e3a28b434"}},{"key":"n","value":{"stringValue":"hmac:796cd3078af14636"}},{"key":"e","value":{"stringValue":"hmac:796cd3078af14636"}}]`,
			drop: `"attributes":[]`,
		},
		"an entry of a map, and one of a map in a list in a map": {
			keys: []string{"secret"},
			in:   `"attributes":[{"key":"m","value":{"kvlistValue":{"values":[{"key":"secret","value":{"intValue":5}},{"key":"l","value":{"arrayValue":{"values":[{"kvlistValue":{"values":[{"key":"SECRET","value":{"boolValue":true}},{"key":"x","value":{"intValue":1}}]}},{"intValue":7}]}}}]}}}]`,
			mask: `"attributes":[{"key":"m","value":{"kvlistValue":{"values":[{"key":"secret","value":{"stringValue":"****"}},{"key":"l","value":{"arrayValue":{"values":[{"kvlistValue":{"values":[{"key":"SECRET","value":{"stringValue":"****"}},{"key":"x","value":{"intValue":1}}]}},{"intValue":7}]}}}]}}}]`,
			hash: `"attributes":[{"key":"m","value":{"kvlistValue":{"values":[{"key":"secret","value":{"stringValue":"hmac:4afebc3e3a28b434"}},{"key":"l","value":{"arrayValue":{"values":[{"kvlistValue":{"values":[{"key":"SECRET","value":{"stringValue":"hmac:2ebc4929adf1d9e0"}},{"key":"x","value":{"intValue":1}}]}},{"intValue":7}]}}}]}}}]`,
			drop: `"attributes":[{"key":"m","value":{"kvlistValue":{"values":[{"key":"l","value":{"arrayValue":{"values":[{"kvlistValue":{"values":[{"key":"x","value":{"intValue":1}}]}},{"intValue":7}]}}}]}}}]`,
		},
		"a key with those around it, from any of them on, but no flat key's end": {
			keys: []string{"headers.authorization"},
			in:   `"body":{"kvlistValue":{"values":[{"key":"request","value":{"kvlistValue":{"values":[{"key":"Headers","value":{"kvlistValue":{"values":[{"key":"Authorization","value":{"intValue":5}}]}}}]}}}]}},"attributes":[{"key":"authorization","value":{"intValue":1}},{"key":"x.headers.authorization","value":{"intValue":1}},{"key":"headers.authorization","value":{"intValue":5}}]`,
			mask: `"body":{"kvlistValue":{"values":[{"key":"request","value":{"kvlistValue":{"values":[{"key":"Headers","value":{"kvlistValue":{"values":[{"key":"Authorization","value":{"stringValue":"****"}}]}}}]}}}]}},"attributes":[{"key":"authorization","value":{"intValue":1}},{"key":"x.headers.authorization","value":{"intValue":1}},{"key":"headers.authorization","value":{"stringValue":"****"}}]`,
			hash: `"body":{"kvlistValue":{"values":[{"key":"request","value":{"kvlistValue":{"values":[{"key":"Headers","value":{"kvlistValue":{"values":[{"key":"Authorization","value":{"stringValue":"hmac:4afebc3e3a28b434"}}]}}}]}}}]}},"attributes":[{"key":"authorization","value":{"intValue":1}},{"key":"x.headers.authorization","value":{"intValue":1}},{"key":"headers.authorization","value":{"stringValue":"hmac:4afebc3e3a28b434"}}]`,
			drop: `"body":{"kvlistValue":{"values":[{"key":"request","value":{"kvlistValue":{"values":[{"key":"Headers","value":{"kvlistValue":{}}}]}}}]}},"attributes":[{"key":"authorization","value":{"intValue":1}},{"key":"x.headers.authorization","value":{"intValue":1}}]`,
		},
		"a map as a whole, with its keys": {
			keys: []string{"session"},
			in:   `"attributes":[{"key":"session","value":{"kvlistValue":{"values":[{"key":"joe@example.org","value":{"intValue":1}}]}}}]`,
			mask: `"attributes":[{"key":"session","value":{"stringValue":"****"}}]`,
			hash: `"attributes":[{"key":"session","value":{"stringValue":"hmac:26b7757de173bf1c"}}]`,
			drop: `"attributes":[]`,
		},
		"no body, which has no key": {
			keys: []string{"body"},
			in:   `"body":{"stringValue":"body"}`,
			mask: `"body":{"stringValue":"body"}`,
			hash: `"body":{"stringValue":"body"}`,
			drop: `"body":{"stringValue":"body"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			for mode, want := range map[Mode]string{Mask: c.mask, Hash: c.hash, Drop: c.drop} {
				got := redactJSON(t, compiled(t, c.keys, nil, mode), otlp.Logs, record(c.in))
				requireJSON(t, otlp.Logs, record(want), got)
			}
		})
	}
}

func TestPatternsHideParts(t *testing.T) {
	for name, c := range map[string]struct {
		in               string // the fields of a log record
		mask, hash, drop string
	}{
		"a part of a body": {
			in:   `"body":{"stringValue":"hi joe@example.org!"}`,
			mask: `"body":{"stringValue":"hi ****!"}`,
			hash: `"body":{"stringValue":"hi hmac:8bd8e89db955d877!"}`,
			drop: `"body":{}`,
		},
		"a part of an attribute": {
			in:   `"attributes":[{"key":"a","value":{"stringValue":"joe@example.org"}},{"key":"b","value":{"stringValue":"x"}}]`,
			mask: `"attributes":[{"key":"a","value":{"stringValue":"****"}},{"key":"b","value":{"stringValue":"x"}}]`,
			hash: `"attributes":[{"key":"a","value":{"stringValue":"hmac:8bd8e89db955d877"}},{"key":"b","value":{"stringValue":"x"}}]`,
			drop: `"attributes":[{"key":"b","value":{"stringValue":"x"}}]`,
		},
		"bytes that stay bytes": {
			in:   `"body":{"bytesValue":"AGpvZUBleGFtcGxlLm9yZ/8="}`,
			mask: `"body":{"bytesValue":"ACoqKir/"}`,
			hash: `"body":{"bytesValue":"AGhtYWM6OGJkOGU4OWRiOTU1ZDg3N/8="}`,
			drop: `"body":{}`,
		},
		"an element of a list": {
			in:   `"body":{"arrayValue":{"values":[{"stringValue":"a"},{"stringValue":"joe@example.org"},{"intValue":3}]}}`,
			mask: `"body":{"arrayValue":{"values":[{"stringValue":"a"},{"stringValue":"****"},{"intValue":3}]}}`,
			hash: `"body":{"arrayValue":{"values":[{"stringValue":"a"},{"stringValue":"hmac:8bd8e89db955d877"},{"intValue":3}]}}`,
			drop: `"body":{"arrayValue":{"values":[{"stringValue":"a"},{"intValue":3}]}}`,
		},
		"the only entry of a map in a map": {
			in:   `"body":{"kvlistValue":{"values":[{"key":"m","value":{"kvlistValue":{"values":[{"key":"k","value":{"stringValue":"joe@example.org"}}]}}}]}}`,
			mask: `"body":{"kvlistValue":{"values":[{"key":"m","value":{"kvlistValue":{"values":[{"key":"k","value":{"stringValue":"****"}}]}}}]}}`,
			hash: `"body":{"kvlistValue":{"values":[{"key":"m","value":{"kvlistValue":{"values":[{"key":"k","value":{"stringValue":"hmac:8bd8e89db955d877"}}]}}}]}}`,
			drop: `"body":{"kvlistValue":{"values":[{"key":"m","value":{"kvlistValue":{}}}]}}`,
		},
		"a part of a key": {
			in:   `"attributes":[{"key":"quota.joe@example","value":{"intValue":1}},{"key":"z","value":{"intValue":2}}]`,
			mask: `"attributes":[{"key":"****","value":{"intValue":1}},{"key":"z","value":{"intValue":2}}]`,
			hash: `"attributes":[{"key":"hmac:fbdc8e72ff55a5eb","value":{"intValue":1}},{"key":"z","value":{"intValue":2}}]`,
			drop: `"attributes":[{"key":"z","value":{"intValue":2}}]`,
		},
		"names, of which nothing else is left": {
			in:   `"eventName":"mail to joe@example.org","severityText":"joe@example.org"`,
			mask: `"eventName":"mail to ****","severityText":"****"`,
			hash: `"eventName":"mail to hmac:8bd8e89db955d877","severityText":"hmac:8bd8e89db955d877"`,
			drop: `"eventName":"","severityText":""`,
		},
		"no numbers": {
			in:   `"body":{"intValue":12345}`,
			mask: `"body":{"intValue":12345}`,
			hash: `"body":{"intValue":12345}`,
			drop: `"body":{"intValue":12345}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			for mode, want := range map[Mode]string{Mask: c.mask, Hash: c.hash, Drop: c.drop} {
				got := redactJSON(t, compiled(t, nil, []string{`[a-z.]+@[a-z]+(\.[a-z]+)?`, `[0-9]{5}`}, mode), otlp.Logs, record(c.in))
				requireJSON(t, otlp.Logs, record(want), got)
			}
		})
	}
}

func TestKeysAndPatternsHideTogether(t *testing.T) {
	in := record(`"attributes":[{"key":"password.of.joe@example.org","value":{"intValue":1}},{"key":"b","value":{"stringValue":"joe@example.org"}}]`)
	for mode, want := range map[Mode]string{
		Mask: `"attributes":[{"key":"password.of.****","value":{"stringValue":"****"}},{"key":"b","value":{"stringValue":"****"}}]`,
		Drop: ``,
	} {
		rules := compiled(t, []string{"password*"}, []string{`[a-z]+@[a-z.]+`}, mode)
		requireJSON(t, otlp.Logs, record(want), redactJSON(t, rules, otlp.Logs, in))
	}
}

// TestEveryTextIsCovered redacts documents in which every field of every message is set, each text has a secret, and
// each list of attributes has one to hide.
func TestEveryTextIsCovered(t *testing.T) {
	for _, ref := range references() {
		for member := range 5 { // metrics have five types
			doc := fullMessage(ref.signal.Message(), member)
			for _, mode := range []Mode{Mask, Hash, Drop} {
				rules := compiled(t, []string{"hidden"}, []string{"sk_[0-9]+"}, mode)
				redacted, changed, err := NewRedactor(rules).Redact(ref.signal, doc, nil)
				require.NoError(t, err)
				assert.True(t, changed)
				requireHidden(t, rules, ref.signal.Message(), redacted)
				assert.NotContains(t, string(redacted), "sk_")
				assert.Equal(t, mode == Mask, strings.Contains(string(redacted), "a **** b"))
			}
		}
	}
}

// fullMessage makes a message with every field that is no number, and one member of each oneof.
func fullMessage(m *otlp.Message, member int) []byte {
	const text = "a sk_1 b"
	var out []byte
	members := 0
	for i := range m.Fields {
		f := &m.Fields[i]
		number := protowire.Number(f.Number)
		if f.Oneof {
			if members++; members-1 != member && m.ID != otlp.AnyValue || m.ID == otlp.AnyValue && i != valueString {
				continue
			}
		}
		switch {
		case f.Name == "stringTable":
			for _, s := range []string{"", "hidden", text} {
				out = appendField(out, number, []byte(s))
			}
		case strings.HasSuffix(f.Name, "Strindex"):
			index := uint64(2)
			if f.Name == "keyStrindex" {
				index = 1
			}
			out = protowire.AppendVarint(protowire.AppendTag(out, number, protowire.VarintType), index)
		case f.Kind == otlp.KindMessage && f.Message.ID == otlp.KeyValue:
			for key, value := range map[string]string{"hidden": planted, "shown": text} {
				out = appendField(out, number, appendField(appendField(nil, 1, []byte(key)), 2, appendField(nil, 1, []byte(value))))
			}
		case f.Kind == otlp.KindMessage:
			out = appendField(out, number, appendField(fullMessage(f.Message, member), 2000, []byte(planted+text)))
		case f.Kind == otlp.KindString || f.Kind == otlp.KindBytes:
			out = appendField(out, number, []byte(text))
		}
	}
	return out
}

func TestAnUnchangedDocumentIsItself(t *testing.T) {
	for _, ref := range references() {
		proto := ref.mustNormal(t, newGenerator(3, false).document(ref.signal))
		for _, rules := range []*Rules{nil, compiled(t, nil, nil, Mask), compiled(t, []string{"not-there"}, []string{"not there"}, Drop)} {
			if ref.signal == otlp.Profiles && !rules.Empty() {
				continue // they have strings that nothing refers to
			}
			doc, changed, err := NewRedactor(rules).Redact(ref.signal, proto, []byte("dst"))
			require.NoError(t, err)
			assert.False(t, changed)
			require.NotEmpty(t, doc)
			assert.Same(t, &proto[0], &doc[0])
			assert.Len(t, doc, len(proto))
		}
	}
}

func TestARedactedDocumentIsAppended(t *testing.T) {
	ref := references()[otlp.Logs]
	proto := ref.fromJSON(t, record(`"body":{"stringValue":"sk_1"}`))
	r := NewRedactor(compiled(t, nil, []string{"sk_1"}, Mask))
	alone, changed, err := r.Redact(otlp.Logs, proto, nil)
	require.NoError(t, err)
	assert.True(t, changed)
	behind, _, err := r.Redact(otlp.Logs, proto, []byte("before:"))
	require.NoError(t, err)
	assert.Equal(t, "before:"+string(alone), string(behind))
}

func TestARedactorForgetsTheDocumentBefore(t *testing.T) {
	rules := compiled(t, testKeys, testValues, Hash)
	shared := NewRedactor(rules)
	for seed := range uint64(200) {
		signal := otlp.Signal(seed % otlp.NumSignals)
		proto := newGenerator(seed, true).document(signal)
		if seed%3 == 0 {
			proto = proto[:len(proto)/2] // often malformed
		}
		want, _, wantErr := NewRedactor(rules).Redact(signal, proto, nil)
		got, _, err := shared.Redact(signal, proto, nil)
		require.Equal(t, wantErr, err)
		require.Equal(t, want, got)
	}
}

func TestDepthIsBounded(t *testing.T) {
	for _, container := range []string{`{"arrayValue":{"values":[VALUE]}}`, `{"kvlistValue":{"values":[{"key":"k","value":VALUE}]}}`} {
		value := func(n int, inner string) string {
			for range n {
				inner = strings.Replace(container, "VALUE", inner, 1)
			}
			return inner
		}
		nested := func(n int, inner string) string { return record(`"body":` + value(n, inner)) }
		rules := compiled(t, []string{"hidden"}, nil, Mask)
		requireJSON(t, otlp.Logs, nested(MaxDepth, `{"intValue":1}`), redactJSON(t, rules, otlp.Logs, nested(MaxDepth, `{"intValue":1}`)))
		requireJSON(t, otlp.Logs, nested(MaxDepth, `{"stringValue":"****"}`), redactJSON(t, rules, otlp.Logs, nested(MaxDepth+1, `{"intValue":1}`)))
		rules = compiled(t, []string{"hidden"}, nil, Drop)
		redacted := redactJSON(t, rules, otlp.Logs, nested(MaxDepth+1, `{"intValue":1}`))
		assert.NotContains(t, redacted, "intValue")

		// What is hidden with a hash is read to the same depth, by way of bytes and of pdata.
		rules = compiled(t, []string{"hidden"}, nil, Hash)
		hidden := func(depth int, inner string) string {
			return redactJSON(t, rules, otlp.Logs, record(`"attributes":[{"key":"hidden","value":`+value(depth, inner)+`}]`))
		}
		assert.NotEqual(t, hidden(MaxDepth, `{"intValue":1}`), hidden(MaxDepth, `{"intValue":2}`))
		assert.Equal(t, hidden(MaxDepth+1, `{"intValue":1}`), hidden(MaxDepth+1, `{"intValue":2}`))
	}
}

func TestDepthIsNotHowMuchThereIs(t *testing.T) {
	values := strings.Repeat(`{"kvlistValue":{"values":[{"key":"k","value":{"arrayValue":{"values":[{"intValue":1}]}}}]}},`, 3*MaxDepth)
	in := record(`"body":{"arrayValue":{"values":[` + strings.TrimSuffix(values, ",") + `]}}`)
	requireJSON(t, otlp.Logs, in, redactJSON(t, compiled(t, testKeys, testValues, Mask), otlp.Logs, in))
}

func TestGlobsFitPathsAcrossTheirDots(t *testing.T) {
	for glob, hidden := range map[string]bool{
		"a.b": true, "a?b": true, "*a*b": true, "a.*": true, "*.b": true, "A*B": true, "*a.b*": true, "b": true, "*b": true,
		"a": true, "a*": true, // the one above
		"ab": false, "a..b": false, "*.a": false, "b.*": false, "x.a.b": false, "*a.b.*": false,
	} {
		doc := `"attributes":[{"key":"a","value":{"kvlistValue":{"values":[{"key":"b","value":{"intValue":12345}}]}}}]`
		got := redactJSON(t, compiled(t, []string{glob}, nil, Mask), otlp.Logs, record(doc))
		assert.Equal(t, hidden, !strings.Contains(got, "12345"), glob)
	}
}

func TestPathsAreBounded(t *testing.T) {
	rules := compiled(t, []string{"a.b"}, nil, Mask)
	for size, want := range map[int]string{MaxPath - 2: `{"intValue":"1"}`, MaxPath - 1: `{"stringValue":"****"}`} {
		around := strings.Repeat("x", size)
		got := redactJSON(t, rules, otlp.Logs, record(`"attributes":[{"key":"`+around+`","value":{"kvlistValue":{"values":[{"key":"k","value":{"intValue":1}}]}}}]`))
		assert.Contains(t, got, `{"key":"k","value":`+want+`}`, "%d bytes", size)
		assert.True(t, json.Valid([]byte(got)))
	}
}

func TestMapsHashAlikeWhateverTheirOrder(t *testing.T) {
	rules := compiled(t, []string{"m?"}, nil, Hash)
	entry := func(key, values string) string {
		return `{"key":"` + key + `","value":{"kvlistValue":{"values":[` + values + `]}}}`
	}
	a, b, other := `{"key":"a","value":{"intValue":1}}`, `{"key":"b","value":{"intValue":2}}`, `{"key":"b","value":{"intValue":3}}`
	got := redactJSON(t, rules, otlp.Logs, record(`"attributes":[`+entry("m1", a+","+b)+","+entry("m2", b+","+a)+","+entry("m3", a+","+other)+`]`))
	var doc struct {
		ResourceLogs []struct {
			ScopeLogs []struct {
				LogRecords []struct {
					Attributes []struct{ Value struct{ StringValue string } }
				}
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(got), &doc))
	attributes := doc.ResourceLogs[0].ScopeLogs[0].LogRecords[0].Attributes
	assert.Equal(t, attributes[0].Value, attributes[1].Value)
	assert.NotEqual(t, attributes[0].Value, attributes[2].Value)
}

func TestNothingIsAllocatedInTheSteadyState(t *testing.T) {
	for _, batch := range benchBatches() {
		proto, err := batch.marshal()
		require.NoError(t, err)
		dst := make([]byte, 0, 2*len(proto))
		for _, rules := range []*Rules{
			compiled(t, []string{"user.login", "*password*", "a.b"}, []string{`[\w.+-]+@[\w-]+\.[\w.]+`, `\b[0-9]{13,16}\b`}, Mask),
			compiled(t, []string{"user.login"}, nil, Drop),
			compiled(t, []string{"user.login"}, nil, Hash),
		} {
			r := NewRedactor(rules)
			redact := func() { _, _, err = r.Redact(batch.signal, proto, dst) }
			redact()
			require.NoError(t, err)
			assert.Zero(t, testing.AllocsPerRun(20, redact), "%s", batch.signal)
		}
	}
}
