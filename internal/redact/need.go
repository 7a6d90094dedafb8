package redact

import (
	"bytes"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// need is what every text has in which a pattern matches. Looking for it is much cheaper than running the pattern, and
// most texts do not have it.
type need struct {
	length  int        // bytes, at least
	literal []byte     // is in the text, if there is one
	folded  string     // is in the text, whatever its case, if there is one; ASCII, in lower case
	set     *[256]bool // of these bytes...
	times   int        // ...the text has at least as many
}

// in reports whether the pattern may match in a text.
func (n *need) in(text []byte) bool {
	return len(text) >= n.length && bytes.Contains(text, n.literal) && n.hasFolded(text) && n.hasSet(text)
}

// inDocument reports whether the pattern may match in a text of a document, going by the literal alone.
func (n *need) inDocument(document []byte) bool { return bytes.Contains(document, n.literal) }

// hasSet counts bytes of the set.
func (n *need) hasSet(text []byte) bool {
	left := n.times
	for _, c := range text {
		if left == 0 {
			break
		}
		if n.set[c] {
			left--
		}
	}
	return left == 0
}

// hasFolded looks for the text whose case does not matter.
func (n *need) hasFolded(text []byte) bool {
	if n.folded == "" {
		return true
	}
	first := n.folded[0]
	for i, c := range text {
		if c >= utf8.RuneSelf && strings.ContainsAny(n.folded, "ks") {
			return true // perhaps one of the two letters outside ASCII that are a k and an s in another case
		}
		if lower(c) == first && hasFoldedPrefix(text[i:], n.folded) {
			return true
		}
	}
	return false
}

func hasFoldedPrefix(text []byte, folded string) bool {
	if len(text) < len(folded) {
		return false
	}
	for i := range len(folded) {
		if lower(text[i]) != folded[i] {
			return false
		}
	}
	return true
}

// needOf finds out what every text has in which an expression matches. It may find less than there is, never more.
func needOf(e *syntax.Regexp) need {
	switch e.Op {
	case syntax.OpLiteral:
		return needOfLiteral(e)
	case syntax.OpCharClass:
		return need{length: 1, set: bytesOfClass(e.Rune), times: 1}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return need{length: 1}
	case syntax.OpCapture, syntax.OpPlus:
		return needOf(e.Sub[0])
	case syntax.OpRepeat:
		if e.Min == 0 {
			return need{}
		}
		n := needOf(e.Sub[0])
		n.length *= e.Min
		n.times *= e.Min
		return n
	case syntax.OpConcat:
		return needOfAll(e.Sub)
	case syntax.OpAlternate:
		return needOfAny(e.Sub)
	default: // what may be there or not, and what has no length
		return need{}
	}
}

func needOfLiteral(e *syntax.Regexp) need {
	n := need{length: len(e.Rune)} // in another case a character may be shorter
	switch {
	case slices.Contains(e.Rune, utf8.RuneError): // matches bytes that are not UTF-8, too
	case e.Flags&syntax.FoldCase == 0:
		n.literal = []byte(string(e.Rune))
		n.length = len(n.literal)
	case !slices.ContainsFunc(e.Rune, func(r rune) bool { return r >= utf8.RuneSelf }):
		n.folded = string(fold(nil, []byte(string(e.Rune))))
	}
	return n
}

// bytesOfClass returns a set of which a byte is in each character of some ranges. All bytes of characters outside ASCII
// count as one: so do those that are not UTF-8, which match as U+FFFD.
func bytesOfClass(ranges []rune) *[256]bool {
	set := new([256]bool)
	for i := 0; i+1 < len(ranges); i += 2 {
		for r := ranges[i]; r <= min(ranges[i+1], unicode.MaxASCII); r++ {
			set[r] = true
		}
		if ranges[i+1] > unicode.MaxASCII {
			for c := utf8.RuneSelf; c < len(set); c++ {
				set[c] = true
			}
		}
	}
	return set
}

// needOfAll is for expressions one after the other. Of each kind of need it keeps the one that fewest texts have.
func needOfAll(parts []*syntax.Regexp) need {
	var all need
	for _, part := range parts {
		n := needOf(part)
		all.length += n.length
		if len(n.literal) > len(all.literal) {
			all.literal = n.literal
		}
		if len(n.folded) > len(all.folded) {
			all.folded = n.folded
		}
		if n.times > all.times || n.times == all.times && n.times > 0 && count(n.set) < count(all.set) {
			all.set, all.times = n.set, n.times
		}
	}
	return all
}

// needOfAny is for alternatives: a byte of what one of them needs, if all of them need something.
func needOfAny(alternatives []*syntax.Regexp) need {
	whole := need{set: new([256]bool), times: 1}
	for i, alternative := range alternatives {
		n := needOf(alternative)
		if i == 0 || n.length < whole.length {
			whole.length = n.length
		}
		switch {
		case len(n.literal) > 0:
			whole.set[n.literal[0]] = true
		case n.times > 0:
			for c, in := range n.set {
				whole.set[c] = whole.set[c] || in
			}
		default:
			whole.times = 0
		}
	}
	return whole
}

func count(set *[256]bool) int {
	n := 0
	for _, in := range set {
		if in {
			n++
		}
	}
	return n
}
