package redact

import "slices"

// mask is what stands for a hidden text in mode Mask.
const mask = "****"

// scrubber redacts texts. It holds the memory for it: the zero value with rules is ready, and for one goroutine.
type scrubber struct {
	rules *Rules
	found []extent
	hash  hasher
	fold  []byte
}

// extent is a part of a text.
type extent struct{ start, end int }

// find returns the parts of a text that some patterns match, in order and apart from each other: parts that overlap or
// touch are one, so that nothing of either stays. They are valid until the next call.
func (s *scrubber) find(text []byte, patterns []*pattern) []extent {
	s.found = s.found[:0]
	matched := 0
	for _, p := range patterns {
		if !p.need.in(text) {
			continue
		}
		before := len(s.found)
		s.found = p.appendMatches(s.found, text)
		if len(s.found) > before {
			matched++
		}
	}
	if matched > 1 {
		slices.SortFunc(s.found, func(a, b extent) int { return a.start - b.start })
	}
	s.found = joined(s.found)
	return s.found
}

// joined makes one of extents that overlap or touch. They come in order of their starts.
func joined(found []extent) []extent {
	kept := 0
	for i, e := range found {
		if i > 0 && e.start <= found[kept-1].end {
			found[kept-1].end = max(found[kept-1].end, e.end)
			continue
		}
		found[kept] = e
		kept++
	}
	return found[:kept]
}

// appendText appends a text in which parts were found as viewers may see it.
func (s *scrubber) appendText(dst, text []byte, found []extent) []byte {
	if s.rules.mode == Drop && len(found) > 0 {
		return dst
	}
	from := 0
	for _, e := range found {
		dst = append(dst, text[from:e.start]...)
		dst = s.appendHidden(dst, text[e.start:e.end])
		from = e.end
	}
	return append(dst, text[from:]...)
}

// appendHidden appends what stands for a hidden text in modes Mask and Hash.
func (s *scrubber) appendHidden(dst, text []byte) []byte {
	if s.rules.mode == Hash {
		sum := s.digest(text)
		return appendDigest(dst, &sum)
	}
	return append(dst, mask...)
}

// verdict is what the rules say of a key.
type verdict uint8

const (
	keep     verdict = 0
	hides    verdict = 1 << 0 // the value of the key
	rewrites verdict = 1 << 1 // the key itself: a value pattern matches in it. In mode Drop the attribute is hidden, too.
)

// judge finds the verdict of a key by itself.
func (s *scrubber) judge(key []byte) verdict {
	v := keep
	if s.rules.hidesKeys() {
		s.fold = fold(s.fold[:0], key)
		if s.rules.hides(s.fold) {
			v = hides
		}
	}
	if len(s.find(key, s.rules.patterns)) > 0 {
		v |= rewrites
		if s.rules.mode == Drop {
			v |= hides
		}
	}
	return v
}
