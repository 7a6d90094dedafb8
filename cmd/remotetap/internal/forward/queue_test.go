package forward

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/goleak"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
	"github.com/remotetap/remotetapprocessor/internal/shop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func pieceOf(signal otlp.Signal, text string, items uint64) piece {
	return piece{signal: signal, proto: []byte(text), items: items}
}

func TestWhatWaitsIsMergedByItsSignal(t *testing.T) {
	q := newQueue(1<<20, func(uint64) { t.Error("nothing is lost") })
	first := []byte("aa")
	q.push(piece{signal: otlp.Traces, proto: first[:1], items: 1})
	q.push(pieceOf(otlp.Logs, "l", 10))
	q.push(pieceOf(otlp.Profiles, "p", 100))
	q.push(pieceOf(otlp.Traces, "b", 2))
	q.push(pieceOf(otlp.Profiles, "q", 200))
	q.push(pieceOf(otlp.Logs, "m", 20))
	assert.EqualValues(t, 333, q.pending())
	q.close()
	var got []piece
	for {
		p, ok := q.take(t.Context())
		if !ok {
			break
		}
		p.number = 0
		got = append(got, p)
	}
	assert.Equal(t, []piece{
		pieceOf(otlp.Traces, "ab", 3), pieceOf(otlp.Logs, "lm", 30), pieceOf(otlp.Profiles, "p", 100), pieceOf(otlp.Profiles, "q", 200),
	}, got)
	assert.Equal(t, "aa", string(first), "what came is not changed")
	assert.EqualValues(t, 333, q.pending(), "they are on their way")
	q.done(333)
	assert.Zero(t, q.pending())
}

func TestMergedRequestsAreNotLarge(t *testing.T) {
	q := newQueue(64<<20, nil)
	for range 30 {
		q.push(piece{signal: otlp.Logs, proto: make([]byte, 100_000), items: 1})
	}
	q.close()
	var sizes []int
	for {
		p, ok := q.take(t.Context())
		if !ok {
			break
		}
		sizes = append(sizes, len(p.proto))
	}
	assert.Equal(t, []int{1_000_000, 1_000_000, 1_000_000}, sizes)
}

func TestTheOldestMakesRoomAndIsCounted(t *testing.T) {
	var lost uint64
	q := newQueue(3*(1000+overhead), func(items uint64) { lost += items })
	for i := range 10 {
		signal := otlp.Traces
		if i%2 == 0 {
			signal = otlp.Logs
		}
		q.push(piece{signal: signal, proto: slices.Repeat([]byte(strconv.Itoa(i)), 1000), items: 1 << i})
	}
	assert.EqualValues(t, 1<<7-1, lost)
	assert.EqualValues(t, 1<<7+1<<8+1<<9, q.pending())
	q.push(piece{signal: otlp.Metrics, proto: make([]byte, 10_000), items: 1 << 10})
	assert.EqualValues(t, 1<<11-1, lost, "what is larger than the queue is lost, too")
	assert.Zero(t, q.pending())
}

func TestTakeWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1<<20, nil)
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan bool)
		take := func() { _, ok := q.take(ctx); got <- ok }
		go take()
		synctest.Wait()
		q.push(pieceOf(otlp.Logs, "l", 1))
		assert.True(t, <-got)
		go take()
		synctest.Wait()
		cancel()
		assert.False(t, <-got)
		ctx = t.Context()
		go take()
		synctest.Wait()
		q.close()
		assert.False(t, <-got)
	})
}

func protoOf(t *testing.T, from, to int) []byte {
	t.Helper()
	proto, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(shop.New().Traces(from, to))
	require.NoError(t, err)
	return proto
}

func TestWhatComesBackAgainAndAgainIsALoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &loop{}
		assert.False(t, l.received(protoOf(t, 0, 5)))
		l.sent(otlp.Traces, protoOf(t, 0, 5))
		for range maxReturns - 1 {
			assert.False(t, l.received(protoOf(t, 0, 5)))
		}
		assert.False(t, l.received(protoOf(t, 1, 5)), "others are no sign")
		l.sent(otlp.Traces, protoOf(t, 1, 5)) // too soon to be remembered
		for range 2 * maxReturns {
			assert.False(t, l.received(protoOf(t, 1, 5)))
		}
		assert.True(t, l.received(append(protoOf(t, 3, 4), protoOf(t, 0, 1)...)))
		for order := range remembered {
			time.Sleep(rememberEvery) //nolint:forbidigo // the clock is synctest's
			l.sent(otlp.Traces, protoOf(t, 10+order, 11+order))
		}
		assert.False(t, l.received(protoOf(t, 0, 5)), "it is forgotten")
	})
}

func TestTheFirstItemIsFoundInAnything(t *testing.T) {
	proto := protoOf(t, 0, 1)
	item := firstItem(otlp.Traces.Message(), proto)
	assert.Contains(t, string(item), "GET /checkout")
	assert.Nil(t, firstItem(otlp.Traces.Message(), nil))
	for end := range proto {
		firstItem(otlp.Traces.Message(), proto[:end]) // does not panic
	}
}
