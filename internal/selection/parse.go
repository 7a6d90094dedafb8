package selection

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// What a request may hold at most, so that no client makes parsing or matching expensive by size alone.
const (
	maxTerms       = 64   // criteria: a matcher has one bit for each
	maxValues      = 256  // values of all criteria
	maxValueLength = 4096 // bytes
	maxConditions  = 8    // OTTL conditions: parsing one may take a tenth of a second
)

// attributePrefix begins a parameter about an attribute whose key has no dot, or is the name of a criterion.
const attributePrefix = "attr."

// Parse reads a selection from a query string's values. `offered` are the signals that the request's path stands for.
// The error is an *Error that names the parameter.
func Parse(values url.Values, offered Signals) (Selection, error) {
	p := parser{criteria: Criteria(), options: Options(), given: map[string]*Term{}}
	p.selection = Selection{Delivery: defaultDelivery(), signals: offered}
	for _, parameter := range slices.Sorted(maps.Keys(values)) {
		if err := p.parameter(parameter, values[parameter]); err != nil {
			return Selection{}, err
		}
	}
	if err := p.narrow(offered); err != nil {
		return Selection{}, err
	}
	p.selection.Delivery = p.selection.Delivery.normalized()
	if d := p.selection.Delivery; d.Format == FormatNone && d.Stats == 0 {
		return Selection{}, wrong("format", "add stats=1s, or write another format", "none delivers nothing without stats")
	}
	return p.selection, nil
}

// parser is one call of Parse.
type parser struct {
	criteria  []Criterion
	options   []Option
	selection Selection
	given     map[string]*Term // by name and operator
	values    int
}

// parameter reads all values of one parameter.
func (p *parser) parameter(parameter string, values []string) *Error {
	name, negated := parameter, false
	if before, after, found := strings.Cut(parameter, "!="); found {
		// NAME!=VALUE arrived as a name: its = was escaped.
		name, negated = before, true
		values = prefixed(after, values)
	} else if before, found := strings.CutSuffix(parameter, "!"); found {
		name, negated = before, true
	}
	for _, value := range values {
		if err := checkText(name, value); err != nil {
			return err
		}
	}
	if i := slices.IndexFunc(p.options, func(o Option) bool { return o.Name == name }); i >= 0 {
		return p.option(p.options[i], negated, values)
	}
	return p.criterion(name, negated, values)
}

// prefixed puts the part of a value that arrived within the name before the rest of it.
func prefixed(head string, tails []string) []string {
	values := make([]string, len(tails))
	for i, tail := range tails {
		values[i] = head
		if tail != "" {
			values[i] += "=" + tail
		}
	}
	return values
}

func checkText(name, value string) *Error {
	switch {
	case len(name) > maxValueLength:
		return &Error{Message: "a parameter's name is longer than " + strconv.Itoa(maxValueLength) + " bytes", Hint: "write a shorter one"}
	case !utf8.ValidString(name):
		return &Error{Message: "a parameter's name is not valid UTF-8: " + strconv.Quote(name), Hint: "write it as UTF-8, percent-encoded"}
	case len(value) > maxValueLength:
		return wrong(name, "write a shorter one", "is longer than %d bytes", maxValueLength)
	case !utf8.ValidString(value):
		return wrong(name, "write it as UTF-8, percent-encoded", "%q is not valid UTF-8", value)
	default:
		return nil
	}
}

// option reads a delivery option.
func (p *parser) option(o Option, negated bool, values []string) *Error {
	if negated {
		return wrong(o.Name, "write "+o.Name+"="+o.Value, "cannot be negated")
	}
	if len(values) != 1 {
		return givenOften(o.Name, len(values))
	}
	text, err := o.parse(values[0])
	if err != nil {
		return about(o.Name, err)
	}
	o.set(&p.selection.Delivery, text)
	return nil
}

// criterion reads the values of a criterion or of an attribute.
func (p *parser) criterion(name string, negated bool, values []string) *Error {
	c, key := p.find(name)
	switch {
	case c == nil:
		return unknownParameter(name)
	case c.Name == AttributeName && key == "":
		return wrong(name, "write attr.KEY=VALUE", "names no attribute")
	case negated && !c.Negates:
		return wrong(name, notNegated(c, values), "cannot be negated")
	case len(values) > 1 && !c.Repeats:
		return givenOften(name, len(values))
	}
	p.values += len(values)
	if p.values > maxValues {
		return wrong(name, "ask for less, or use more than one tap", "there are more than %d values", maxValues)
	}
	t := p.term(c, key, negated)
	for _, value := range values {
		text, err := c.parse(value)
		if err != nil {
			return about(name, err)
		}
		t.Values = append(t.Values, text)
	}
	return nil
}

// find returns the criterion that a name stands for, and the attribute's key if it is one; nil if there is none.
func (p *parser) find(name string) (*Criterion, string) {
	if c := p.named(name); c != nil && name != AttributeName {
		return c, ""
	}
	if key, prefixed := strings.CutPrefix(name, attributePrefix); prefixed {
		return p.named(AttributeName), key
	}
	if isDotted(name) {
		return p.named(AttributeName), name
	}
	return nil, ""
}

func (p *parser) named(name string) *Criterion {
	i := slices.IndexFunc(p.criteria, func(c Criterion) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &p.criteria[i]
}

// isDotted reports whether a parameter can be an attribute's key as it is.
func isDotted(name string) bool { return strings.Contains(name, ".") && strings.Trim(name, ".") != "" }

// term returns the term for a criterion, which a parameter with another spelling may have begun.
func (p *parser) term(c *Criterion, key string, negated bool) *Term {
	id := c.Name + "\x00" + key + "\x00" + strconv.FormatBool(negated)
	if p.given[id] == nil {
		p.given[id] = &Term{Criterion: *c, Key: key, Negated: negated, signals: c.Signals}
	}
	return p.given[id]
}

// narrow finishes the terms, puts them in order, and finds the signals that remain.
func (p *parser) narrow(offered Signals) *Error {
	place := map[string]int{}
	for i, c := range p.criteria {
		place[c.Name] = i
	}
	terms := make([]Term, 0, len(p.given))
	for _, t := range p.given {
		slices.Sort(t.Values)
		t.Values = slices.Compact(t.Values)
		terms = append(terms, *t)
	}
	slices.SortFunc(terms, func(a, b Term) int { return compareTerms(place, a, b) })
	if len(terms) > maxTerms {
		return &Error{Message: "there are more than " + strconv.Itoa(maxTerms) + " criteria", Hint: "ask for less, or use `where`"}
	}
	reasons := "this path carries " + offered.words()
	if offered == AllSignals() {
		reasons = ""
	}
	for i := range terms {
		t := &terms[i]
		if err := t.choose(offered); err != nil {
			return about(t.Name(), err)
		}
		left := p.selection.signals & t.signals
		if left == 0 {
			return wrong(t.Name(), "leave one of them out", "selects from %s only, but %s only", t.signals.words(), reasons)
		}
		if left != p.selection.signals {
			reasons = t.Name() + " selects from " + t.signals.words()
		}
		p.selection.signals = left
		if t.Criterion.Name != signalName {
			p.selection.terms = append(p.selection.terms, *t)
		}
	}
	return nil
}

// choose finds the signals that the term's values apply to.
func (t *Term) choose(offered Signals) *Error {
	switch t.Criterion.Name {
	case signalName:
		t.signals = 0
		for _, value := range t.Values {
			t.signals |= signalsIn(value)
		}
		if t.signals&^offered != 0 {
			return problem("leave the parameter out, or use /v1/tap", "this path carries %s only", enumerate(offered.Names(), "and"))
		}
	case whereName:
		if len(t.Values) > maxConditions {
			return problem("join them with `or`", "there are more than %d conditions", maxConditions)
		}
		t.signals = 0
		for _, value := range t.Values {
			c, err := parseCondition(value)
			if err != nil {
				return err
			}
			t.signals |= c.signals()
		}
	}
	return nil
}

// signalText takes names of signals with commas between them.
func signalText(value string) (string, *Error) {
	for name := range strings.SplitSeq(value, ",") {
		if _, ok := signalNamed(strings.TrimSpace(name)); !ok {
			return "", problem("write one or more of traces, metrics, logs, profiles, with commas between them", "%q is no signal", name)
		}
	}
	return signalsIn(value).String(), nil
}

// signalsIn reads what signalText has checked.
func signalsIn(text string) Signals {
	var asked Signals
	for name := range strings.SplitSeq(text, ",") {
		if signal, ok := signalNamed(strings.TrimSpace(name)); ok {
			asked |= SignalsOf(signal)
		}
	}
	return asked
}

// isParameter reports whether a key is a criterion's or an option's name, and so no attribute's.
func isParameter(key string) bool {
	return slices.Contains(criterionNames(), key) || slices.Contains(optionNames(), key)
}

// about puts the parameter's name to an error about its value.
func about(name string, err *Error) *Error {
	return &Error{Parameter: name, Message: name + ": " + err.Message, Hint: err.Hint}
}

func givenOften(name string, times int) *Error {
	return wrong(name, "give it once", "is given %d times", times)
}

// notNegated says what to write instead of a negation.
func notNegated(c *Criterion, values []string) string {
	switch {
	case c.Value == "true|false" && len(values) == 1 && values[0] == "true":
		return "write " + c.Name + "=false"
	case c.Value == "true|false":
		return "write " + c.Name + "=true"
	case c.Name == whereName:
		return "write where=not (...)"
	default:
		return "only text can be; write " + c.Name + "=" + c.Value
	}
}
