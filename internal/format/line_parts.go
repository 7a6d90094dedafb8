package format

import (
	"math"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// begin makes what all items of a batch have in common.
func (t *text) begin(b *Batch) {
	t.tag = [otlp.NumSignals]string{"span", "metric", "log", "profile"}[b.Signal]
	t.write.limit = math.MaxInt // parts are short
}

// resource makes the parts of a resource.
func (t *text) resource(data []byte) {
	w, m := &t.write, otlp.Resource.Message()
	attributes := &m.Fields[0]
	var s scanned
	w.scan(&s, m, data, 0)
	head, rest := padRight(append(t.parts[partHead][:0], t.tag...), 0, tagWidth), t.parts[partResource][:0]
	head = append(head, ' ')
	service := len(head)
	if s.set&attributes.Bit() != 0 {
		w.attributes(attributes, data, s.slots[0], func(p pair) bool {
			found := string(p.key) == "service.name"
			if found {
				head = t.any(head, p.value, maxValue)
			}
			return !found
		})
		rest = t.attributes(rest, attributes, data, s.slots[0], 0)
	}
	if len(head) == service {
		head = append(head, '-')
	}
	w.pop(&s)
	t.parts[partHead], t.parts[partResource] = padRight(head, service, serviceWidth), rest
}

// scope makes nothing: a line does not show it.
func (t *text) scope([]byte) {}

// metric makes the parts of a metric, but for its type.
func (t *text) metric(s *scanned) {
	t.name = t.field(t.name[:0], s, 0)
	t.parts[partUnit] = t.field(t.parts[partUnit][:0], s, 2)
}

// metricData makes the part with a metric's type and name.
func (t *text) metricData(s *scanned) {
	out := t.parts[partMetric][:0]
	out = append(out, shortTypeWord(s.message.ID)...)
	out = append(padRight(out, 0, levelWidth), ' ')
	name := len(out)
	t.parts[partMetric] = padRight(append(out, t.name...), name, metricWidth)
}

// field appends field i, a string, if it is there.
func (t *text) field(dst []byte, s *scanned, i int) []byte {
	if s.set&s.message.Fields[i].Bit() == 0 {
		return dst
	}
	return limited(dst, s.data[s.slots[i].Start:s.slots[i].End], maxValue)
}

// forget empties the parts.
func (t *text) forget() {
	for i := range t.parts {
		t.parts[i] = shrink(t.parts[i])
	}
	t.name = shrink(t.name)
	clear(t.found[:])
}
