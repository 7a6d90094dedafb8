package remotetapprocessor

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

const (
	defaultMaxMessage = 64 * kib // websocat's buffer: what is longer it splits into several lines
	minMaxMessage     = 1 * kib
	maxMaxMessage     = 16 * mib
)

// selection is what a tap asks for. Taps with equal selections share a view.
type selection struct {
	signals    signalSet
	maxMessage int // bytes
}

// signalSet is a set of signals, one bit each.
type signalSet uint8

func setOf(signals ...otlp.Signal) signalSet {
	var set signalSet
	for _, signal := range signals {
		set |= 1 << signal
	}
	return set
}

func (s signalSet) has(signal otlp.Signal) bool { return s&(1<<signal) != 0 }

// names lists the signals in the collector's order.
func (s signalSet) names() []string {
	names := []string{}
	for signal := range otlp.Signal(otlp.NumSignals) {
		if s.has(signal) {
			names = append(names, signal.String())
		}
	}
	return names
}

// signalNamed finds a signal by the name that configurations use.
func signalNamed(name string) (otlp.Signal, bool) {
	for signal := range otlp.Signal(otlp.NumSignals) {
		if signal.String() == name {
			return signal, true
		}
	}
	return 0, false
}

func allSignals() signalSet { return 1<<otlp.NumSignals - 1 }

// String is the selection as a query string, without what is the default.
func (s selection) String() string {
	var parts []string
	if s.signals != allSignals() {
		parts = append(parts, "signal="+strings.Join(s.signals.names(), ","))
	}
	if s.maxMessage != defaultMaxMessage {
		parts = append(parts, "max_message="+strconv.Itoa(s.maxMessage))
	}
	return strings.Join(parts, "&")
}

// parameter is one query parameter of a tap.
type parameter struct {
	name  string
	parse func(*selection, string) error
}

// parameters are the query parameters that this version knows.
func parameters() []parameter {
	return []parameter{
		{"signal", parseSignals},
		{"format", parseFormat},
		{"max_message", parseMaxMessage},
	}
}

// parseSelection reads the selection from a query string. `offered` are the signals that the path
// stands for. The error is a *refusal that names the parameter.
func parseSelection(rawQuery string, offered signalSet) (selection, error) {
	sel := selection{signals: offered, maxMessage: defaultMaxMessage}
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return sel, badParameter("", fmt.Sprintf("the query string is malformed: %v", err),
			"escape special characters: %25 for %, %26 for &, %3B for ;")
	}
	known := parameters()
	for _, name := range sortedKeys(query) {
		i := slices.IndexFunc(known, func(p parameter) bool { return p.name == name })
		if i < 0 {
			return sel, unknownParameter(name, known)
		}
		values := query[name]
		if len(values) > 1 {
			return sel, badParameter(name, "is given "+strconv.Itoa(len(values))+" times", "give it once")
		}
		if err := known[i].parse(&sel, values[0]); err != nil {
			return sel, err
		}
	}
	return sel, nil
}

func sortedKeys(query url.Values) []string {
	keys := make([]string, 0, len(query))
	for key := range query {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func parseSignals(sel *selection, value string) error {
	var asked signalSet
	for name := range strings.SplitSeq(value, ",") {
		signal, ok := signalNamed(strings.TrimSpace(name))
		if !ok {
			return badParameter("signal", fmt.Sprintf("%q is no signal", name),
				"write one or more of traces, metrics, logs, profiles, with commas between them")
		}
		asked |= setOf(signal)
	}
	if asked&^sel.signals != 0 {
		return badParameter("signal", fmt.Sprintf("this path carries %s only", strings.Join(sel.signals.names(), ", ")),
			"leave the parameter out, or use /v1/tap")
	}
	sel.signals = asked
	return nil
}

func parseFormat(_ *selection, value string) error {
	if value == "otlp_json" {
		return nil
	}
	if slices.Contains([]string{"json", "text", "otlp_proto", "none"}, value) {
		return badParameter("format", value+" is not available yet", "write otlp_json, or leave it out")
	}
	return badParameter("format", fmt.Sprintf("%q is no format", value), "write otlp_json, or leave it out")
}

func parseMaxMessage(sel *selection, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < minMaxMessage || n > maxMaxMessage {
		return badParameter("max_message", fmt.Sprintf("%q is not a number of bytes from %d to %d", value, minMaxMessage, maxMaxMessage),
			fmt.Sprintf("leave it out for %d, which websocat shows as one line", defaultMaxMessage))
	}
	sel.maxMessage = n
	return nil
}
