package top

import (
	"strconv"
	"time"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
)

// perSecond is a rate as a column has it: with one digit after the point while it is small.
func perSecond(items uint64, elapsed time.Duration) string {
	rate := rateOf(items, elapsed)
	switch {
	case items == 0:
		return "0"
	case rate < 0.1:
		return "<0.1"
	case rate < 9.95:
		return strconv.FormatFloat(rate, 'f', 1, 64)
	default:
		return app.Number(uint64(rate + 0.5))
	}
}

// rateOf is in items per second; 0 if no time has passed.
func rateOf(items uint64, elapsed time.Duration) float64 {
	if elapsed <= 0 {
		return 0
	}
	return float64(items) / elapsed.Seconds()
}

// percent is a share as a column has it. What is not quite nothing, or not quite all, does not look
// as if it were.
func percent(f figures) string {
	p := f.share() * 100
	switch {
	case f.errors == 0:
		return "0%"
	case f.errors == f.items:
		return "100%"
	case p < 0.1:
		return "<0.1%"
	case p > 99.9:
		return ">99.9%"
	default:
		return strconv.FormatFloat(p, 'f', 1, 64) + "%"
	}
}

// took is a duration with three digits at most: "950µs", "1.23s", "12.3s", "2m05s"; "" if there is
// none.
func took(d time.Duration) string {
	switch {
	case d < 0:
		return ""
	case d < time.Microsecond:
		return strconv.Itoa(int(d)) + "ns"
	case d < time.Millisecond-time.Microsecond/2:
		return digits(float64(d)/float64(time.Microsecond)) + "µs"
	case d < time.Second-time.Millisecond/2:
		return digits(float64(d)/float64(time.Millisecond)) + "ms"
	case d < time.Minute-50*time.Millisecond:
		return digits(d.Seconds()) + "s"
	default:
		return clockOf(d)
	}
}

// digits writes a number below 1000 with three digits, and at most two after the point.
func digits(f float64) string {
	decimals := 0
	if f < 9.995 {
		decimals = 2
	} else if f < 99.95 {
		decimals = 1
	}
	return strconv.FormatFloat(f, 'f', decimals, 64)
}

// clockOf is a time in whole seconds: "45s", "2m05s", "3h02m".
func clockOf(d time.Duration) string {
	d = d.Round(time.Second)
	hours, minutes, seconds := int(d/time.Hour), int(d/time.Minute)%60, int(d/time.Second)%60
	switch {
	case hours > 0:
		return strconv.Itoa(hours) + "h" + twoDigits(minutes) + "m"
	case minutes > 0:
		return strconv.Itoa(minutes) + "m" + twoDigits(seconds) + "s"
	default:
		return strconv.Itoa(seconds) + "s"
	}
}

func twoDigits(n int) string {
	if n < 10 {
		return "0" + strconv.Itoa(n)
	}
	return strconv.Itoa(n)
}
