package top

import (
	"strconv"
	"time"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
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

// took is a duration as a column has it; "" if there is none.
func took(d time.Duration) string {
	if d < 0 {
		return ""
	}
	return terminal.Took(d)
}
