package otlp

// CountItems returns the number of items in a message and those below it, for example of spans in a TracesData or of
// data points in a Metric: what pdata calls SpanCount, LogRecordCount, DataPointCount or SampleCount. An item itself
// counts as 0. It reads only tags and lengths on the way to the items. Malformed parts count as empty.
func (m *Message) CountItems(data []byte) int {
	if m.Children == 0 {
		return 0
	}
	var slots [32]Slot
	seen, _, err := m.Scan(data, slots[:])
	if err != nil {
		return 0
	}
	total := 0
	for i := range m.Fields {
		if f := &m.Fields[i]; seen&m.Children&f.bit != 0 {
			total += f.countItems(data, slots[i])
		}
	}
	return total
}

// countItems counts the items in a field that leads to them or holds them.
func (f *Field) countItems(data []byte, s Slot) int {
	if !f.Repeated {
		return f.Message.CountItems(data[s.Start:s.End])
	}
	total := 0
	for pos := s.Start; ; {
		start, end := f.Element(data, pos, s.End)
		if end < 0 {
			return total
		}
		if f.Role == RoleItem {
			total++
		} else {
			total += f.Message.CountItems(data[start:end])
		}
		pos = end
	}
}
