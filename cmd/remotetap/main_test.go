package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestTheSecondInterruptCountsHalfASecondAfterTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		restored := false
		afterGrace(ctx, func() { restored = true })
		<-time.After(time.Hour)
		assert.False(t, restored, "nobody has pressed it yet")
		interrupt()
		<-time.After(grace - 1)
		assert.False(t, restored)
		<-time.After(2)
		synctest.Wait()
		assert.True(t, restored)
	})
}
