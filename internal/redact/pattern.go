package redact

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
)

// pattern is a value pattern, with what spares running it.
type pattern struct {
	expression *regexp.Regexp
	need       need
	looksBack  bool // it may depend on what is before a match: ^, \b
}

// appendMatches appends where the pattern matches in a text, from left to right.
func (p *pattern) appendMatches(dst []extent, text []byte) []extent {
	if p.looksBack {
		for _, at := range p.expression.FindAllIndex(text, -1) {
			if at[0] < at[1] { // \b and its like match between characters
				dst = append(dst, extent{at[0], at[1]})
			}
		}
		return dst
	}
	// The same without allocating. No match is empty: the pattern would match the empty text, too.
	for from := 0; from < len(text); {
		match := p.expression.Find(text[from:])
		if match == nil {
			break
		}
		for from += bytes.Index(text[from:], match); &text[from] != &match[0]; {
			from += 1 + bytes.Index(text[from+1:], match)
		}
		dst = append(dst, extent{from, from + len(match)})
		from += len(match)
	}
	return dst
}

// looksBack reports whether an expression holds what depends on the character before it.
func looksBack(e *syntax.Regexp) bool {
	switch e.Op { //nolint:exhaustive // all others are about what follows
	case syntax.OpBeginLine, syntax.OpBeginText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return true
	}
	return slices.ContainsFunc(e.Sub, looksBack)
}

// newPattern compiles an RE2 pattern.
func newPattern(expression string) (*pattern, error) {
	switch {
	case expression == "":
		return nil, errors.New(`is empty; write an RE2 pattern such as "[0-9]{16}", or leave it out`)
	case len(expression) > MaxValueSize:
		return nil, fmt.Errorf("is longer than %d bytes; write several shorter patterns", MaxValueSize)
	}
	compiled, err := regexp.Compile(expression)
	if err != nil {
		return nil, fmt.Errorf("is no RE2 pattern: %w", explain(err))
	}
	if compiled.MatchString("") {
		return nil, errors.New("matches the empty text; write what has to be there, such as a+ for a*")
	}
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil { // regexp.Compile has parsed the same
		return nil, fmt.Errorf("is no RE2 pattern: %w", explain(err))
	}
	return &pattern{expression: compiled, need: needOf(parsed), looksBack: looksBack(parsed)}, nil
}

// explain adds what to write where the mistake is a common one.
func explain(err error) error {
	var problem *syntax.Error
	if !errors.As(err, &problem) {
		return err
	}
	why := fmt.Sprintf("%s: %q", problem.Code, problem.Expr)
	switch problem.Code {
	case syntax.ErrMissingRepeatArgument:
		why += `; a glob's * is .* here, and at both ends it needs none: "secret" is found anywhere`
	case syntax.ErrInvalidPerlOp, syntax.ErrInvalidEscape:
		why += "; RE2 has no lookaround and no backreferences: write a pattern without, which may hide some more"
	case syntax.ErrInvalidRepeatSize:
		why += "; repeat at most 1000 times"
	default:
		why += "; see https://github.com/google/re2/wiki/Syntax"
	}
	return errors.New(why)
}
