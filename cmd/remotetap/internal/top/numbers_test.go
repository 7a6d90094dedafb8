package top

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestDurationsHaveThreeDigits(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-1: "", 0: "0ns", 999: "999ns",
		time.Microsecond:            "1.00µs",
		999600:                      "1.00ms",
		950 * time.Microsecond:      "950µs",
		9996 * time.Microsecond:     "10.0ms",
		12 * time.Millisecond:       "12.0ms",
		1234 * time.Millisecond:     "1.23s",
		999600 * time.Microsecond:   "1.00s",
		59940 * time.Millisecond:    "59.9s",
		59960 * time.Millisecond:    "1m00s",
		125 * time.Second:           "2m05s",
		3*time.Hour + 2*time.Minute: "3h02m",
	} {
		assert.Equal(t, want, took(d), "%d ns", int64(d))
	}
}

func TestRatesAndSharesDoNotPretend(t *testing.T) {
	second := time.Second
	assert.Equal(t, "0", perSecond(0, second))
	assert.Equal(t, "0", perSecond(0, 0))
	assert.Equal(t, "<0.1", perSecond(1, time.Minute))
	assert.Equal(t, "3.5", perSecond(7, 2*second))
	assert.Equal(t, "10", perSecond(996, 100*second))
	assert.Equal(t, "12,346", perSecond(123456, 10*second))

	assert.Equal(t, "0%", percent(figures{items: 10}))
	assert.Equal(t, "<0.1%", percent(figures{items: 10000, errors: 1}), "that is not none")
	assert.Equal(t, "33.3%", percent(figures{items: 3, errors: 1}))
	assert.Equal(t, ">99.9%", percent(figures{items: 10000, errors: 9999}), "that is not all")
	assert.Equal(t, "100%", percent(figures{items: 3, errors: 3}))
}
