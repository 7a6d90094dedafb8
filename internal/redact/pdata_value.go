package redact

import (
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Text returns a text as viewers may see it, as Rules.Text does. It allocates only if that is another one.
func (r *Redactor) Text(s string) string {
	if !r.rules.RewritesText() {
		return s
	}
	r.temp = append(r.temp[:0], s...)
	found := r.find(r.temp, r.rules.patterns)
	if len(found) == 0 {
		return s
	}
	return string(r.appendText(nil, r.temp, found))
}

// Value redacts a value in place: one of an attribute with this key, or a log body if the key is empty. The value has to
// be a copy. It returns false if the value is to be left out, and must then not be shown.
//
// ChangesValue says cheaply that no copy is needed.
func (r *Redactor) Value(key string, v pcommon.Value) (shown bool) {
	if r.rules.Empty() {
		return true
	}
	defer r.forget()
	r.active = append(r.active, r.rules.patterns...)
	if key == "" {
		return !r.pdataValue(v)
	}
	gone, _ := r.entryOf(key, v)
	return !gone
}

// ChangesValue reports whether redaction may change a value that is under no hidden key: a log body, or an attribute that
// a viewer may ask for.
func (r *Rules) ChangesValue(v pcommon.Value) bool {
	switch v.Type() {
	case pcommon.ValueTypeStr, pcommon.ValueTypeBytes:
		return r.RewritesText()
	case pcommon.ValueTypeMap, pcommon.ValueTypeSlice:
		return !r.Empty()
	default:
		return false
	}
}

// rewrite redacts a text that is not in a value.
func (r *Redactor) rewrite(text string, set func(string)) {
	if len(r.active) == 0 || text == "" {
		return
	}
	if redacted := r.Text(text); redacted != text {
		set(redacted)
	}
}

// attributes redacts a map.
func (r *Redactor) attributes(m pcommon.Map) {
	renamed := false
	m.RemoveIf(func(key string, v pcommon.Value) bool {
		gone, rename := r.entryOf(key, v)
		renamed = renamed || rename
		return gone
	})
	if renamed {
		r.rename(m)
	}
}

// entryOf redacts the value of a key. gone says that the entry is to be left out, rename that the key is to be changed.
func (r *Redactor) entryOf(key string, v pcommon.Value) (gone, rename bool) {
	r.temp = append(r.temp[:0], key...)
	found := r.verdict(r.temp)
	rename = found&rewrites != 0
	switch {
	case found&hides == 0:
		r.enter(r.temp)
		gone = r.pdataValue(v)
		r.leave()
	case r.rules.mode == Drop:
		gone = true
	case r.rules.mode == Hash:
		sum := r.digestOf(v, 0)
		v.SetStr(string(appendDigest(nil, &sum)))
	default:
		v.SetStr(mask)
	}
	return gone, rename
}

// rename redacts the keys of a map. Of two that then are the same the first stays.
func (r *Redactor) rename(m pcommon.Map) {
	renamed := pcommon.NewMap()
	renamed.EnsureCapacity(m.Len())
	for key, v := range m.All() {
		key = r.Text(key)
		if _, taken := renamed.Get(key); !taken {
			v.MoveTo(renamed.PutEmpty(key))
		}
	}
	renamed.MoveTo(m)
}

// pdataValue redacts a value. gone says that it is to be left out.
func (r *Redactor) pdataValue(v pcommon.Value) (gone bool) {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		text := v.Str()
		redacted := r.Text(text)
		if redacted == text {
			return false
		}
		if r.rules.mode == Drop {
			return true
		}
		v.SetStr(redacted)
	case pcommon.ValueTypeBytes:
		return r.pdataBytes(v)
	case pcommon.ValueTypeMap, pcommon.ValueTypeSlice:
		return r.pdataContainer(v)
	default:
	}
	return false
}

func (r *Redactor) pdataBytes(v pcommon.Value) (gone bool) {
	if len(r.active) == 0 {
		return false
	}
	content := v.Bytes().AsRaw()
	found := r.find(content, r.active)
	if len(found) == 0 {
		return false
	}
	if r.rules.mode == Drop {
		return true
	}
	v.Bytes().FromRaw(r.appendText(nil, content, found))
	return false
}

// pdataContainer redacts a map or a list.
func (r *Redactor) pdataContainer(v pcommon.Value) (gone bool) {
	if r.depth == MaxDepth {
		if r.rules.mode == Drop {
			return true
		}
		v.SetStr(mask)
		return false
	}
	r.depth++
	if v.Type() == pcommon.ValueTypeMap {
		r.attributes(v.Map())
	} else {
		v.Slice().RemoveIf(r.pdataValue)
	}
	r.depth--
	return false
}

// clearValue makes a value empty.
func clearValue(v pcommon.Value) { pcommon.NewValueEmpty().MoveTo(v) }

// digestOf is digestValue for pdata.
func (r *Redactor) digestOf(v pcommon.Value, depth int) digest {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return r.digest([]byte(v.Str()))
	case pcommon.ValueTypeBytes:
		return r.digest(v.Bytes().AsRaw())
	case pcommon.ValueTypeBool:
		return r.number(func(dst []byte) []byte { return strconv.AppendBool(dst, v.Bool()) })
	case pcommon.ValueTypeInt:
		return r.number(func(dst []byte) []byte { return strconv.AppendInt(dst, v.Int(), 10) })
	case pcommon.ValueTypeDouble:
		return r.number(func(dst []byte) []byte { return appendDouble(dst, v.Double()) })
	case pcommon.ValueTypeSlice:
		if depth < MaxDepth {
			base := r.hash.openList()
			for _, element := range v.Slice().All() {
				r.hash.add(r.digestOf(element, depth+1))
			}
			return r.closeList(base)
		}
	case pcommon.ValueTypeMap:
		if depth < MaxDepth {
			var all entries
			for key, element := range v.Map().All() {
				all.add(&r.scrubber, []byte(key), r.digestOf(element, depth+1))
			}
			return all.close(&r.scrubber)
		}
	case pcommon.ValueTypeEmpty:
	}
	return r.digest(nil)
}
