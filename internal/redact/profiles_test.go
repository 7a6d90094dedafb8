package redact

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pprofile"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// someProfiles have a resource with a password, a function of a name that is also the value of a hidden attribute, two
// attributes in the dictionary, a string that nothing refers to, and an original payload.
func someProfiles() pprofile.Profiles {
	pd := pprofile.NewProfiles()
	dictionary := pd.Dictionary()
	dictionary.StringTable().Append("", "run", "orphan", "password", "thread", "sk_1 worker", "ms")
	dictionary.FunctionTable().AppendEmpty()
	dictionary.FunctionTable().AppendEmpty().SetNameStrindex(1)
	dictionary.AttributeTable().AppendEmpty()
	hidden := dictionary.AttributeTable().AppendEmpty()
	hidden.SetKeyStrindex(3)
	hidden.SetUnitStrindex(6)
	hidden.Value().SetStr("swordfish")
	shown := dictionary.AttributeTable().AppendEmpty()
	shown.SetKeyStrindex(4)
	shown.Value().SetStr("sk_2 of 3")

	resource := pd.ResourceProfiles().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", "checkout")
	resource.Resource().Attributes().PutStr("password", "hunter2")
	resource.Resource().Attributes().PutStr("PASSWORD", "run")
	nested := resource.Resource().Attributes().PutEmptyMap("nested")
	nested.PutStr("password", "deep")
	nested.PutEmptySlice("names").AppendEmpty().SetStr("sk_3")
	profile := resource.ScopeProfiles().AppendEmpty().Profiles().AppendEmpty()
	profile.SetOriginalPayloadFormat("pprof")
	profile.OriginalPayload().FromRaw([]byte("everything again"))
	profile.AttributeIndices().Append(1, 2)
	profile.Samples().AppendEmpty().AttributeIndices().Append(2)
	return pd
}

// redactedProfiles redacts them as bytes, and returns those, and what pdata reads from them.
func redactedProfiles(t *testing.T, rules *Rules) ([]byte, pprofile.Profiles) {
	t.Helper()
	proto, err := (&pprofile.ProtoMarshaler{}).MarshalProfiles(someProfiles())
	require.NoError(t, err)
	doc, changed, err := NewRedactor(rules).Redact(otlp.Profiles, proto, nil)
	require.NoError(t, err)
	require.True(t, changed)
	pd, err := (&pprofile.ProtoUnmarshaler{}).UnmarshalProfiles(doc)
	require.NoError(t, err)
	return doc, pd
}

func attributesOf(pd pprofile.Profiles) map[string]any {
	return pd.ResourceProfiles().At(0).Resource().Attributes().AsRaw()
}

func TestProfilesHideValuesByKey(t *testing.T) {
	doc, pd := redactedProfiles(t, compiled(t, []string{"password"}, nil, Mask))
	assert.Equal(t, map[string]any{
		"service.name": "checkout", "password": "****", "PASSWORD": "****",
		"nested": map[string]any{"password": "****", "names": []any{"sk_3"}},
	}, attributesOf(pd))
	table := pd.Dictionary().StringTable().AsRaw()[:7]
	assert.Equal(t, []string{"", "run", "", "password", "thread", "", "ms"}, table, "what nothing refers to is left out, what else is shown stays")
	attributes := pd.Dictionary().AttributeTable()
	require.Equal(t, 3, attributes.Len())
	assert.Equal(t, "****", attributes.At(1).Value().Str())
	assert.Equal(t, int32(3), attributes.At(1).KeyStrindex())
	assert.Equal(t, int32(6), attributes.At(1).UnitStrindex())
	assert.Equal(t, "sk_2 of 3", attributes.At(2).Value().Str())
	profile := pd.ResourceProfiles().At(0).ScopeProfiles().At(0).Profiles().At(0)
	assert.Zero(t, profile.OriginalPayload().Len(), "it has everything again")
	assert.Equal(t, "pprof", profile.OriginalPayloadFormat())
	for _, hidden := range []string{"hunter2", "swordfish", "deep", "orphan", "everything again", "worker"} {
		assert.NotContains(t, string(doc), hidden)
	}
}

func TestProfilesHideTextsByPattern(t *testing.T) {
	doc, pd := redactedProfiles(t, compiled(t, nil, []string{"sk_[0-9]"}, Mask))
	assert.Equal(t, map[string]any{
		"service.name": "checkout", "password": "hunter2", "PASSWORD": "run",
		"nested": map[string]any{"password": "deep", "names": []any{"****"}},
	}, attributesOf(pd))
	table := pd.Dictionary().StringTable().AsRaw()[:7]
	assert.Equal(t, []string{"", "run", "orphan", "password", "thread", "**** worker", "ms"}, table)
	assert.Equal(t, "**** of 3", pd.Dictionary().AttributeTable().At(2).Value().Str())
	assert.NotContains(t, string(doc), "sk_")
}

func TestProfilesDropAttributesInPlace(t *testing.T) {
	doc, pd := redactedProfiles(t, compiled(t, []string{"password"}, []string{"sk_[0-9]"}, Drop))
	assert.Equal(t, map[string]any{"service.name": "checkout", "nested": map[string]any{"names": []any{}}}, attributesOf(pd))
	attributes := pd.Dictionary().AttributeTable()
	require.Equal(t, 3, attributes.Len(), "others refer to them by their position")
	for i := range 3 {
		assert.True(t, attributes.At(i).Equal(pprofile.NewKeyValueAndUnit()), "%d", i)
	}
	for _, hidden := range []string{"hunter2", "swordfish", "sk_", "deep"} {
		assert.NotContains(t, string(doc), hidden)
	}
}

func TestProfilesHashAlikeInlineAndByIndex(t *testing.T) {
	rules := compiled(t, []string{"password"}, nil, Hash)
	_, pd := redactedProfiles(t, rules)
	inText := compiled(t, nil, []string{".+"}, Hash)
	attributes := attributesOf(pd)
	assert.Equal(t, inText.Text("hunter2"), attributes["password"])
	assert.Equal(t, inText.Text("run"), attributes["PASSWORD"])
	assert.Equal(t, inText.Text("swordfish"), pd.Dictionary().AttributeTable().At(1).Value().Str())
}

func TestProfilesHashMapsAlikeInlineAndByIndex(t *testing.T) {
	rules := compiled(t, []string{"password"}, nil, Hash)
	hash := func(entry []byte) string {
		r := NewRedactor(rules)
		in := fields(
			message(1, message(1, message(1, message(2, message(6, message(1, entry))), text(1, "password")))),
			message(2, text(5, ""), text(5, "user"), text(5, "joe")),
		)
		doc, _, err := r.Redact(otlp.Profiles, in, nil)
		require.NoError(t, err)
		at := strings.Index(string(doc), "hmac:")
		require.Positive(t, at)
		return string(doc[at : at+21])
	}
	inline := hash(fields(text(1, "user"), message(2, text(1, "joe"))))
	assert.Equal(t, inline, hash(fields(varint(3, 1), message(2, varint(8, 2)))))
	assert.NotEqual(t, inline, hash(fields(varint(3, 2), message(2, varint(8, 2)))))
}

func TestTheEmptyAttributeThatTablesBeginWithStays(t *testing.T) {
	_, pd := redactedProfiles(t, compiled(t, []string{"*"}, nil, Mask))
	assert.True(t, pd.Dictionary().AttributeTable().At(0).Equal(pprofile.NewKeyValueAndUnit()))
	assert.Equal(t, "****", pd.Dictionary().AttributeTable().At(2).Value().Str())
}

func TestAStringTableOfAnyForm(t *testing.T) {
	rules := compiled(t, []string{"password"}, nil, Mask)
	attribute := func(key uint64) []byte {
		return message(1, message(1, message(1, message(2, text(1, "x")), varint(3, key))))
	}
	hidden := func(key uint64) []byte {
		return message(1, message(1, message(1, text(2, "\x0a\x04****"), varint(3, key))))
	}
	table := func(all ...string) (made []byte) {
		for _, s := range all {
			made = append(made, text(5, s)...)
		}
		return message(2, made)
	}
	for name, c := range map[string]struct{ in, want []byte }{
		"behind what refers to it": {fields(attribute(1), table("", "password")), fields(hidden(1), table("", "password"))},
		"before what refers to it": {fields(table("", "password"), attribute(1)), fields(table("", "password"), hidden(1))},
		"in two parts":             {fields(table("", "a"), attribute(2), table("password")), fields(table("", ""), hidden(2), table("password"))},
		"without an empty one at first": {
			fields(message(1, message(1, message(1, message(2, text(1, "x"))))), table("password")),
			fields(message(1, message(1, message(1, text(2, "\x0a\x04****")))), table("password")),
		},
		"without the string":           {fields(attribute(7), table("", "password")), fields(attribute(7), table("", ""))},
		"with an index of 33 bits":     {fields(attribute(1<<32|1), table("", "password")), fields(hidden(1<<32|1), table("", "password"))},
		"with a negative index":        {fields(attribute(1<<64-1), table("", "password")), fields(attribute(1<<64-1), table("", ""))},
		"with both a key and an index": {fields(message(1, message(1, message(1, message(2, text(1, "x")), text(1, "a"), varint(3, 1)))), table("", "password")), fields(message(1, message(1, message(1, text(2, "\x0a\x04****"), text(1, "a"), varint(3, 1)))), table("", "password"))},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := NewRedactor(rules).Redact(otlp.Profiles, c.in, nil)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

func TestMalformedProfilesAreErrors(t *testing.T) {
	rules := compiled(t, []string{"password"}, nil, Mask)
	for name, in := range map[string][]byte{
		"a dictionary that is cut off":   fields(message(2, text(5, ""), []byte{0x2a, 0x05, 'L'})),
		"a string table of numbers":      message(2, varint(5, 1)),
		"an attribute of a wrong type":   message(2, text(5, ""), message(6, text(1, "L"))),
		"an attribute's key that is bad": message(2, text(5, ""), message(6, []byte{0x08, 0x80})),
	} {
		t.Run(name, func(t *testing.T) {
			doc, _, err := NewRedactor(rules).Redact(otlp.Profiles, in, nil)
			require.Error(t, err)
			assert.Nil(t, doc)
		})
	}
}
