package selection

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/remotetap/remotetapprocessor/internal/otlp"

	"github.com/remotetap/remotetapprocessor/internal/nearest"
)

// Selection is what a tap asks for: which items, and how it wants them. It is a value that is never changed; Parse makes
// it. Equal selections have equal Strings.
type Selection struct {
	// Delivery is how it wants them.
	Delivery Delivery

	signals Signals
	terms   []Term // in the table's order, then by key, the negated after the plain
}

// Term is one criterion with its values: it holds for an item if one of the values does, or, negated, if none does.
type Term struct {
	Criterion Criterion
	Key       string // of the attribute, if it is about one
	Negated   bool
	Values    []string // canonical texts, sorted, each once; at least one

	signals Signals
}

// Name is the parameter as a client writes it, without a negation.
func (t *Term) Name() string {
	if t.Criterion.Name != AttributeName {
		return t.Criterion.Name
	}
	if !isDotted(t.Key) || strings.HasPrefix(t.Key, attributePrefix) || isParameter(t.Key) {
		return attributePrefix + t.Key
	}
	return t.Key
}

// operator stands between name and value.
func (t *Term) operator() string {
	if t.Negated {
		return "!="
	}
	return "="
}

// String is the term for people: "service=a or b", "name!=health".
func (t *Term) String() string { return t.Name() + t.operator() + enumerate(t.Values, "or") }

// Signals are those that the selection selects from: those of the path and of `signal`, without those that a criterion
// cannot apply to. It is never empty.
func (s Selection) Signals() Signals { return s.signals }

// Terms are the criteria that were given, but for `signal`. The caller does not change them.
func (s Selection) Terms() []Term { return s.terms }

// ReadsTexts reports whether a criterion looks at texts, which redaction by patterns may change.
func (s Selection) ReadsTexts() bool { return s.reads(readsTexts) }

// ReadsValues reports whether a criterion looks at values of attributes or at bodies, which redaction by keys may change,
// too: a value may be a map.
func (s Selection) ReadsValues() bool { return s.reads(readsValues) }

func (s Selection) reads(what reads) bool {
	return slices.ContainsFunc(s.terms, func(t Term) bool { return t.Criterion.reads&what != 0 })
}

// AttributeKeys are the attributes that criteria are about, by the parameter's name. A `where` is not looked into.
func (s Selection) AttributeKeys() iter.Seq2[string, string] {
	return func(yield func(name, key string) bool) {
		for i := range s.terms {
			t := &s.terms[i]
			key := t.Key
			if t.Criterion.Name == serviceCriterion {
				key = serviceName
			}
			if key != "" && !yield(t.Name(), key) {
				return
			}
		}
	}
}

// View is the part of the selection that taps must have in common to share a view: without count, duration and stats.
func (s Selection) View() Selection {
	s.Delivery.Count, s.Delivery.Duration, s.Delivery.Stats = 0, 0, 0
	return s
}

// String is the selection as a query string, without what is the default. Parsed with all signals offered, it gives the
// same selection. The View's String is the key of a view.
func (s Selection) String() string {
	var b strings.Builder
	write := func(name, operator, value string) {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(escape(name, false))
		b.WriteString(operator)
		b.WriteString(escape(value, true))
	}
	applicable := AllSignals()
	for i := range s.terms {
		applicable &= s.terms[i].signals
	}
	if s.signals != applicable {
		write(signalName, "=", s.signals.String())
	}
	for i := range s.terms {
		t := &s.terms[i]
		for _, value := range t.Values {
			write(t.Name(), t.operator(), value)
		}
	}
	for _, o := range Options() {
		if text := o.text(s.Delivery); text != o.text(defaultDelivery()) {
			write(o.Name, "=", text)
		}
	}
	return b.String()
}

// escape is url.QueryEscape, but leaves more as it is, for people: what neither a query string nor curl treats specially.
func escape(text string, value bool) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.~*,:/@", c) >= 0,
			value && (c == '=' || c == '!'):
			b.WriteByte(c)
		case c == ' ':
			b.WriteByte('+')
		default:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}

// compareTerms orders by place in the table, then by key, the negated after the plain.
func compareTerms(place map[string]int, a, b Term) int {
	negated := 0
	if a.Negated != b.Negated {
		negated = -1
		if a.Negated {
			negated = 1
		}
	}
	return cmp.Or(place[a.Criterion.Name]-place[b.Criterion.Name], cmp.Compare(a.Key, b.Key), negated)
}

// Point is a tap point with the signals that it carries.
type Point struct {
	ID      string
	Signals Signals
}

// Covers reports whether the selection wants to see a signal at a point.
func (s Selection) Covers(point string, signal otlp.Signal) bool {
	return s.signals.Has(signal) && s.coversPoint(point)
}

func (s Selection) coversPoint(point string) bool {
	for i := range s.terms {
		t := &s.terms[i]
		if t.Criterion.Name == pointName && newGlobs(t.Values).match(point) == t.Negated {
			return false
		}
	}
	return true
}

// Choose returns those of the points there are that the selection covers, each with the signals that remain at it.
// The error is an *Error that says what there is, if none remains.
func (s Selection) Choose(points []Point) ([]Point, error) {
	var chosen []Point
	var carried Signals // by the points with the name
	for _, p := range points {
		if !s.coversPoint(p.ID) {
			continue
		}
		carried |= p.Signals
		if left := p.Signals & s.signals; left != 0 {
			chosen = append(chosen, Point{ID: p.ID, Signals: left})
		}
	}
	switch {
	case len(chosen) > 0:
		return chosen, nil
	case carried == 0:
		return nil, s.noPoint(points)
	default:
		return nil, &Error{
			Parameter: s.narrowedBy(),
			Message:   "no tap point carries " + enumerate(s.signals.Names(), "or"),
			Hint:      "there are " + carried.words(),
		}
	}
}

// narrowedBy names the parameter that left signals out.
func (s Selection) narrowedBy() string {
	applicable := AllSignals()
	for i := range s.terms {
		applicable &= s.terms[i].signals
		if s.signals == applicable {
			return s.terms[i].Name()
		}
	}
	return signalName
}

// noPoint is the refusal when no point has the name.
func (s Selection) noPoint(points []Point) *Error {
	if len(points) == 0 {
		return &Error{Message: "there are no tap points", Hint: "no pipeline lists remote_tap"}
	}
	ids := make([]string, len(points))
	for i, p := range points {
		ids[i] = p.ID
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	asked := []string{}
	hint := "there are " + strings.Join(ids, ", ")
	if len(ids) == 1 {
		hint = "there is only " + ids[0]
	}
	for i := range s.terms {
		t := &s.terms[i]
		if t.Criterion.Name != pointName {
			continue
		}
		asked = append(asked, t.String())
		if near := nearest.Name(t.Values[0], ids); near != "" && !t.Negated {
			hint = "did you mean " + near + "? " + hint
		}
	}
	if len(asked) == 0 {
		return &Error{Message: "the tap points carry no signal", Hint: hint}
	}
	return &Error{Parameter: pointName, Message: "no tap point fits " + strings.Join(asked, " and "), Hint: hint}
}
