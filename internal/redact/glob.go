package redact

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// glob is a pattern for keys in which * stands for any run of characters, also none, and ? for one character. Both it and
// what is held against it have been folded. Most have a simple form, which is compared without a search.
type glob struct {
	class class
	text  string // what the class compares with: of classGeneral the pattern, of the others what is between its stars
}

// class is the form of a glob.
type class uint8

const (
	classExact    class = iota // text
	classPrefix                // text*
	classSuffix                // *text
	classContains              // *text*
	classGeneral               // anything else
)

func newGlob(pattern string) glob {
	folded := string(fold(nil, []byte(pattern)))
	text := strings.Trim(folded, "*")
	leading, trailing := strings.HasPrefix(folded, "*"), strings.HasSuffix(folded, "*")
	switch {
	case strings.ContainsAny(text, "*?"):
		return glob{classGeneral, folded}
	case leading && trailing:
		return glob{classContains, text}
	case leading:
		return glob{classSuffix, text}
	case trailing:
		return glob{classPrefix, text}
	default:
		return glob{classExact, text}
	}
}

// spansKeys reports whether a path such as "headers.authorization" may fit the glob although neither the key at its end
// nor one above fits it. Where the text between the stars has no dot it lies within one key, and that key fits.
func (g glob) spansKeys() bool { return g.class == classGeneral || strings.Contains(g.text, ".") }

// fits reports whether all of a folded key fits the glob, in time proportional to the product of their lengths at worst.
func (g glob) fits(key []byte) bool {
	switch g.class {
	case classExact:
		return string(key) == g.text
	case classPrefix:
		return len(key) >= len(g.text) && string(key[:len(g.text)]) == g.text
	case classSuffix:
		return len(key) >= len(g.text) && string(key[len(key)-len(g.text):]) == g.text
	case classContains:
		return contains(key, g.text)
	default:
		return fitsGeneral(g.text, key)
	}
}

// contains is bytes.Contains for a text of which there are no bytes.
func contains(key []byte, text string) bool {
	if text == "" {
		return true
	}
	for len(key) >= len(text) {
		i := bytes.IndexByte(key[:len(key)-len(text)+1], text[0])
		if i < 0 {
			return false
		}
		if string(key[i:i+len(text)]) == text {
			return true
		}
		key = key[i+1:]
	}
	return false
}

// fitsGeneral holds a key against a pattern: from left to right, and where that fails lets the last * take one character
// more. Earlier ones need not be tried again: what they left to the later ones is the most that they can.
func fitsGeneral(pattern string, key []byte) bool {
	p, k := 0, 0
	star, resume := -1, 0 // behind the last *, and where in the key it ends for now
	for k < len(key) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			p++
			star, resume = p, k
		case p < len(pattern) && pattern[p] == '?':
			p++
			k += characterSize(key[k:])
		case p < len(pattern) && pattern[p] == key[k]:
			p++
			k++
		case star >= 0:
			resume += characterSize(key[resume:])
			p, k = star, resume
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// characterSize returns the length of the first character; a byte that is not UTF-8 is one.
func characterSize(s []byte) int {
	_, size := utf8.DecodeRune(s)
	return size
}

func anyFits(globs []glob, folded []byte) bool {
	for i := range globs {
		if globs[i].fits(folded) {
			return true
		}
	}
	return false
}

// fold appends the form of a key in which case makes no difference: of all characters that Unicode's simple folding
// takes for the same, the lowest, and of ASCII letters the lower case. Bytes that are not UTF-8 stay.
func fold(dst, key []byte) []byte {
	for i := 0; i < len(key); {
		c := key[i]
		if c < utf8.RuneSelf {
			dst = append(dst, lower(c))
			i++
			continue
		}
		r, size := utf8.DecodeRune(key[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, c)
		} else {
			dst = utf8.AppendRune(dst, foldRune(r))
		}
		i += size
	}
	return dst
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func foldRune(r rune) rune {
	lowest := r
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		lowest = min(lowest, other)
	}
	if lowest < utf8.RuneSelf {
		return rune(lower(byte(lowest)))
	}
	return lowest
}
