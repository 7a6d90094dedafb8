package terminal_test

import (
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/assert"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
)

func TestDurationsHaveThreeDigitsThatMatter(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-1:                              "0ns",
		0:                               "0ns",
		999:                             "999ns",
		1000:                            "1.00µs",
		1500:                            "1.50µs",
		12_345:                          "12.3µs",
		999_499:                         "999µs",
		999_500:                         "1.00ms",
		9_996_000:                       "10.0ms",
		12_345_678:                      "12.3ms",
		99_960_000:                      "100ms",
		999_500_000:                     "1.00s",
		1_234 * time.Millisecond:        "1.23s",
		9_996 * time.Millisecond:        "10.0s",
		59_940 * time.Millisecond:       "59.9s",
		59_950 * time.Millisecond:       "1m00s",
		61 * time.Second:                "1m01s",
		125 * time.Second:               "2m05s",
		59*time.Minute + 59*time.Second: "59m59s",
		59*time.Minute + 59_600e6:       "1h00m",
		3*time.Hour + 2*time.Minute:     "3h02m",
		999*time.Hour + 59*time.Minute:  "999h59m",
		1000 * time.Hour:                "41d",
		time.Duration(1<<63 - 1):        "106751d",
	} {
		assert.Equal(t, want, terminal.Took(d), "%d ns", int64(d))
		assert.LessOrEqual(t, ansi.StringWidth(terminal.Took(d)), 8)
	}
}

func TestElapsedTimeIsInWholeSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour:                "0s",
		0:                         "0s",
		400 * time.Millisecond:    "0s",
		2_600 * time.Millisecond:  "3s",
		59_400 * time.Millisecond: "59s",
		59_600 * time.Millisecond: "1m00s",
		2*time.Hour + 5*time.Minute + 59*time.Second: "2h05m",
		time.Duration(1<<63 - 1):                     "106751d",
	} {
		assert.Equal(t, want, terminal.Elapsed(d), "%d ns", int64(d))
	}
}
