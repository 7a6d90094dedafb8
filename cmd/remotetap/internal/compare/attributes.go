package compare

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/items"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// How many bytes are kept to be shown.
const (
	mostText = 48  // of a value
	mostName = 128 // of a key, a name, a service
)

// detail is what an item had at one point: its attributes, in the order of their keys.
type detail struct {
	values []value
	size   int // bytes of memory, roughly
}

// value is one attribute: enough to see that it differs, and to show how it begins.
type value struct {
	key, text string
	hash      uint64
}

// change is what has become of an attribute between the points.
type change struct {
	added, removed, changed uint64
	from, to                string // the last change, or what was removed, or added
}

func (c *change) total() uint64 { return c.added + c.removed + c.changed }

func (s *sample) detailOf(item *items.Item) *detail {
	d := &detail{size: 64}
	textsOf(item, func(key, text string) {
		v := value{key: s.intern(clip(key, mostName)), text: clip(text, mostText), hash: maphash.String(s.seed, text)}
		d.values = append(d.values, v)
		d.size += 48 + len(v.text)
	})
	slices.SortFunc(d.values, func(a, b value) int { return cmp.Compare(a.key, b.key) })
	return d
}

// clip is the beginning of a text, in memory of its own.
func clip(text string, most int) string {
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return strings.Clone(text)
}

// compare counts what differs between what an item had at the one and at the other point.
func (s *sample) compare(before, after *detail) {
	a, b := before.values, after.values
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].key < b[0].key:
			if c := s.changeOf(a[0].key); c != nil {
				c.removed++
				c.from = a[0].text
			}
			a = a[1:]
		case len(a) == 0 || a[0].key > b[0].key:
			if c := s.changeOf(b[0].key); c != nil {
				c.added++
				c.to = b[0].text
			}
			b = b[1:]
		default:
			if a[0].hash != b[0].hash {
				if c := s.changeOf(a[0].key); c != nil {
					c.changed++
					c.from, c.to = a[0].text, b[0].text
				}
			}
			a, b = a[1:], b[1:]
		}
	}
}

// changeOf is the account of a key; nil if there are too many.
func (s *sample) changeOf(key string) *change {
	c := s.changes[key]
	if c == nil {
		if len(s.changes) >= mostNames {
			s.others++
			return nil
		}
		c = &change{}
		s.changes[key] = c
	}
	return c
}

// textsOf calls a function with the fields and attributes of an item that processors may change.
func textsOf(item *items.Item, each func(key, value string)) {
	each("(name)", item.Name)
	if item.Signal == tapclient.Logs {
		each("(severity)", item.Severity.String())
	} else {
		each("(status)", item.Status)
		each("(kind)", item.Kind)
	}
	for _, part := range []struct {
		prefix string
		from   pcommon.Map
	}{{"", item.Attributes}, {"scope.", item.Scope}, {"resource.", item.Resource}} {
		for name, value := range part.from.All() {
			each(part.prefix+name, value.AsString())
		}
	}
}
