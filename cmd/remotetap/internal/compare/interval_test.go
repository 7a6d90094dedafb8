package compare

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTheIntervalIsWilsonsWhereItemsAreIndependent(t *testing.T) {
	// The values are from the formula, worked out by hand for 10 of 40: (0.25 + 0.048) / 1.096 +- 0.129.
	var clusters []cluster
	for i := range 40 {
		kept := 0
		if i < 10 {
			kept = 1
		}
		clusters = append(clusters, cluster{items: 1, kept: kept})
	}
	got := ratio(clusters)
	assert.InDelta(t, 0.25, got.value, 1e-9)
	assert.InDelta(t, 0.142, got.low, 0.003)
	assert.InDelta(t, 0.402, got.high, 0.004)
	assert.InDelta(t, 40, got.evidence, 1.5)
}

func TestAnInterval(t *testing.T) {
	for name, test := range map[string]struct {
		clusters  []cluster
		low, high float64 // roughly; 0 and 0 for none
	}{
		"of nothing does not exist":                       {nil, 0, 0},
		"of one trace does not exist":                     {[]cluster{{4, 4}}, 0, 0},
		"of 3 traces that were all kept is still wide":    {[]cluster{{40, 40}, {40, 40}, {40, 40}}, 0.438, 1},
		"of 3 traces that were all dropped is still wide": {[]cluster{{40, 0}, {40, 0}, {40, 0}}, 0, 0.562},
		"of equal losses in all traces counts items":      {[]cluster{{100, 50}, {100, 50}, {100, 50}}, 0.444, 0.556},
	} {
		t.Run(name, func(t *testing.T) {
			got := ratio(test.clusters)
			assert.InDelta(t, test.low, got.low, 0.01)
			assert.InDelta(t, test.high, got.high, 0.01)
			assert.Equal(t, test.high > 0, got.evidence > 0)
		})
	}
}

// Of many samplings with a known rate about 95 % lie within their intervals, though the traces are of
// very different sizes. An interval that took spans for independent would hold about half of them.
func TestIntervalsHoldTheTrueRateAsOftenAsTheySay(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const experiments = 2000
	for _, rate := range []float64{0.05, 0.25, 0.9} {
		within := 0
		for range experiments {
			clusters := make([]cluster, 150)
			for i := range clusters {
				clusters[i].items = 1 + random.IntN(20)
				if random.Float64() < rate {
					clusters[i].kept = clusters[i].items
				}
			}
			if ratio(clusters).contains(rate) {
				within++
			}
		}
		assert.InDelta(t, 0.95, float64(within)/experiments, 0.025, "rate %v", rate)
	}
}

func TestABoundIsWithinTheInterval(t *testing.T) {
	all := wilson(1, 50)
	assert.True(t, all.contains(1))
	assert.True(t, all.contains(all.low))
	assert.False(t, all.contains(0.5))
	assert.False(t, share{value: 0.5}.contains(0.5), "without evidence nothing is known")
	assert.Zero(t, wilson(1.3, 50).evidence, "more came out than went in")
}
