package top

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/tapclient"
)

// Rates are over the time in which there was something to see.
func TestCountingBeginsWithTheTapAndEndsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(nil, 2*time.Second)
		pass := func(d time.Duration) {
			time.Sleep(d) //nolint:forbidigo // of fake time
		}
		pass(5 * time.Second) // until a collector answers
		require.NoError(t, f.event(&tapclient.Up{}))
		pass(10 * time.Second)
		for _, b := range orderBatches(t, 0, 10) {
			require.NoError(t, f.batch(b))
		}
		require.NoError(t, f.event(&tapclient.Up{}), "a second collector, or the first again, begins nothing")
		require.NoError(t, f.event(&tapclient.End{Time: time.Now()}))
		pass(time.Hour)
		s := f.final(tapclient.Totals{Received: tapclient.Received{Items: 70}})
		assert.Equal(t, 10*time.Second, s.elapsed(true))
		assert.EqualValues(t, 70, s.items())
		assert.EqualValues(t, 70, s.totals.Received.Items)
		assert.False(t, s.totalLow)
		s = f.final(tapclient.Totals{Ledger: tapclient.Ledger{Skipped: 1}})
		assert.True(t, s.totalLow, "the last account tells of a loss")
	})
}

func TestHintsAndLossesAreThoseOfNow(t *testing.T) {
	f := newFeed(nil, time.Second)
	require.NoError(t, f.event(&tapclient.Stats{Hints: []string{"no service is called chekout"}}))
	f.told(tapclient.Totals{Ledger: tapclient.Ledger{Matched: 10, Dropped: map[string]uint64{"queue_full": 3}}})
	s := f.state()
	assert.Equal(t, []string{"no service is called chekout"}, s.hints)
	assert.True(t, s.totalLow && s.windowLow)
	assert.Equal(t, "Counts are lower bounds: dropped 3 of 10: queue_full 3", lossLine(s.totals))
	f.restart()
	s = f.state()
	assert.False(t, s.totalLow || s.windowLow)
	assert.Empty(t, lossLine(s.totals))
	f.told(tapclient.Totals{Ledger: tapclient.Ledger{Matched: 12, Dropped: map[string]uint64{"queue_full": 4}}})
	assert.True(t, f.state().totalLow)
}

// The watching goroutine and the one that draws meet here; the race detector listens.
func TestAFeedIsForManyGoroutines(t *testing.T) {
	f := newFeed(nil, time.Nanosecond)
	batches := orderBatches(t, 0, 20)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for _, b := range batches {
				assert.NoError(t, f.batch(b))
				f.told(tapclient.Totals{Received: tapclient.Received{Items: 1}})
				assert.NotNil(t, f.state())
			}
		})
	}
	group.Wait()
	assert.EqualValues(t, 4*140, f.state().items())
}
