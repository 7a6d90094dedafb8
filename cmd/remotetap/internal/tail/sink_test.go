package tail

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// written is an output that remembers each write.
type written struct {
	err error // of each write; set at construction

	mu     sync.Mutex
	pieces []string // guarded by mu
}

func (w *written) write(data []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pieces = append(w.pieces, string(data))
	return w.err
}

func (w *written) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.pieces)
}

func add(text string) func([]byte) ([]byte, error) {
	return func(dst []byte) ([]byte, error) { return append(dst, text...), nil }
}

func TestAPipeGetsLargePiecesButNothingWaitsLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out written
		s := newSink(out.write, func(error) {}, true)
		require.NoError(t, s.write(add("a\n")))
		<-time.After(60 * time.Millisecond) // the clock is fake
		require.NoError(t, s.write(add("b\n")))
		assert.Empty(t, out.all())
		<-time.After(60 * time.Millisecond) // the clock is fake
		synctest.Wait()
		assert.Equal(t, []string{"a\nb\n"}, out.all())

		require.NoError(t, s.write(add("")))
		<-time.After(time.Second) // the clock is fake
		assert.Len(t, out.all(), 1, "nothing is no reason to write")

		require.NoError(t, s.write(add(strings.Repeat("x", flushSize))))
		assert.Len(t, out.all(), 2, "a full buffer does not wait")
		require.NoError(t, s.write(add("c\n")))
		require.NoError(t, s.close())
		assert.Equal(t, "c\n", out.all()[2])
		<-time.After(time.Second) // the clock is fake
		assert.Len(t, out.all(), 3)
	})
}

func TestATerminalGetsEachBatchAtOnce(t *testing.T) {
	var out written
	s := newSink(out.write, func(error) {}, false)
	require.NoError(t, s.write(add("a\n")))
	require.NoError(t, s.write(add("b\n")))
	assert.Equal(t, []string{"a\n", "b\n"}, out.all())
	require.NoError(t, s.close())
}

func TestAnOutputThatIsGoneEndsTheCommand(t *testing.T) {
	gone := errors.New("gone")
	t.Run("at once if it is noticed while nobody writes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			out := written{err: gone}
			s := newSink(out.write, cancel, true)
			require.NoError(t, s.write(add("a\n")))
			<-ctx.Done()
			assert.Equal(t, gone, context.Cause(ctx))
			require.ErrorIs(t, s.write(add("b\n")), gone)
			require.ErrorIs(t, s.close(), gone)
			assert.Len(t, out.all(), 1, "nothing is written behind a write that failed")
		})
	})
	t.Run("with the write that fails", func(t *testing.T) {
		out := written{err: gone}
		s := newSink(out.write, func(error) {}, false)
		require.ErrorIs(t, s.write(add("a\n")), gone)
	})
	t.Run("after what was complete before a batch that is broken", func(t *testing.T) {
		var out written
		s := newSink(out.write, func(error) {}, true)
		require.NoError(t, s.write(add("a\n")))
		require.ErrorIs(t, s.write(func(dst []byte) ([]byte, error) { return dst, gone }), gone)
		assert.Equal(t, []string{"a\n"}, out.all())
		require.NoError(t, s.close())
	})
}
