package app

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/remotetap/remotetapprocessor/tapclient"
)

func TestThatItemsComeSeveralTimesIsSaidOnce(t *testing.T) {
	var words bytes.Buffer
	a := New(System{Out: io.Discard, Err: &words, Getenv: func(string) string { return "" }})
	notice := PointsNotice{Done: "recorded"}
	notice.Hear(a, &tapclient.Stats{Points: []string{"remote_tap"}})
	assert.Empty(t, words.String(), "there is only one")
	for range 2 {
		notice.Hear(a, &tapclient.Stats{Points: []string{"remote_tap", "remote_tap/after"}, Origin: tapclient.Origin{Endpoint: "gateway:12001"}})
	}
	assert.Equal(t, "gateway:12001: items that pass several of its 2 tap points are recorded once for each; choose one with --point remote_tap\n", words.String())
}
