package selection

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// OpenTelemetry's consistent probability sampling: each trace has 56 random bits R, and a share p of all traces has
// R >= T with the rejection threshold T = (1-p) * 2^56. Whoever asks for the same share keeps the same traces.
// https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/
const (
	randomValues = 1 << 56
	randomDigits = 14 // hex digits of R, and of T
	minShare     = 1.0 / randomValues
)

// samplerDigits is how many hex digits of the threshold the probabilistic_sampler keeps unless it is told otherwise
// (sampling_precision); SDKs do the same.
const samplerDigits = 4

// rejectionThreshold is T for a share of minShare to 1. Samplers round T to a few digits; this is the lower of the exact
// value and theirs, so that behind a sampler of the same share everything is kept.
func rejectionThreshold(share float64) uint64 {
	exact := uint64(randomValues) - uint64(math.Round(share*randomValues))
	return min(exact, roundedThreshold(exact, share))
}

// roundedThreshold keeps samplerDigits digits after those leading ones that say nothing, 0 or f.
func roundedThreshold(exact uint64, share float64) uint64 {
	if share == 1 {
		return 0
	}
	_, small := math.Frexp(share)
	_, large := math.Frexp(1 - share)
	digits := min(randomDigits, samplerDigits+max(small/-4, large/-4))
	shift := 4 * (randomDigits - digits)
	if shift == 0 {
		return exact
	}
	return (exact + 1<<(shift-1)) >> shift << shift
}

// sampleTests keep a share of the traces with all that belongs to them: spans and log records by their trace, what has
// no trace id (data points among it) at random.
func sampleTests(t *Term) tests {
	share, _ := strconv.ParseFloat(t.Values[0], 64) // shareText wrote it
	threshold := rejectionThreshold(share)
	atRandom := func() bool { return rand.Uint64()%randomValues >= threshold } //nolint:gosec // a share, not a secret
	byTrace := func(id pcommon.TraceID) bool {
		r := traceRandomness(id)
		if r == 0 && id.IsEmpty() {
			return atRandom()
		}
		return r >= threshold
	}
	return tests{
		span: func(span ptrace.Span) bool {
			if state := span.TraceState().AsRaw(); state != "" {
				if r, ok := explicitRandomness(state); ok {
					return r >= threshold
				}
			}
			return byTrace(span.TraceID())
		},
		record: func(record plog.LogRecord) bool { return byTrace(record.TraceID()) },
		point:  func(pcommon.Map) bool { return atRandom() },
	}
}

// traceRandomness is R as the trace id has it: its low 56 bits.
func traceRandomness(id pcommon.TraceID) uint64 {
	return binary.BigEndian.Uint64(id[8:]) % randomValues
}

// explicitRandomness is R as a W3C tracestate has it: `rv` in the `ot` entry, 14 hex digits. It allocates nothing.
func explicitRandomness(state string) (uint64, bool) {
	for state != "" {
		var entry string
		entry, state, _ = strings.Cut(state, ",")
		if fields, ok := strings.CutPrefix(strings.TrimSpace(entry), "ot="); ok {
			return randomnessIn(fields)
		}
	}
	return 0, false
}

// randomnessIn finds rv in the fields of an `ot` entry: "th:c;rv:0123456789abcd".
func randomnessIn(fields string) (uint64, bool) {
	for fields != "" {
		var field string
		field, fields, _ = strings.Cut(fields, ";")
		digits, ok := strings.CutPrefix(field, "rv:")
		if !ok {
			continue
		}
		r, err := strconv.ParseUint(digits, 16, 64)
		return r, err == nil && len(digits) == randomDigits
	}
	return 0, false
}
