package selection

import (
	"strings"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// Signals is a set of signals, one bit each.
type Signals uint8

// SignalsOf returns the set of the given signals.
func SignalsOf(signals ...otlp.Signal) Signals {
	var set Signals
	for _, signal := range signals {
		set |= 1 << signal
	}
	return set
}

// AllSignals returns the set of every signal.
func AllSignals() Signals { return 1<<otlp.NumSignals - 1 }

// Has reports whether the signal is in the set.
func (s Signals) Has(signal otlp.Signal) bool { return s&(1<<signal) != 0 }

// Names lists the signals in the collector's order, by the names that configurations use. It is never nil.
func (s Signals) Names() []string {
	names := []string{}
	for signal := range otlp.Signal(otlp.NumSignals) {
		if s.Has(signal) {
			names = append(names, signal.String())
		}
	}
	return names
}

// String is the names with commas, as the parameter `signal` takes them.
func (s Signals) String() string { return strings.Join(s.Names(), ",") }

// words is the set in a sentence: "traces and logs".
func (s Signals) words() string { return enumerate(s.Names(), "and") }

// enumerate joins names for a sentence: "a, b or c".
func enumerate(names []string, conjunction string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " " + conjunction + " " + names[last]
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
