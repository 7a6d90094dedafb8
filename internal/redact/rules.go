package redact

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Mode is what comes in the place of what is hidden.
type Mode string

// The modes.
const (
	// Mask puts the text "****".
	Mask Mode = "mask"
	// Hash puts "hmac:" and 16 hexadecimal digits: the same for the same text under one key, so that values still group.
	Hash Mode = "hash"
	// Drop leaves out the attribute, the map entry or the list element, and empties other texts.
	Drop Mode = "drop"
)

// Bounds of a configuration, so that its size alone cannot make redaction expensive.
const (
	MaxKeys       = 256  // globs
	MaxKeySize    = 256  // bytes of one
	MaxValues     = 64   // patterns
	MaxValueSize  = 1024 // bytes of one
	minSecretSize = 16   // bytes of the key for hashes
)

// Rules is what to hide, and how. It is immutable, and safe for concurrent use. A nil *Rules hides nothing.
type Rules struct {
	mode   Mode
	secret []byte // for hashes

	exact    map[string]struct{} // globs that are a key, folded
	globs    []glob              // all others
	nested   []glob              // those that a path of several keys can fit although none of its keys does
	patterns []*pattern
}

// Compile makes the rules of a configuration: globs for attribute keys, RE2 patterns for texts, and the mode, which is
// Mask if it is empty.
//
// In a glob `*` is any run of characters, also none, and `?` is one character; all else stands for itself, whatever its
// case. The secret is the key of hashes, at least 16 random bytes that nobody else has; other modes need none.
//
// The error joins all that is wrong. Each line begins with the configuration's key, such as `keys::0`, and says what to
// write.
func Compile(keys, values []string, mode string, secret []byte) (*Rules, error) {
	r := &Rules{mode: Mode(mode), secret: slices.Clone(secret), exact: map[string]struct{}{}}
	errs := []error{
		r.setMode(), tooMany("keys", len(keys), MaxKeys, "globs"), tooMany("values", len(values), MaxValues, "patterns"),
	}
	for i, key := range keys[:min(len(keys), MaxKeys)] {
		errs = append(errs, about("keys", i, key, r.addKey(key)))
	}
	for i, value := range values[:min(len(values), MaxValues)] {
		errs = append(errs, about("values", i, value, r.addValue(value)))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Rules) setMode() error {
	switch r.mode {
	case "":
		r.mode = Mask
	case Mask, Drop:
	case Hash:
		if len(r.secret) < minSecretSize {
			return fmt.Errorf("mode: hash needs a secret of at least %d random bytes, not of %d", minSecretSize, len(r.secret))
		}
	default:
		return fmt.Errorf("mode: %q is no mode; write mask, hash or drop", r.mode)
	}
	return nil
}

func tooMany(section string, n, most int, what string) error {
	if n <= most {
		return nil
	}
	return fmt.Errorf("%s: there are %d %s; write %d at most, fewer and wider ones", section, n, what, most)
}

// about says which entry an error is about, and quotes what is short enough.
func about(section string, i int, entry string, err error) error {
	if err == nil {
		return nil
	}
	if len(entry) > MaxValueSize {
		entry = entry[:32] + "..."
	}
	return fmt.Errorf("%s::%d: %q %w", section, i, entry, err)
}

// addKey takes a glob. A rule that protects nothing is worse than none, so what was probably meant otherwise is refused.
func (r *Rules) addKey(pattern string) error {
	switch {
	case pattern == "":
		return errors.New(`is empty; write an attribute key such as "db.user", or a glob such as "*password*"`)
	case len(pattern) > MaxKeySize:
		return fmt.Errorf("is longer than %d bytes; write a shorter glob, with * for the rest", MaxKeySize)
	case !utf8.ValidString(pattern):
		return errors.New("is not valid UTF-8; write ? for each character that you cannot write")
	case strings.TrimSpace(pattern) != pattern:
		return errors.New("begins or ends with white space; write it without")
	case strings.HasPrefix(pattern, "^"), strings.HasPrefix(pattern, ".*"), strings.HasSuffix(pattern, "$"),
		strings.ContainsAny(pattern, `\`), strings.Contains(pattern, "(?"):
		return errors.New(`looks like a regular expression; keys are globs, such as "*password*" (patterns belong to values)`)
	}
	g := newGlob(pattern)
	if g.class == classExact {
		r.exact[g.text] = struct{}{}
	} else {
		r.globs = append(r.globs, g)
	}
	if g.spansKeys() {
		r.nested = append(r.nested, g)
	}
	return nil
}

// addValue takes a pattern.
func (r *Rules) addValue(expression string) error {
	p, err := newPattern(expression)
	if err != nil {
		return err
	}
	r.patterns = append(r.patterns, p)
	return nil
}

// Empty reports whether the rules hide nothing.
func (r *Rules) Empty() bool { return r == nil || !r.hidesKeys() && len(r.patterns) == 0 }

func (r *Rules) hidesKeys() bool { return len(r.exact)+len(r.globs) > 0 }

// RewritesText reports whether redaction can change texts that are under no hidden key, such as span names: whether there
// are value patterns.
func (r *Rules) RewritesText() bool { return r != nil && len(r.patterns) > 0 }

// Key reports whether an attribute with the key is hidden, in part or whole: its value because a glob fits the key, or
// the key itself because a value pattern matches in it. A viewer must not be able to ask for such an attribute.
//
// Keys inside a value that is a map are not known here: a viewer who compares such a value has to be shown the redacted
// one.
func (r *Rules) Key(key string) bool {
	if r.Empty() {
		return false
	}
	s := scrubber{rules: r}
	return s.judge([]byte(key)) != keep
}

// Text returns a text as viewers may see it: with the parts that value patterns match replaced, or empty in mode Drop.
// It is for single texts that quote telemetry, such as hints; a Redactor does the same with memory of its own.
func (r *Rules) Text(s string) string {
	if !r.RewritesText() {
		return s
	}
	return string(r.AppendText(nil, s))
}

// AppendText appends what Text returns to dst.
func (r *Rules) AppendText(dst []byte, s string) []byte {
	if !r.RewritesText() {
		return append(dst, s...)
	}
	scrub, text := scrubber{rules: r}, []byte(s)
	return scrub.appendText(dst, text, scrub.find(text, r.patterns))
}

// hides reports whether a glob fits a key, which has been folded.
func (r *Rules) hides(folded []byte) bool {
	if _, ok := r.exact[string(folded)]; ok {
		return true
	}
	return anyFits(r.globs, folded)
}
