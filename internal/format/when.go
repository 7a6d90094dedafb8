package format

import (
	"strconv"
	"time"
)

const nanosPerSecond = 1_000_000_000

// calendar writes moments, given as nanoseconds since 1970 UTC. It remembers the last second that it wrote: those of
// the items of one batch are few. The zero value is ready to use.
type calendar struct {
	second uint64
	text   [len("2006-01-02T15:04:05")]byte
	filled bool
}

// at returns the moment down to the second, in UTC; valid until the next call.
func (c *calendar) at(nanos uint64) []byte {
	if second := nanos / nanosPerSecond; !c.filled || second != c.second {
		time.Unix(int64(second), 0).UTC().AppendFormat(c.text[:0], "2006-01-02T15:04:05")
		c.second, c.filled = second, true
	}
	return c.text[:]
}

// appendMoment appends a moment as RFC 3339 has it, always with nine digits below the second, so that moments sort as
// text does: 2006-01-02T15:04:05.000000000Z.
func (c *calendar) appendMoment(dst []byte, nanos uint64) []byte {
	dst = append(append(dst, c.at(nanos)...), '.')
	dst = appendPadded(dst, uint32(nanos%nanosPerSecond), 9)
	return append(dst, 'Z')
}

// appendClock appends the time of day to the millisecond: 15:04:05.000.
func (c *calendar) appendClock(dst []byte, nanos uint64) []byte {
	dst = append(append(dst, c.at(nanos)[len("2006-01-02T"):]...), '.')
	return appendPadded(dst, uint32(nanos%nanosPerSecond/1_000_000), 3)
}

// appendTime appends one moment. See calendar.appendMoment.
func appendTime(dst []byte, nanos uint64) []byte {
	var c calendar
	return c.appendMoment(dst, nanos)
}

// appendPadded appends v with leading zeros up to a number of digits, which it must not exceed.
func appendPadded(dst []byte, v uint32, digits int) []byte {
	dst = append(dst, "000000000"[:digits]...)
	for i := len(dst) - 1; v > 0; i-- {
		dst[i] = byte('0' + v%10)
		v /= 10
	}
	return dst
}

// appendMillis appends nanoseconds as a decimal number of milliseconds, exactly.
func appendMillis(dst []byte, nanos uint64) []byte {
	dst = strconv.AppendUint(dst, nanos/1_000_000, 10)
	rest := uint32(nanos % 1_000_000)
	if rest == 0 {
		return dst
	}
	dst = appendPadded(append(dst, '.'), rest, 6)
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// appendDuration appends nanoseconds for people: three digits or four, and a unit from ns to h.
func appendDuration(dst []byte, nanos uint64) []byte {
	units := [...]struct {
		name  string
		nanos uint64
		until uint64 // the unit is for durations shorter than this
	}{
		{"ns", 1, 1e3},
		{"µs", 1e3, 1e6},
		{"ms", 1e6, nanosPerSecond},
		{"s", nanosPerSecond, 60 * nanosPerSecond},
		{"m", 60 * nanosPerSecond, 3600 * nanosPerSecond},
	}
	for _, u := range units {
		if nanos < u.until {
			return append(appendRatio(dst, nanos, u.nanos), u.name...)
		}
	}
	return append(appendRatio(dst, nanos, 3600*nanosPerSecond), 'h')
}

// appendRatio appends v/unit, rounded down to three digits if it is below 100, else to a whole number.
func appendRatio(dst []byte, v, unit uint64) []byte {
	whole := v / unit
	decimals := 2
	if whole >= 100 || unit == 1 {
		decimals = 0
	} else if whole >= 10 {
		decimals = 1
	}
	dst = strconv.AppendUint(dst, whole, 10)
	hundredths := uint32(v % unit / (max(unit, 100) / 100))
	if decimals == 0 || hundredths == 0 {
		return dst
	}
	dst = append(dst, '.', byte('0'+hundredths/10%10), byte('0'+hundredths%10))[:len(dst)+1+decimals]
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	if dst[len(dst)-1] == '.' {
		dst = dst[:len(dst)-1]
	}
	return dst
}
