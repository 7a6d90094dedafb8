package selection

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/remotetap/remotetapprocessor/internal/nearest"
)

// tally counts texts in fixed memory: it holds the most frequent ones (Metwally's space-saving algorithm). When it is
// full, a new text takes the place and the count of the rarest, so counts may be too high, never too low.
type tally struct {
	capacity int
	entries  []tallied
	index    map[string]int
}

type tallied struct {
	text  string
	count uint64
}

// maxSeenText is how many bytes of a text are kept.
const maxSeenText = 80

func newTally(capacity int) tally {
	return tally{capacity: capacity, index: make(map[string]int, capacity)}
}

// add counts a text. It keeps a copy.
func (t *tally) add(text string, weight uint64) {
	text = shortened(text)
	if i, ok := t.index[text]; ok {
		t.entries[i].count += weight
		return
	}
	if len(t.entries) < t.capacity {
		t.put(len(t.entries), text, 0, weight)
		return
	}
	rarest := 0
	for i := range t.entries {
		if t.entries[i].count < t.entries[rarest].count {
			rarest = i
		}
	}
	delete(t.index, t.entries[rarest].text)
	t.put(rarest, text, t.entries[rarest].count, weight)
}

func (t *tally) put(i int, text string, count, weight uint64) {
	made := tallied{text: strings.Clone(text), count: count + weight}
	if i == len(t.entries) {
		t.entries = append(t.entries, made)
	} else {
		t.entries[i] = made
	}
	t.index[made.text] = i
}

// most lists the n most frequent texts with their counts: "checkout (4120), cart (812)"; "nothing" if there are none.
func (t *tally) most(n int) string {
	if len(t.entries) == 0 {
		return "nothing"
	}
	entries := slices.Clone(t.entries)
	slices.SortFunc(entries, func(a, b tallied) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.text, b.text))
	})
	var parts []string
	for _, e := range entries[:min(n, len(entries))] {
		parts = append(parts, shown(e.text)+" ("+strconv.FormatUint(e.count, 10)+")")
	}
	if len(entries) > n {
		parts = append(parts, "...")
	}
	return strings.Join(parts, ", ")
}

// nearest lists the n texts that are most like a word.
func (t *tally) nearest(word string, n int) string {
	if len(t.entries) == 0 {
		return "none at all"
	}
	texts := make([]string, 0, len(t.entries))
	distance := make(map[string]int, len(t.entries))
	for _, e := range t.entries {
		texts = append(texts, e.text)
		distance[e.text] = nearest.Distance(strings.ToLower(word), strings.ToLower(e.text))
	}
	slices.SortFunc(texts, func(a, b string) int { return cmp.Or(distance[a]-distance[b], cmp.Compare(a, b)) })
	texts = texts[:min(n, len(texts))]
	for i := range texts {
		texts[i] = shown(texts[i])
	}
	return strings.Join(texts, ", ")
}

// shortened is at most maxSeenText bytes of a text.
func shortened(text string) string {
	if len(text) <= maxSeenText {
		return text
	}
	end := maxSeenText - len("…")
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// shown is a text that comes from telemetry as it may be shown at a terminal.
func shown(text string) string {
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }) {
		return strconv.Quote(text)
	}
	return text
}
