package compare

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/internal/nearest"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// plan is what to ask the collectors for.
type plan struct {
	a, b      string // the points
	signal    tapclient.Signal
	also      []tapclient.Signal // what both have besides
	selection tapclient.Selection
}

// planOf finds the points that are meant, and the signal to compare.
func planOf(listings []tapclient.Listing, a, b string, selection tapclient.Selection) (plan, error) {
	p := plan{selection: selection}
	signals := map[string][]tapclient.Signal{}
	for _, l := range listings {
		for _, point := range l.Points {
			signals[point.ID] = append(signals[point.ID], point.Signals...)
		}
	}
	var err error
	if p.a, err = pointOf(signals, a); err != nil {
		return p, err
	}
	if p.b, err = pointOf(signals, b); err != nil {
		return p, err
	}
	if p.a == p.b {
		return p, app.Usage("%s and %s are one tap point: name two of %s", a, b, strings.Join(idsOf(signals), ", "))
	}
	for _, signal := range []tapclient.Signal{tapclient.Traces, tapclient.Logs, tapclient.Metrics, tapclient.Profiles} {
		if slices.Contains(signals[p.a], signal) && slices.Contains(signals[p.b], signal) &&
			(len(selection.Signal) == 0 || slices.Contains(selection.Signal, signal)) {
			p.also = append(p.also, signal)
		}
	}
	if len(p.also) == 0 {
		return p, app.Usage("there is no signal to compare: %s has %s, %s has %s%s",
			p.a, names(signals[p.a]), p.b, names(signals[p.b]), wanted(selection.Signal))
	}
	p.signal, p.also = p.also[0], p.also[1:]
	return p, nil
}

func wanted(signals []tapclient.Signal) string {
	if len(signals) == 0 {
		return ""
	}
	return ", and you ask for " + names(signals)
}

func names(signals []tapclient.Signal) string {
	var texts []string
	for _, s := range signals {
		if !slices.Contains(texts, string(s)) {
			texts = append(texts, string(s))
		}
	}
	slices.Sort(texts)
	return strings.Join(texts, " and ")
}

// pointOf finds a point by its id, or by the part behind the slash.
func pointOf(signals map[string][]tapclient.Signal, name string) (string, error) {
	if _, ok := signals[name]; ok {
		return name, nil
	}
	ids := idsOf(signals)
	var found []string
	for _, id := range ids {
		if strings.HasSuffix(id, "/"+name) {
			found = append(found, id)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return "", app.Usage("%s could be %s: write the whole id", name, strings.Join(found, " or "))
	}
	hint := ""
	if near := nearest.Name(name, ids); near != "" {
		hint = "; did you mean " + near + "?"
	}
	return "", app.Usage("there is no tap point %s: there is %s%s", name, strings.Join(ids, ", "), hint)
}

func idsOf(signals map[string][]tapclient.Signal) []string {
	ids := make([]string, 0, len(signals))
	for id := range signals {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// look is how much of the traffic is looked at: one of 2^halvings traces.
type look struct {
	halvings int
	auto     bool
	off      bool
}

// mostHalvings is how often the share can be halved: by the first four digits of a hash.
const mostHalvings = 16

// parseLook reads the flag --look: auto, 0, or a share as 0.1, 10% or 1/16.
func parseLook(text string) (look, error) {
	if text == "auto" {
		return look{auto: true}, nil
	}
	part, err := parseShare(text)
	switch {
	case err != nil:
		return look{}, app.Usage("--look %s: write auto, 0 for no look, or a share such as 1/16, 0.05 or 5%%", text)
	case part == 0:
		return look{off: true}, nil
	}
	return look{halvings: min(mostHalvings, int(math.Ceil(-math.Log2(part)-1e-9)))}, nil
}

// share is the part of the traces that is looked at.
func (l look) share() float64 {
	if l.off {
		return 0
	}
	return math.Pow(0.5, float64(l.halvings))
}

// condition keeps that part of the items, in OTTL; "" keeps all. Which ones a hash decides that has
// nothing to do with what samplers decide by: with `sample=`, which goes by the same bits of the trace
// id as they do, one would look at just those traces that they keep.
func (l look) condition(signal tapclient.Signal) string {
	if l.halvings == 0 {
		return ""
	}
	of := "span.trace_id.string"
	if signal == tapclient.Logs { // many have no trace
		of = "String(log.time_unix_nano + log.observed_time_unix_nano)" // one of which may be 0
	}
	pattern := "^" + strings.Repeat("0", l.halvings/4)
	switch l.halvings % 4 {
	case 1:
		pattern += "[0-7]"
	case 2:
		pattern += "[0-3]"
	case 3:
		pattern += "[01]"
	}
	return fmt.Sprintf("IsMatch(Murmur3Hash(%s), %q)", of, pattern)
}

// counting is the selection that counts what passes a point.
func (p plan) counting(point string) tapclient.Selection {
	s := p.selection
	s.Point, s.Signal = []string{point}, []tapclient.Signal{p.signal}
	s.Format, s.Stats = tapclient.FormatNone, countPeriod
	return s
}

// looking is the selection that shows what passes both.
func (p plan) looking(l look) tapclient.Selection {
	s := p.selection
	s.Point, s.Signal, s.Stats = []string{p.a, p.b}, []tapclient.Signal{p.signal}, countPeriod
	if condition := l.condition(p.signal); condition != "" {
		s.Where = []string{condition}
		for i, where := range p.selection.Where {
			s.Where = append(s.Where[:i], "("+where+") and "+condition)
		}
	}
	return s
}

// parseShare reads 25%, 0.25 or 1/4.
func parseShare(text string) (float64, error) {
	text = strings.TrimSpace(text)
	number, divisor := text, 1.0
	if before, ok := strings.CutSuffix(text, "%"); ok {
		number, divisor = before, 100
	} else if before, after, ok := strings.Cut(text, "/"); ok {
		var err error
		if divisor, err = strconv.ParseFloat(after, 64); err != nil {
			return 0, err
		}
		number = before
	}
	value, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil {
		return 0, err
	}
	if value /= divisor; !(value >= 0 && value <= 1) {
		return 0, errors.New("a share is from 0 to 1")
	}
	return value, nil
}
