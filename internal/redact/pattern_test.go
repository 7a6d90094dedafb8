package redact

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// someExpressions are value patterns of all kinds.
var someExpressions = []string{
	`sk_[0-9]+`, `(?i)bearer\s+\S+`, `\b(?:[0-9][ -]?){13,16}\b`, `[\w.+-]+@[\w-]+\.[\w.]+`, `a|bc`, `(?:a|b)c?`, `(?i)k+s`, `[^a]`, `ab|ac`,
	`a{3,}`, `(?:ab){2}`, `[0-9]{3}-[0-9]{2}-[0-9]{4}`, `^a`, `a$`, `(?m)^b`, `(?m)b$`, `\Ba`, `x\b`, `é+`, `[а-я]{2}`, `\x{fffd}`, `.`, `(?s)..`,
	`a.?b`, `a.*b`, `a.*?b`, `(a)(b)`, `(?i:A)b`, `[a-c]b*[c-d]`, `(?:|a)b`, `a??b`, `\pL\pN`, `(?i)ß`, `(?i)[k]`, `[[:^ascii:]]`, `--+`, `(?:a+b)+`,
}

// someTexts makes texts of which many match.
func someTexts(n int) []string {
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{
		"a", "b", "c", "ab", "aa", "K", "s", "\u212a", "ſ", "sk_", "1", "12", "1234", "-", " ", "@", ".", "é", "я", "\n", "\xff", "\ufffd", "Bearer x",
		"bearer", "x", "ß", "ẞ", "123-45-6789", "4111 1111 1111 1111",
	}
	texts := []string{""}
	for range n {
		var s strings.Builder
		for range 1 + random.IntN(6) {
			s.WriteString(pieces[random.IntN(len(pieces))])
		}
		texts = append(texts, s.String())
	}
	return texts
}

func TestPatternsFindWhatTheirExpressionsFind(t *testing.T) {
	texts := someTexts(1000)
	for _, expression := range someExpressions {
		t.Run(expression, func(t *testing.T) {
			p, err := newPattern(expression)
			require.NoError(t, err)
			matched, spared := 0, 0
			for _, text := range texts {
				var want []extent
				for _, at := range p.expression.FindAllStringIndex(text, -1) {
					if at[0] < at[1] {
						want = append(want, extent{at[0], at[1]})
					}
				}
				require.Equal(t, want, p.appendMatches(nil, []byte(text)), "%q", text)
				needed := p.need.in([]byte(text))
				if len(want) > 0 {
					matched++
					require.True(t, needed, "the pattern needs what %q does not have: %+v", text, p.need)
					require.True(t, p.need.inDocument([]byte("before "+text+" after")))
				}
				if !needed {
					spared++
				}
			}
			assert.NotZero(t, matched)
			assert.NotZero(t, spared, "at least the empty text")
		})
	}
}

func TestWhatATextNeeds(t *testing.T) {
	for expression, want := range map[string]string{
		`AKIA[0-9A-Z]{16}`:            "20 bytes, AKIA, 16 of 36",
		`[\w.+-]+@[\w-]+\.[\w.]+`:     "5 bytes, @, 1 of 64",
		`\b(?:[0-9][ -]?){13,16}\b`:   "13 bytes, 13 of 10",
		`(?i)bearer\s+\S+`:            "8 bytes, any case of bearer, 1 of 5",
		`[0-9]{3}-[0-9]{2}-[0-9]{4}`:  "11 bytes, -, 4 of 10",
		`abc|abd|xyz`:                 "3 bytes, 1 of 2",
		`(?:secret|[0-9]{4})x`:        "5 bytes, x, 1 of 11",
		`(?:secret|.{4})`:             "4 bytes",
		`a?b*(?:c{0,3})`:              "",
		`(?i)ключ`:                    "4 bytes",
		`[а-я]{3}`:                    "3 bytes, 3 of 128",
		`\x{fffd}`:                    "1 bytes",
		`password=\S+|token=(?:abc)+`: "9 bytes, 1 of 2",
	} {
		t.Run(expression, func(t *testing.T) {
			if expression == `a?b*(?:c{0,3})` {
				_, err := newPattern(expression)
				require.Error(t, err, "nothing is needed of what matches the empty text")
				return
			}
			p, err := newPattern(expression)
			require.NoError(t, err)
			got := fmt.Sprintf("%d bytes", p.need.length)
			if p.need.literal != nil {
				got += ", " + string(p.need.literal)
			}
			if p.need.folded != "" {
				got += ", any case of " + p.need.folded
			}
			if p.need.times > 0 {
				got += fmt.Sprintf(", %d of %d", p.need.times, count(p.need.set))
			}
			assert.Equal(t, want, got)
		})
	}
}
