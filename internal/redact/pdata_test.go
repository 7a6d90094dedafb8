package redact

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

func valueOf(t *testing.T, raw any) pcommon.Value {
	t.Helper()
	v := pcommon.NewValueEmpty()
	require.NoError(t, v.FromRaw(raw))
	return v
}

func TestSingleValues(t *testing.T) {
	type m = map[string]any
	for name, c := range map[string]struct {
		key      string
		in       any
		mask     any
		dropped  bool // in mode Drop; else it is as `drop`
		drop     any
		mayMatch bool // ChangesValue
	}{
		"a text in which a pattern matches":     {in: "hi sk_1", mask: "hi ****", dropped: true, mayMatch: true},
		"a text in which none does":             {in: "hi", mask: "hi", drop: "hi", mayMatch: true},
		"a number":                              {in: int64(5), mask: int64(5), drop: int64(5)},
		"a truth value":                         {in: true, mask: true, drop: true},
		"nothing":                               {in: nil, mask: nil, drop: nil},
		"bytes":                                 {in: []byte("\x00sk_1"), mask: []byte("\x00****"), dropped: true, mayMatch: true},
		"a map with a hidden key":               {in: m{"password": 1, "a": "b"}, mask: m{"password": "****", "a": "b"}, drop: m{"a": "b"}, mayMatch: true},
		"a list":                                {in: []any{"sk_1", "a"}, mask: []any{"****", "a"}, drop: []any{"a"}, mayMatch: true},
		"an attribute under a hidden key":       {key: "Password", in: int64(5), mask: "****", dropped: true},
		"an attribute under another key":        {key: "a", in: "sk_1", mask: "****", dropped: true, mayMatch: true},
		"a map whose path is hidden with a key": {key: "outer", in: m{"inner": 1}, mask: m{"inner": "****"}, drop: m{}, mayMatch: true},
		"a body of which the same is no path":   {in: m{"inner": int64(1)}, mask: m{"inner": int64(1)}, drop: m{"inner": int64(1)}, mayMatch: true},
	} {
		t.Run(name, func(t *testing.T) {
			rules := compiled(t, testKeys, testValues, Mask)
			v := valueOf(t, c.in)
			assert.Equal(t, c.mayMatch, rules.ChangesValue(v))
			assert.True(t, NewRedactor(rules).Value(c.key, v))
			assert.Equal(t, c.mask, v.AsRaw())

			v = valueOf(t, c.in)
			shown := NewRedactor(compiled(t, testKeys, testValues, Drop)).Value(c.key, v)
			require.Equal(t, !c.dropped, shown)
			if shown {
				assert.Equal(t, c.drop, v.AsRaw())
			}

			v = valueOf(t, c.in)
			assert.True(t, NewRedactor(nil).Value(c.key, v))
			assert.Equal(t, valueOf(t, c.in).AsRaw(), v.AsRaw())
			var none *Rules
			assert.False(t, none.ChangesValue(v))
		})
	}
}

func TestWithoutPatternsTextsNeverChange(t *testing.T) {
	rules := compiled(t, []string{"a"}, nil, Mask)
	assert.False(t, rules.RewritesText())
	assert.False(t, rules.ChangesValue(pcommon.NewValueStr("a")))
	assert.True(t, rules.ChangesValue(pcommon.NewValueMap()), "it may have a hidden key")
}

func TestPdataIsLeftAloneWithoutRules(t *testing.T) {
	r := NewRedactor(nil)
	td, md, ld, pd := benchTraces(1), benchMetrics(2), benchLogs(1), benchProfiles(1)
	wantTraces, wantMetrics, wantLogs, wantProfiles := ptrace.NewTraces(), pmetric.NewMetrics(), plog.NewLogs(), pprofile.NewProfiles()
	td.CopyTo(wantTraces)
	md.CopyTo(wantMetrics)
	ld.CopyTo(wantLogs)
	pd.CopyTo(wantProfiles)
	r.Traces(td)
	r.Metrics(md)
	r.Logs(ld)
	require.NoError(t, r.Profiles(pd))
	assert.Equal(t, wantTraces, td)
	assert.Equal(t, wantMetrics, md)
	assert.Equal(t, wantLogs, ld)
	assert.Equal(t, wantProfiles, pd)
}

// TestACopyIsRedactedAndTheOriginalStays is what a selection does: it asks a redacted copy.
func TestACopyIsRedactedAndTheOriginalStays(t *testing.T) {
	original, before, scratch := benchTraces(3), ptrace.NewTraces(), ptrace.NewTraces()
	original.CopyTo(before)
	original.CopyTo(scratch)
	NewRedactor(compiled(t, []string{"user.login"}, []string{"orders"}, Drop)).Traces(scratch)
	assert.Equal(t, before, original)
	span := scratch.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	assert.Empty(t, span.Name())
	_, found := span.Attributes().Get("user.login")
	assert.False(t, found)
}

func TestOfRenamedKeysThatAreTheSameTheFirstStays(t *testing.T) {
	ld := plog.NewLogs()
	attributes := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Attributes()
	attributes.PutInt("sk_1", 1)
	attributes.PutInt("a", 2)
	attributes.PutInt("sk_2", 3)
	NewRedactor(compiled(t, nil, testValues, Mask)).Logs(ld)
	assert.Equal(t, map[string]any{"****": int64(1), "a": int64(2)}, attributes.AsRaw())
}
