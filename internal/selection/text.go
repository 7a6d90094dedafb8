package selection

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// glob is a pattern in which * stands for any run of characters, also none, and ? for one character. All else, slashes
// too, stands for itself; case matters.
type glob struct {
	pattern string
	literal bool // no * or ? in it
}

func newGlob(pattern string) glob {
	return glob{pattern: pattern, literal: !strings.ContainsAny(pattern, "*?")}
}

// matches reports whether all of text fits the pattern, in time proportional to their lengths' product at worst.
func (g glob) matches(text string) bool {
	if g.literal {
		return text == g.pattern
	}
	p, t := 0, 0
	star, resume := -1, 0 // after the last *, and where in the text it stops for now
	for t < len(text) {
		if p < len(g.pattern) && g.pattern[p] == '*' {
			p++
			star, resume = p, t
			continue
		}
		if p < len(g.pattern) {
			if next, ok := g.one(p, text, t); ok {
				p++
				t = next
				continue
			}
		}
		if star < 0 {
			return false
		}
		// Let the last * take one character more.
		_, size := utf8.DecodeRuneInString(text[resume:])
		resume += size
		p, t = star, resume
	}
	return strings.Trim(g.pattern[p:], "*") == ""
}

// one matches the pattern's byte at p with the text at t and returns the text's next position.
func (g glob) one(p int, text string, t int) (int, bool) {
	if g.pattern[p] == '?' {
		_, size := utf8.DecodeRuneInString(text[t:])
		return t + size, true
	}
	return t + 1, g.pattern[p] == text[t]
}

// folded is a text to be found whatever the case.
type folded struct {
	text string // its ASCII letters in lower case
	// first holds the lower and the upper case of text's first byte; ascii says that they are all that can begin a match.
	lower, upper byte
	ascii        bool
}

func newFolded(text string) folded {
	f := folded{text: lowerASCII(text)}
	if f.text == "" {
		return f
	}
	f.lower = f.text[0]
	f.upper = f.lower
	if 'a' <= f.lower && f.lower <= 'z' {
		f.upper = f.lower - 'a' + 'A'
	}
	// Unicode has letters outside ASCII that are k and s in another case.
	f.ascii = f.lower < utf8.RuneSelf && f.lower != 'k' && f.lower != 's'
	return f
}

// in reports whether s contains the text under Unicode's simple case folding. It allocates nothing.
func (f *folded) in(s string) bool {
	for i := range len(s) {
		c := s[i]
		if f.ascii && c != f.lower && c != f.upper {
			continue
		}
		if utf8.RuneStart(c) && foldedPrefix(s[i:], f.text) {
			return true
		}
	}
	return f.text == ""
}

// lowerASCII is the form of a text whose case does not matter. Other letters stay: their lower case is not always a
// folding of theirs, and comparing folds them anyway.
func lowerASCII(text string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r - 'A' + 'a'
		}
		return r
	}, text)
}

// foldedPrefix reports whether s begins with the text, whose ASCII letters are in lower case.
func foldedPrefix(s, text string) bool {
	for text != "" {
		if s == "" {
			return false
		}
		a, b := s[0], text[0]
		if a < utf8.RuneSelf && b < utf8.RuneSelf {
			if 'A' <= a && a <= 'Z' {
				a += 'a' - 'A'
			}
			if a != b {
				return false
			}
			s, text = s[1:], text[1:]
			continue
		}
		r, m := utf8.DecodeRuneInString(s)
		want, n := utf8.DecodeRuneInString(text)
		if !sameFolded(r, want) {
			return false
		}
		s, text = s[m:], text[n:]
	}
	return true
}

// sameFolded reports whether two characters differ in case only.
func sameFolded(a, b rune) bool {
	if a == b {
		return true
	}
	for r := unicode.SimpleFold(a); r != a; r = unicode.SimpleFold(r) {
		if r == b {
			return true
		}
	}
	return false
}
