package remotetapprocessor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// passed is how many items passed at a time, in seconds after the start.
type passed struct {
	at    float64
	items int
}

func TestRateIsTheMeanOfTheLastWholeSeconds(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	for name, test := range map[string]struct {
		added []passed
		since float64 // when watching began
		now   float64
		want  float64
	}{
		"nothing passed":                      {now: 5, want: 0},
		"steady":                              {added: []passed{{1.5, 10}, {2.5, 10}, {3.5, 10}}, now: 4.2, want: 10},
		"the second under way does not count": {added: []passed{{1.5, 10}, {2.1, 1000}}, now: 2.2, want: 10},
		"what is older than ten seconds does not count":   {added: []passed{{1.5, 1000}, {20.5, 50}}, now: 25, want: 5},
		"an old bucket is not taken for a new one":        {added: []passed{{1.5, 1000}, {12.5, 10}}, now: 13, want: 1},
		"before there is a whole second, it is what is":   {added: []passed{{0.3, 6}}, since: 0.2, now: 0.8, want: 10},
		"the second in which watching began is not whole": {added: []passed{{0.9, 1000}, {1.5, 4}}, since: 0.8, now: 2.1, want: 4},
	} {
		t.Run(name, func(t *testing.T) {
			var m rateMeter
			for _, p := range test.added {
				m.add(at(p.at), p.items)
			}
			assert.InDelta(t, test.want, m.perSecond(at(test.since), at(test.now)), 0.01)
		})
	}
}
