package format

import "github.com/remotetap/remotetapprocessor/internal/otlp"

// begin makes the parts that all items of a batch have in common.
func (j *flat) begin(b *Batch) {
	out := j.batch[:0]
	out = append(out, `,"signal":"`...)
	out = append(append(out, b.Signal.String()...), `","point":`...)
	j.batch = appendString(out, []byte(b.Point))
}

// resource makes the parts of a resource.
func (j *flat) resource(data []byte) {
	w, m := &j.write, otlp.Resource.Message()
	attributes := &m.Fields[0]
	var s scanned
	w.scan(&s, m, data, 0)
	head, rest := j.parts[partHead][:0], j.parts[partResource][:0]
	head = append(head, j.batch...)
	if s.set&attributes.Bit() != 0 {
		w.attributes(attributes, data, s.slots[0], func(p pair) bool {
			found := string(p.key) == "service.name"
			if found {
				head = w.value(append(head, `,"service":`...), p.value, 0)
			}
			return !found
		})
		rest = w.object(append(rest, `,"resource":`...), attributes, data, s.slots[0], 0)
	}
	w.pop(&s)
	j.parts[partHead], j.parts[partResource] = head, rest
}

// scope makes the part of a scope.
func (j *flat) scope(data []byte) {
	m := otlp.InstrumentationScope.Message()
	j.parts[partScope] = j.textOf(j.parts[partScope][:0], `,"scope":`, m, data)
}

// metric makes the parts of a metric, but for those that its data tells.
func (j *flat) metric(s *scanned) {
	j.parts[partMetric] = j.member(j.parts[partMetric][:0], `,"name":`, s, 0)
	j.parts[partUnit] = j.member(j.parts[partUnit][:0], `,"unit":`, s, 2)
}

// textOf appends a member with the first field of a message, a string.
func (j *flat) textOf(dst []byte, key string, m *otlp.Message, data []byte) []byte {
	var s scanned
	j.write.scan(&s, m, data, 0)
	dst = j.member(dst, key, &s, 0)
	j.write.pop(&s)
	return dst
}

// member appends a member with field i, a string, if it is there.
func (j *flat) member(dst []byte, key string, s *scanned, i int) []byte {
	if s.set&s.message.Fields[i].Bit() == 0 {
		return dst
	}
	return j.write.text(append(dst, key...), s.data[s.slots[i].Start:s.slots[i].End])
}

// metricData adds what a metric's data tells about all its points.
func (j *flat) metricData(s *scanned) {
	out := j.parts[partMetric]
	out = append(out, `,"type":"`...)
	out = append(append(out, typeWord(s.message.ID)...), '"')
	for i := range s.message.Fields {
		f := &s.message.Fields[i]
		if s.set&f.Bit() == 0 || f.Role != otlp.RoleValue {
			continue
		}
		if f.Kind == otlp.KindBool {
			out = append(out, `,"monotonic":true`...)
		} else {
			out = appendWord(append(out, `,"temporality":`...), temporalityWords(), s.slots[i].Value)
		}
	}
	j.parts[partMetric] = out
}

// forget empties the parts.
func (j *flat) forget() {
	for i := range j.parts {
		j.parts[i] = shrink(j.parts[i])
	}
	j.batch = shrink(j.batch)
}
