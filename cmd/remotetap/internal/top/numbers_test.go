package top

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestADurationThatIsUnknownIsBlank(t *testing.T) {
	assert.Empty(t, took(-1))
	assert.Equal(t, "2m05s", took(125*time.Second))
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
