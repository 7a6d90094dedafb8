package redact

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// fields puts fields together.
func fields(parts ...[]byte) []byte { return slices.Concat(parts...) }

// text is a field that is a text or a message.
func text(number protowire.Number, content string) []byte {
	return appendField(nil, number, []byte(content))
}

func varint(number protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), v)
}

func message(number protowire.Number, parts ...[]byte) []byte {
	return appendField(nil, number, fields(parts...))
}

// inRecord makes a document of one log record.
func inRecord(parts ...[]byte) []byte { return message(1, message(2, message(2, parts...))) }

const attributesOfRecord, bodyOfRecord = 6, 5

func TestAnyFormThatProtobufAllows(t *testing.T) {
	rules := compiled(t, []string{"password"}, []string{"sk_[0-9]+"}, Mask)
	masked := text(2, "\x0a\x04****")
	for name, c := range map[string]struct{ in, want []byte }{
		"a key before its value": {
			inRecord(message(attributesOfRecord, text(1, "password"), message(2, text(1, "x")))),
			inRecord(message(attributesOfRecord, masked, text(1, "password"))),
		},
		"a key before a value in which a pattern matches": {
			inRecord(message(attributesOfRecord, text(1, "a"), message(2, text(1, "sk_1")))),
			inRecord(message(attributesOfRecord, text(1, "a"), message(2, text(1, "****")))),
		},
		"a hidden key without a value": {
			inRecord(message(attributesOfRecord, text(1, "password"))),
			inRecord(message(attributesOfRecord, masked, text(1, "password"))),
		},
		"a value in two parts": {
			inRecord(message(attributesOfRecord, message(2, text(1, "x")), text(1, "password"), message(2, varint(3, 5)))),
			inRecord(message(attributesOfRecord, masked, text(1, "password"))),
		},
		"a text that a number replaces": {
			inRecord(message(bodyOfRecord, text(1, "sk_1"), varint(3, 5))),
			inRecord(message(bodyOfRecord, text(1, "****"), varint(3, 5))),
		},
		"a text that is sent twice": {
			inRecord(message(bodyOfRecord, text(1, "sk_1"), text(1, "sk_2!"))),
			inRecord(message(bodyOfRecord, text(1, "****"), text(1, "****!"))),
		},
		"two different keys, whichever a reader takes": {
			inRecord(message(attributesOfRecord, message(2, text(1, "x")), text(1, "a"), text(1, "b"))),
			inRecord(message(attributesOfRecord, masked, text(1, "a"), text(1, "b"))),
		},
		"the same key twice": {
			inRecord(message(attributesOfRecord, message(2, text(1, "x")), text(1, "a"), text(1, "a"))),
			inRecord(message(attributesOfRecord, message(2, text(1, "x")), text(1, "a"), text(1, "a"))),
		},
		"a key that is an index, in a signal without strings": {
			inRecord(message(attributesOfRecord, varint(3, 1), message(2, varint(8, 1), text(1, "sk_1")))),
			inRecord(message(attributesOfRecord, varint(3, 1), message(2, varint(8, 1), text(1, "****")))),
		},
		"unknown fields of all types": {
			inRecord(text(99, "x"), varint(98, 1), protowire.AppendFixed32(protowire.AppendTag(nil, 97, protowire.Fixed32Type), 7), message(bodyOfRecord, text(1, "x"), text(50, "y"))),
			inRecord(message(bodyOfRecord, text(1, "x"))),
		},
		"an unknown group": {
			inRecord(protowire.AppendTag(nil, 90, protowire.StartGroupType), text(1, "sk_1"), protowire.AppendTag(nil, 90, protowire.EndGroupType), message(bodyOfRecord, text(1, "x"))),
			inRecord(message(bodyOfRecord, text(1, "x"))),
		},
		"the scopes of OTLP before 0.15": {
			message(1, message(1000, text(1, "x")), message(2, message(2, text(3, "INFO")))),
			message(1, message(2, message(2, text(3, "INFO")))),
		},
		"a length that is longer than need be": {
			inRecord([]byte{bodyOfRecord<<3 | 2, 0x86, 0x80, 0x00, 0x0a, 0x04, 's', 'k', '_', '1'}),
			inRecord(message(bodyOfRecord, text(1, "****"))),
		},
		"a tag that is longer than need be": {
			inRecord([]byte{bodyOfRecord<<3 | 2 | 0x80, 0x00, 0x06, 0x0a, 0x04, 's', 'k', '_', '1'}),
			inRecord([]byte{bodyOfRecord<<3 | 2 | 0x80, 0x00, 0x06, 0x0a, 0x04, '*', '*', '*', '*'}),
		},
		"a text whose length needs another byte": {
			inRecord(message(bodyOfRecord, text(1, "sk_1"+strings.Repeat("x", 122)))),
			inRecord(message(bodyOfRecord, text(1, "****"+strings.Repeat("x", 122)))),
		},
		"a text that grows past a length of one byte": {
			inRecord(message(bodyOfRecord, text(1, "sk_1 "+strings.Repeat("x sk_1 ", 17)))),
			inRecord(message(bodyOfRecord, text(1, "**** "+strings.Repeat("x **** ", 17)))),
		},
		"nothing": {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := NewRedactor(rules).Redact(otlp.Logs, c.in, nil)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

func TestAHashIsOfWhatReadersRead(t *testing.T) {
	rules := compiled(t, []string{"hidden"}, nil, Hash)
	hash := func(value ...[]byte) string {
		doc, _, err := NewRedactor(rules).Redact(otlp.Logs, inRecord(message(attributesOfRecord, append(value, text(1, "hidden"))...)), nil)
		require.NoError(t, err)
		at := bytes.Index(doc, []byte("hmac:"))
		return string(doc[at : at+21])
	}
	entry := func(parts ...[]byte) []byte { return message(2, message(6, message(1, parts...))) }
	whole := hash(entry(text(1, "k"), message(2, varint(3, 5))))
	assert.Equal(t, whole, hash(entry(text(1, "k"), message(2, text(1, "x")), message(2, varint(3, 5)))), "an entry's value in two parts")
	assert.Equal(t, whole, hash(entry(text(1, "k"), message(2, varint(3, 5)), message(2))), "the second of which is empty")
	assert.Equal(t, whole, hash(message(2, text(1, "x")), entry(text(1, "k"), message(2, varint(3, 5)))), "a value in two parts")
	assert.NotEqual(t, whole, hash(entry(text(1, "k"), message(2, text(1, "x")))))
	assert.NotEqual(t, whole, hash(entry(text(1, "l"), message(2, varint(3, 5)))))
	assert.Equal(t, hash(message(2, text(1, "5"))), hash(message(2, varint(3, 5))))
	assert.Equal(t, hash(), hash(message(2)), "no value is an empty one")
}

// TestLengthsAreCorrectedAtEachSize redacts texts around the sizes at which a length takes another byte, for all of the
// messages around it.
func TestLengthsAreCorrectedAtEachSize(t *testing.T) {
	for _, mode := range []Mode{Mask, Hash} {
		rules := compiled(t, nil, []string{"s+"}, mode)
		for _, around := range []int{60, 100, 127, 16_330, 16_383} {
			for size := range 60 {
				in := inRecord(message(bodyOfRecord, text(1, strings.Repeat("s", size)+strings.Repeat("x", around))))
				stand := rules.Text(strings.Repeat("s", size))
				want := inRecord(message(bodyOfRecord, text(1, stand+strings.Repeat("x", around))))
				got, _, err := NewRedactor(rules).Redact(otlp.Logs, in, nil)
				require.NoError(t, err)
				require.True(t, bytes.Equal(want, got), "%d and %d", size, around)
			}
		}
	}
}

func TestMalformedDocumentsAreErrorsThatQuoteNothing(t *testing.T) {
	const leak = "LEAK"
	rules := map[string]*Rules{
		"mask": compiled(t, []string{"hidden"}, []string{"sk_1"}, Mask),
		"hash": compiled(t, []string{"hidden"}, []string{"sk_1"}, Hash),
		"drop": compiled(t, []string{"hidden"}, []string{"sk_1"}, Drop),
	}
	hidden := text(1, "hidden")
	for name, c := range map[string]struct {
		in   []byte
		only string // the mode in which it is noticed: what is left out or masked need not be read
	}{
		"a document that ends in a tag":              {in: []byte{0x8a}},
		"a document that ends in a length":           {in: []byte{0x0a}},
		"a document that ends in its content":        {in: append([]byte{0x0a, 0x20}, leak...)},
		"a tag of number zero":                       {in: append([]byte{0x02, 0x04}, leak...)},
		"a varint that does not end":                 {in: inRecord(bytes.Repeat([]byte{0xff}, 12))},
		"an unknown field that does not end":         {in: inRecord(append([]byte{0xfa, 0x06, 0x7f}, leak...))},
		"a group that does not end":                  {in: inRecord([]byte{0xdb, 0x06}, text(1, leak))},
		"a group that has not begun":                 {in: inRecord([]byte{0xdc, 0x06}, text(1, leak))},
		"a wire type that is not defined":            {in: inRecord([]byte{0x0f}, text(1, leak))},
		"a body that is a number":                    {in: inRecord(varint(bodyOfRecord, 5), text(3, leak))},
		"a text that is a number":                    {in: inRecord(varint(3, 5), text(12, leak))},
		"a value that is cut off":                    {in: inRecord(message(bodyOfRecord, append([]byte{0x0a, 0x09}, leak...)))},
		"a nested value that is cut off":             {in: inRecord(message(bodyOfRecord, message(5, message(1, append([]byte{0x0a, 0x09}, leak...)))))},
		"an attribute that is cut off":               {in: inRecord(message(attributesOfRecord, hidden, append([]byte{0x12, 0x09}, leak...)))},
		"an attribute with a wrong wire type":        {in: inRecord(message(attributesOfRecord, text(1, leak), varint(2, 1)))},
		"an attribute with a malformed tag":          {in: inRecord(message(attributesOfRecord, text(1, leak), []byte{0x00}))},
		"an attribute with a malformed unknown part": {in: inRecord(message(attributesOfRecord, text(1, leak), []byte{0x7a, 0x7f}))},
		"a hidden value that is malformed":           {in: inRecord(message(attributesOfRecord, message(2, append([]byte{0x0a, 0x09}, leak...)), hidden)), only: "hash"},
		"a hidden list that is malformed":            {in: inRecord(message(attributesOfRecord, message(2, message(5, append([]byte{0x0a, 0x09}, leak...))), hidden)), only: "hash"},
		"a hidden map that is malformed":             {in: inRecord(message(attributesOfRecord, message(2, message(6, append([]byte{0x0a, 0x09}, leak...))), hidden)), only: "hash"},
		"a hidden map's entry that is malformed":     {in: inRecord(message(attributesOfRecord, message(2, message(6, message(1, append([]byte{0x0a, 0x09}, leak...)))), hidden)), only: "hash"},
	} {
		t.Run(name, func(t *testing.T) {
			for mode, rules := range rules {
				dst := []byte("before")
				doc, changed, err := NewRedactor(rules).Redact(otlp.Logs, c.in, dst)
				if c.only != "" && c.only != mode {
					require.NoError(t, err)
					assert.NotContains(t, string(doc), leak)
					continue
				}
				require.Error(t, err, mode)
				assert.Nil(t, doc)
				assert.False(t, changed)
				assert.NotContains(t, err.Error(), leak)
				assert.Contains(t, err.Error(), "redact: protobuf: ")
			}
		})
	}
}

func TestKeysAreRememberedWithinBounds(t *testing.T) {
	rules := compiled(t, []string{"hidden*", "*hidden"}, nil, Mask)
	r := NewRedactor(rules)
	keys := []string{"", "a", "hidden", strings.Repeat("k", 62), strings.Repeat("k", 63), "hidden" + strings.Repeat("k", 100)}
	for i := range 5000 {
		keys = append(keys, "key"+strings.Repeat("x", i%50)+string(rune('a'+i%26)), "hidden"+strings.Repeat("y", i%50))
	}
	for i := range 5000 { // too long to be remembered, with a beginning that is not
		prefix := fmt.Sprintf("%062d", i)
		keys = append(keys, prefix+" is hidden", prefix)
	}
	for range 2 {
		for _, key := range keys {
			hidden := strings.HasPrefix(key, "hidden") || strings.HasSuffix(key, "hidden")
			require.Equal(t, hidden, r.verdict([]byte(key)) == hides, key)
		}
	}
}
