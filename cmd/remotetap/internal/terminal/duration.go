package terminal

import (
	"fmt"
	"strconv"
	"time"
)

// Took is how long something took, with the three digits that matter and in eight columns at most:
// "950µs", "1.23s", and from a minute on "2m05s", "3h02m", "41d". A negative duration is none: "0ns".
func Took(d time.Duration) string {
	switch {
	case d < time.Microsecond:
		return strconv.FormatInt(max(d.Nanoseconds(), 0), 10) + "ns"
	case d < 999500*time.Nanosecond:
		return threeDigits(float64(d)/float64(time.Microsecond)) + "µs"
	case d < 999500*time.Microsecond:
		return threeDigits(float64(d)/float64(time.Millisecond)) + "ms"
	case d < 59950*time.Millisecond:
		return threeDigits(d.Seconds()) + "s"
	default:
		return Elapsed(d)
	}
}

// Elapsed is the time since something, in whole units, of which it has the two largest: "45s", "2m05s",
// "3h02m"; days from 1000 hours on, "41d". A negative duration is none: "0s".
func Elapsed(d time.Duration) string {
	d = max(d, 0).Round(time.Second) // which does not overflow
	hours, minutes, seconds := int(d/time.Hour), int(d/time.Minute)%60, int(d/time.Second)%60
	switch {
	case hours >= 1000:
		return strconv.Itoa(hours/24) + "d"
	case hours > 0:
		return fmt.Sprintf("%dh%02dm", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%dm%02ds", minutes, seconds)
	default:
		return strconv.Itoa(seconds) + "s"
	}
}

// threeDigits is a number from 1 to 1000.
func threeDigits(value float64) string {
	decimals := 0
	switch {
	case value < 9.995:
		decimals = 2
	case value < 99.95:
		decimals = 1
	}
	return strconv.FormatFloat(value, 'f', decimals, 64)
}
