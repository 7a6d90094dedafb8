package selection

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// A value parser turns what a client wrote into the one way of writing it, or says what is wrong and what to write.
// Equal values have equal texts, so that equal selections share a view.

func problem(hint, format string, args ...any) *Error {
	return &Error{Message: fmt.Sprintf(format, args...), Hint: hint}
}

// oneOf takes any of a few words, whatever the case, and writes them as they are in the list.
func oneOf(words ...string) func(string) (string, *Error) {
	return func(value string) (string, *Error) {
		for _, word := range words {
			if strings.EqualFold(word, value) {
				return word, nil
			}
		}
		return "", problem("write "+enumerate(words, "or"), "%q is not one of %s", value, strings.Join(words, ", "))
	}
}

// anyText takes every text, also none.
func anyText(value string) (string, *Error) { return value, nil }

// globText takes a pattern with * and ?; runs of * are one.
func globText(value string) (string, *Error) {
	if value == "" {
		return "", problem("write a name, * for any, or leave it out", "is empty")
	}
	for strings.Contains(value, "**") {
		value = strings.ReplaceAll(value, "**", "*")
	}
	return value, nil
}

// foldedText takes a text whose case does not matter.
func foldedText(value string) (string, *Error) {
	if value == "" {
		return "", problem("write a part of the name, or leave it out", "is empty")
	}
	return lowerASCII(value), nil
}

// traceIDText takes the 32 hex digits of a trace id.
func traceIDText(value string) (string, *Error) {
	const hint = "write all 32 hex digits, such as 5b8efff798038103d269b633813fc60c"
	if len(value) == 16 {
		return "", problem(hint, "%q has 16 digits, like a span id", value)
	}
	id, err := hex.DecodeString(value)
	if err != nil || len(id) != 16 {
		return "", problem(hint, "%q is not a trace id", value)
	}
	if pcommon.TraceID(id).IsEmpty() {
		return "", problem(hint, "zero stands for no trace id")
	}
	return hex.EncodeToString(id), nil
}

// durationText takes a Go duration above a least one.
func durationText(least time.Duration, example string) func(string) (string, *Error) {
	return func(value string) (string, *Error) {
		d, err := time.ParseDuration(value)
		if err != nil {
			hint := "write a number and a unit: " + example
			if _, number := strconv.ParseFloat(value, 64); number == nil {
				hint = "add a unit: " + value + "s or " + value + "ms"
			}
			return "", problem(hint, "%q is not a duration", value)
		}
		if d < least {
			return "", problem("write "+example+", or leave it out", "%s is less than %s", value, shortDuration(least))
		}
		return shortDuration(d), nil
	}
}

// shortDuration is d without parts that are zero: 1m, not 1m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// integerText takes a whole number from a range.
func integerText(least, most uint64, hint string) func(string) (string, *Error) {
	return func(value string) (string, *Error) {
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil || n < least || n > most {
			return "", problem(hint, "%q is not a whole number from %d to %d", value, least, most)
		}
		return strconv.FormatUint(n, 10), nil
	}
}

// rateText takes items per second, also less than one.
func rateText(value string) (string, *Error) {
	const least, most = 0.001, 1e9
	rate, err := strconv.ParseFloat(value, 64)
	if err != nil || !(rate >= least && rate <= most) { // this form refuses NaN, too
		return "", problem("write items per second, such as 100 or 0.5, or leave it out for all",
			"%q is not a number from %g to %g", value, least, most)
	}
	return strconv.FormatFloat(rate, 'f', -1, 64), nil
}

// shareText takes a share of the traffic, above 0 and up to 1.
func shareText(value string) (string, *Error) {
	share, err := strconv.ParseFloat(strings.TrimSuffix(value, "%"), 64)
	if err != nil || !(share > 0 && share <= 100) || (share <= 1 && strings.HasSuffix(value, "%")) {
		return "", problem("write 0.1 for one trace in ten", "%q is not a share above 0, up to 1", value)
	}
	if share > 1 {
		fraction := strconv.FormatFloat(share/100, 'f', -1, 64)
		return "", problem("write "+fraction+" for "+strings.TrimSuffix(value, "%")+" %", "%q is not a share above 0, up to 1", value)
	}
	if share < minShare {
		return "", problem("write 0.1 for one trace in ten", "%q is less than any trace's part", value)
	}
	return strconv.FormatFloat(share, 'f', -1, 64), nil
}

// severityText takes a severity by name, also with OpenTelemetry's steps (warn2), or by number.
func severityText(value string) (string, *Error) {
	severity := severityNamed(value)
	if n, err := strconv.Atoi(value); err == nil && n >= 1 && n <= 24 {
		severity = plog.SeverityNumber(n)
	}
	if severity == plog.SeverityNumberUnspecified {
		return "", problem("write trace, debug, info, warn, error or fatal, or a severity number", "%q is no severity", value)
	}
	return severityName(severity), nil
}

// severityName is the canonical name: warn, warn2, warn3, warn4.
func severityName(severity plog.SeverityNumber) string { return strings.ToLower(severity.String()) }

// severityNamed finds the severity that a name stands for; it is unspecified if none. It allocates nothing.
func severityNamed(name string) plog.SeverityNumber {
	name = strings.TrimSpace(name)
	if name == "" {
		return plog.SeverityNumberUnspecified
	}
	step := plog.SeverityNumber(0)
	if last := name[len(name)-1]; '2' <= last && last <= '4' {
		step = plog.SeverityNumber(last - '1')
		name = name[:len(name)-1]
	}
	for _, word := range [...]struct {
		name  string
		first plog.SeverityNumber
	}{
		{"info", plog.SeverityNumberInfo},
		{"error", plog.SeverityNumberError},
		{"warn", plog.SeverityNumberWarn},
		{"warning", plog.SeverityNumberWarn},
		{"debug", plog.SeverityNumberDebug},
		{"trace", plog.SeverityNumberTrace},
		{"fatal", plog.SeverityNumberFatal},
		// What other systems write.
		{"information", plog.SeverityNumberInfo},
		{"informational", plog.SeverityNumberInfo},
		{"notice", plog.SeverityNumberInfo2},
		{"err", plog.SeverityNumberError},
		{"critical", plog.SeverityNumberFatal},
		{"crit", plog.SeverityNumberFatal},
		{"alert", plog.SeverityNumberFatal},
		{"emergency", plog.SeverityNumberFatal},
		{"emerg", plog.SeverityNumberFatal},
		{"panic", plog.SeverityNumberFatal},
		{"verbose", plog.SeverityNumberTrace},
	} {
		if strings.EqualFold(name, word.name) {
			return min(word.first+step, plog.SeverityNumberFatal4)
		}
	}
	return plog.SeverityNumberUnspecified
}

// SeverityOf is a record's severity: its number, else what its text stands for, else unspecified.
func SeverityOf(record plog.LogRecord) plog.SeverityNumber {
	if n := record.SeverityNumber(); n != plog.SeverityNumberUnspecified {
		return n
	}
	return severityNamed(record.SeverityText())
}
