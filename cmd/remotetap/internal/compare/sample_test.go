package compare

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/items"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// spanItem is a span as it is seen at a point.
func spanItem(trace, span int, service, name string, attributes map[string]any) *items.Item {
	item := &items.Item{
		Signal: tapclient.Traces, Service: service, Name: name, Status: "Unset", Kind: "Server",
		TraceID: fmt.Sprintf("%032x", trace+1), SpanID: fmt.Sprintf("%016x", span+1),
		Attributes: pcommon.NewMap(), Scope: pcommon.NewMap(), Resource: pcommon.NewMap(),
	}
	if err := item.Attributes.FromRaw(attributes); err != nil {
		panic(err)
	}
	item.Resource.PutStr("service.name", service)
	return item
}

// always is a window that all items are in.
var always = window{until: time.Hour}

func TestWhatVanishedAndWhatIsNewIsFoundByTraceAndSpan(t *testing.T) {
	s := newSample()
	for trace := range 10 {
		for span := range 4 {
			item := spanItem(trace, span, []string{"front", "pay"}[span/2], fmt.Sprint("step ", span), nil)
			item.Error = trace == 1 && span == 3
			s.add(item, sideA, time.Second)
			if trace < 2 || trace == 2 && span == 0 {
				s.add(item, sideB, time.Second)
			}
			s.add(item, sideA, time.Second) // once more: it is the same
		}
	}
	s.add(spanItem(99, 0, "pay", "made on the way", nil), sideB, time.Second)
	f := s.find(always, 3)
	assert.Equal(t, 40, f.items)
	assert.Equal(t, 10, f.traces)
	assert.Equal(t, []int{2, 1, 7}, []int{f.whole, f.part, f.gone})
	assert.Equal(t, 31, f.missing)
	assert.InDelta(t, 9.0/40, f.kept.value, 1e-9)
	assert.Equal(t, []named{{"front", "step 1", 8}, {"pay", "step 2", 8}, {"pay", "step 3", 8}}, f.vanished)
	assert.Equal(t, 1, f.vanishedMore)
	assert.Equal(t, []named{{"pay", "made on the way", 1}}, f.appeared)
	assert.Equal(t, 1, f.errors.items)
	assert.InDelta(t, 1, f.errors.kept.value, 0)
	require.Len(t, f.services, 2)
	assert.Equal(t, "front", f.services[0].name)
	assert.InDelta(t, 5.0/20, f.services[0].kept.value, 1e-9)
	assert.InDelta(t, 4.0/20, f.services[1].kept.value, 1e-9)
}

func TestTheEdgesOfTheTimeDoNotCount(t *testing.T) {
	s := newSample()
	w := window{fromB: 3 * time.Second, until: 10 * time.Second}
	s.add(spanItem(0, 0, "a", "passed A before the look", nil), sideB, time.Second)
	s.add(spanItem(1, 0, "a", "made on the way", nil), sideB, 5*time.Second)
	s.add(spanItem(2, 0, "a", "vanished", nil), sideA, 9*time.Second)
	late := spanItem(3, 0, "a", "came late", nil)
	s.add(late, sideA, 10*time.Second)
	s.add(late, sideB, 12*time.Second)
	s.add(spanItem(4, 0, "a", "still on its way", nil), sideA, 11*time.Second)
	s.add(spanItem(5, 0, "a", "made after the time", nil), sideB, 11*time.Second)
	f := s.find(w, 10)
	assert.Equal(t, []named{{"a", "vanished", 1}}, f.vanished)
	assert.Equal(t, []named{{"a", "made on the way", 1}}, f.appeared)
	assert.Equal(t, 2, f.items)
	assert.Equal(t, 2*time.Second, s.slowest)
}

func TestAttributesAreComparedWhicheverPointComesFirst(t *testing.T) {
	for name, order := range map[string][2]side{"the first point first": {sideA, sideB}, "the second point first": {sideB, sideA}} {
		t.Run(name, func(t *testing.T) {
			s := newSample()
			before := spanItem(0, 0, "pay", "POST /pay", map[string]any{"card": "4111", "tier": "gold", "route": "/pay", "n": 7, "same": true})
			after := spanItem(0, 0, "pay", "POST", map[string]any{"tier": "GOLD", "route": "/pay", "n": 7, "same": true, "tenant": "acme"})
			after.Resource.PutStr("k8s.pod.name", "pay-0")
			for i, where := range order {
				item := before
				if where == sideB {
					item = after
				}
				s.add(item, where, time.Duration(i))
			}
			assert.Equal(t, map[string]*change{
				"card":                  {removed: 1, from: "4111"},
				"tier":                  {changed: 1, from: "gold", to: "GOLD"},
				"tenant":                {added: 1, to: "acme"},
				"resource.k8s.pod.name": {added: 1, to: "pay-0"},
				"(name)":                {changed: 1, from: "POST /pay", to: "POST"},
			}, s.changes)
			assert.EqualValues(t, 1, s.compared)
			assert.Zero(t, s.waitSize, "what was compared is not kept")
		})
	}
}

func TestLogRecordsOfOneSpanAreToldApart(t *testing.T) {
	s := newSample()
	record := func(body string) *items.Item {
		item := spanItem(0, 0, "pay", "", nil)
		item.Signal, item.Body = tapclient.Logs, body
		return item
	}
	s.add(record("paid"), sideA, 0)
	s.add(record("shipped"), sideA, 0)
	s.add(record("paid"), sideB, 0)
	f := s.find(always, 5)
	assert.Equal(t, 2, f.items)
	assert.Equal(t, []named{{"pay", "shipped", 1}}, f.vanished)
}

func TestMemoryIsBoundedAndTheShareStaysRight(t *testing.T) {
	s := newSample()
	s.mostEntries, s.mostDetail = 4000, 1<<16
	var id [8]byte
	for trace := range 20_000 {
		binary.BigEndian.PutUint64(id[:], uint64(trace))
		for span := range 2 {
			item := spanItem(trace, span, "pay", "POST", map[string]any{"card": "4111"})
			s.add(item, sideA, time.Second)
			if trace%4 == 0 {
				s.add(item, sideB, time.Second)
			}
		}
		require.LessOrEqual(t, len(s.entries), s.mostEntries)
		require.LessOrEqual(t, s.waitSize, s.mostDetail)
	}
	f := s.find(always, 5)
	assert.GreaterOrEqual(t, s.level, uint(4))
	assert.Greater(t, f.traces, 900)
	assert.InDelta(t, 0.25, f.kept.value, 0.06)
	assert.Equal(t, 2*f.traces, f.items, "traces are forgotten whole")
	size := 0
	for _, e := range s.waiting {
		if e.detail != nil {
			size += e.detail.size
		}
	}
	assert.Equal(t, size, s.waitSize)
}

func TestAttributesThatWereForgottenAreNotCompared(t *testing.T) {
	s := newSample()
	s.mostDetail = 1000
	for trace := range 20 {
		s.add(spanItem(trace, 0, "pay", "POST", nil), sideA, 0)
	}
	for trace := range 20 {
		s.add(spanItem(trace, 0, "pay", "POST", nil), sideB, 0)
	}
	assert.EqualValues(t, 20, s.compared+s.uncompared)
	assert.NotZero(t, s.uncompared)
	assert.NotZero(t, s.compared)
	assert.Equal(t, 20, s.find(always, 1).whole, "that they came is known all the same")
}

func TestSomeKeysAreEnough(t *testing.T) {
	s := newSample()
	for trace := range mostNames + 7 {
		s.add(spanItem(trace, 0, "pay", "POST", nil), sideA, 0)
		s.add(spanItem(trace, 0, "pay", "POST", map[string]any{fmt.Sprint("key ", trace): "x"}), sideB, 0)
	}
	assert.Len(t, s.changes, mostNames)
	assert.EqualValues(t, 7, s.others)
}
