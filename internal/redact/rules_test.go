package redact

import (
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCompileRefusesAndSaysWhatToWrite(t *testing.T) {
	many := func(n int) []string { return strings.Split(strings.Repeat("a,", n-1)+"a", ",") }
	for name, c := range map[string]struct {
		keys, values []string
		mode         string
		secret       []byte
		want         []string
	}{
		"an unknown mode":                             {mode: "msk", want: []string{`mode: "msk" is no mode; write mask, hash or drop`}},
		"a hash without a secret":                     {mode: "hash", want: []string{"mode: hash needs a secret of at least 16 random bytes, not of 0"}},
		"a hash with a short secret":                  {mode: "hash", secret: secret[:15], want: []string{"not of 15"}},
		"an empty key":                                {keys: []string{"a", ""}, want: []string{`keys::1: "" is empty; write an attribute key such as "db.user", or a glob such as "*password*"`}},
		"a key that is too long":                      {keys: []string{strings.Repeat("k", 257)}, want: []string{"keys::0: ", "longer than 256 bytes"}},
		"a key that is not UTF-8":                     {keys: []string{"p\xff"}, want: []string{`keys::0: "p\xff" is not valid UTF-8`}},
		"a key with a space at its end":               {keys: []string{"password "}, want: []string{`keys::0: "password " begins or ends with white space; write it without`}},
		"a regular expression with .* as a key":       {keys: []string{".*password.*"}, want: []string{`keys::0: ".*password.*" looks like a regular expression; keys are globs, such as "*password*"`}},
		"a regular expression with anchors as a key":  {keys: []string{"^password", "password$"}, want: []string{"keys::0: ", "keys::1: "}},
		"a regular expression with escapes as a key":  {keys: []string{`http\.route`}, want: []string{"keys::0: "}},
		"a regular expression with flags as a key":    {keys: []string{"(?i)password"}, want: []string{"keys::0: "}},
		"too many keys":                               {keys: many(257), want: []string{"keys: there are 257 globs; write 256 at most"}},
		"an empty pattern":                            {values: []string{""}, want: []string{`values::0: "" is empty; write an RE2 pattern such as "[0-9]{16}", or leave it out`}},
		"a pattern that is too long":                  {values: []string{strings.Repeat("v", 1025)}, want: []string{`values::0: "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv..." is longer than 1024 bytes`}},
		"a pattern that is none":                      {values: []string{"a", "(b"}, want: []string{`values::1: "(b" is no RE2 pattern: missing closing ): "(b"; see https://github.com/google/re2/wiki/Syntax`}},
		"a glob as a pattern":                         {values: []string{"*secret*"}, want: []string{`missing argument to repetition operator: "*"; a glob's * is .* here, and at both ends it needs none: "secret" is found anywhere`}},
		"a pattern with lookahead":                    {values: []string{"a(?=b)"}, want: []string{"RE2 has no lookaround and no backreferences"}},
		"a pattern with a backreference":              {values: []string{`(a)\1`}, want: []string{"RE2 has no lookaround and no backreferences"}},
		"a pattern that repeats too often":            {values: []string{"a{1001}"}, want: []string{"repeat at most 1000 times"}},
		"a pattern that matches the empty text":       {values: []string{"[0-9]*"}, want: []string{`values::0: "[0-9]*" matches the empty text; write what has to be there, such as a+ for a*`}},
		"too many patterns":                           {values: many(65), want: []string{"values: there are 65 patterns; write 64 at most"}},
		"several mistakes, of which each has a line":  {keys: []string{"", "a", " b"}, values: []string{"("}, mode: "x", want: []string{"mode: ", "keys::0: ", "keys::2: ", "values::0: "}},
		"a pattern that is refused by its whole size": {values: []string{"((a{100}){100}){100}"}, want: []string{"values::0: "}},
	} {
		t.Run(name, func(t *testing.T) {
			rules, err := Compile(c.keys, c.values, c.mode, c.secret)
			require.Error(t, err)
			assert.Nil(t, rules)
			for _, want := range c.want {
				assert.Contains(t, err.Error(), want)
			}
			if name[0] == 's' {
				assert.Equal(t, len(c.want), strings.Count(err.Error(), "\n")+1)
			}
		})
	}
}

func TestCompileTakesWhatIsMeant(t *testing.T) {
	for name, c := range map[string]struct {
		keys, values []string
		mode         string
	}{
		"nothing":                            {},
		"a prefix that ends with a dot":      {keys: []string{"http.request.header.*"}},
		"a star for all keys":                {keys: []string{"*"}},
		"as much as is allowed":              {keys: []string{strings.Repeat("k", 256)}, values: []string{strings.Repeat("v", 1024)}},
		"an end of the text":                 {values: []string{"secret$"}},
		"a boundary that has no length":      {values: []string{`\b`}},
		"each mode":                          {mode: "mask"},
		"drop needs no secret":               {mode: "drop"},
		"a key with brackets and a question": {keys: []string{"a[?]"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(c.keys, c.values, c.mode, nil)
			assert.NoError(t, err)
		})
	}
}

func TestKeysThatAViewerMayNotAskFor(t *testing.T) {
	for name, c := range map[string]struct {
		keys, values []string
		mode         Mode
		hidden       []string
		shown        []string
	}{
		"a key":                            {keys: []string{"db.user"}, hidden: []string{"db.user"}, shown: []string{"db.user.id", "xdb.user", "db_user", ""}},
		"a key in any case":                {keys: []string{"Db.User"}, hidden: []string{"db.user", "DB.USER"}},
		"a key outside ASCII in any case":  {keys: []string{"ПАРОЛЬ*"}, hidden: []string{"пароль", "Пароль1"}, shown: []string{"парол"}},
		"letters that fold into ASCII":     {keys: []string{"*token*"}, hidden: []string{"to\u212aen"}},
		"a prefix":                         {keys: []string{"http.request.header.*"}, hidden: []string{"http.request.header.", "http.request.header.cookie"}, shown: []string{"http.request.header"}},
		"a suffix":                         {keys: []string{"*.password"}, hidden: []string{"db.password", ".password"}, shown: []string{"password", "db.password.age"}},
		"a part":                           {keys: []string{"*pass*"}, hidden: []string{"pass", "xpassx", "compass", "papass"}, shown: []string{"pas", "pa.ss", "pas s"}},
		"stars in between":                 {keys: []string{"a*b*c"}, hidden: []string{"abc", "aXbYc", "abcbc"}, shown: []string{"ac", "abcd", "acb"}},
		"a question mark":                  {keys: []string{"pin?"}, hidden: []string{"pin1", "pin€", "pin\xff"}, shown: []string{"pin", "pin12"}},
		"a question mark after a star":     {keys: []string{"*?x"}, hidden: []string{"ax", "aax"}, shown: []string{"x"}},
		"all keys":                         {keys: []string{"*"}, hidden: []string{"", "anything"}},
		"several":                          {keys: []string{"a", "b*"}, hidden: []string{"a", "b", "bb"}, shown: []string{"ab"}},
		"a key in which a pattern matches": {values: []string{`[a-z]+@[a-z.]+`}, hidden: []string{"quota.for.joe@example.org"}, shown: []string{"quota"}},
		"the same when attributes drop":    {values: []string{`[a-z]+@[a-z.]+`}, mode: Drop, hidden: []string{"joe@example.org"}},
		"no rules":                         {shown: []string{"password", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			rules := compiled(t, c.keys, c.values, c.mode)
			for _, key := range c.hidden {
				assert.True(t, rules.Key(key), "%q", key)
			}
			for _, key := range c.shown {
				assert.False(t, rules.Key(key), "%q", key)
			}
		})
	}
}

func TestLooseTexts(t *testing.T) {
	const text = "joe@example.org wrote to amy@example.com, twice"
	values := []string{`[a-z]+@[a-z.]+`}
	for name, c := range map[string]struct {
		rules *Rules
		want  string
	}{
		"are masked where a pattern matches":     {compiled(t, nil, values, Mask), "**** wrote to ****, twice"},
		"are hashed where a pattern matches":     {compiled(t, nil, values, Hash), "hmac:8bd8e89db955d877 wrote to hmac:308ced32c240a916, twice"},
		"are empty if a pattern matches":         {compiled(t, nil, values, Drop), ""},
		"stay if no pattern matches":             {compiled(t, nil, []string{"[0-9]"}, Drop), text},
		"stay if only keys are hidden":           {compiled(t, []string{"*"}, nil, Drop), text},
		"stay if there are no rules":             {nil, text},
		"lose all of patterns that overlap":      {compiled(t, nil, []string{`example\.org wrote`, `e@example`}, Mask), "jo**** to amy@example.com, twice"},
		"have one mask for matches that touch":   {compiled(t, nil, []string{`[a-z]`}, Mask), "****@****.**** **** **** ****@****.****, ****"},
		"are looked at in their own context":     {compiled(t, nil, []string{`\b[a-z]{3}\b`}, Mask), "****@example.**** wrote to ****@example.****, twice"},
		"lose nothing to a match without length": {compiled(t, nil, []string{`\b`}, Mask), text},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, c.rules.Text(text))
			assert.Equal(t, "quoted: "+c.want, string(c.rules.AppendText([]byte("quoted: "), text)))
			assert.Equal(t, c.want, NewRedactor(c.rules).Text(text))
		})
	}
}

func TestNoRulesHideNothing(t *testing.T) {
	var none *Rules
	assert.True(t, none.Empty())
	assert.False(t, none.Key("password"))
	assert.False(t, none.RewritesText())
	assert.True(t, compiled(t, nil, nil, Drop).Empty())
	assert.False(t, compiled(t, []string{"a"}, nil, Drop).Empty())
	assert.False(t, compiled(t, nil, []string{"a"}, Drop).Empty())
}

func TestCompileKeepsNothingOfTheCallers(t *testing.T) {
	mine := []byte("0123456789abcdef")
	rules, err := Compile(nil, []string{"a+"}, "hash", mine)
	require.NoError(t, err)
	before := rules.Text("aa")
	mine[0]++
	assert.Equal(t, before, rules.Text("aa"))
}

// TestRulesServeManyGoroutines is for the race detector.
func TestRulesServeManyGoroutines(t *testing.T) {
	rules := compiled(t, testKeys, testValues, Hash)
	refs := references()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			ref := refs[i%len(refs)]
			r := NewRedactor(rules)
			for seed := range uint64(20) {
				_, _, err := r.Redact(ref.signal, newGenerator(seed, true).document(ref.signal), nil)
				assert.NoError(t, err)
				rules.Key("db.password")
				rules.Text("sk_1")
			}
		})
	}
	all.Wait()
}

// FuzzGlobsFitWhatTheirExpressionsMatch holds keys against globs, and against what regexp makes of them.
func FuzzGlobsFitWhatTheirExpressionsMatch(f *testing.F) {
	for _, pattern := range []string{"a", "a*", "*a", "*a*", "*", "a*b", "*a*b*", "a?c", "?", "**a", "?*?", "*.b", "ßK*", "*aab"} {
		for _, key := range []string{"", "a", "b", "ab", "ba", "aab", "abab", "a.b", "A.B", "abc", "a\xffc", "ẞ\u212a", "aaaab"} {
			f.Add(pattern, key)
		}
	}
	f.Fuzz(func(t *testing.T, pattern, key string) {
		if len(pattern) > 40 || len(key) > 200 {
			return // regexp takes long over more
		}
		expression := regexp.QuoteMeta(pattern)
		expression = strings.ReplaceAll(strings.ReplaceAll(expression, `\*`, `.*`), `\?`, `.`)
		want, err := regexp.Compile("(?is)^(?:" + expression + ")$")
		if err != nil || strings.ToValidUTF8(pattern, "") != pattern || strings.Contains(pattern+key, "\ufffd") {
			return // regexp takes U+FFFD for any byte that is not UTF-8
		}
		g := newGlob(pattern)
		assert.Equal(t, want.MatchString(key), g.fits(fold(nil, []byte(key))), "%q and %q", pattern, key)
	})
}
