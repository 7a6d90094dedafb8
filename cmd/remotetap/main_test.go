package main

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestTheSecondInterruptCountsHalfASecondAfterTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		var restored atomic.Bool
		afterGrace(ctx, func() { restored.Store(true) })
		<-time.After(time.Hour)
		assert.False(t, restored.Load(), "nobody has pressed it yet")
		interrupt()
		<-time.After(grace - 1)
		assert.False(t, restored.Load())
		<-time.After(2)
		synctest.Wait()
		assert.True(t, restored.Load())
	})
}
