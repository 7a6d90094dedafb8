package trace

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/items"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// shortMessage is how many bytes of a status message are shown behind the span's name.
const shortMessage = 40

// node is one span of a trace. Its texts come from strangers.
type node struct {
	id, parentID  string
	service, name string
	message       string // of the status, if it is short; a long one is a record
	start, end    int64  // ns since 1970; end is start where there is no end, or one before it
	ended, failed bool
	parent        *node // nil at the top
	children      []*node
	records       []record // in the order of time
	outside       bool     // of its parent's time
}

// took is how long the span was; negative if it did not end.
func (n *node) took() time.Duration {
	if !n.ended {
		return -1
	}
	return time.Duration(n.end - n.start)
}

// record is a log record or an event, or a span's status message.
type record struct {
	at       int64 // ns since 1970; 0 if unknown
	service  string
	spanID   string
	level    string // "" for an event that is no exception
	severity plog.SeverityNumber
	text     string
}

func (r record) failed() bool { return r.severity >= plog.SeverityNumberError }

// tree is a trace as it hangs together. Any data makes one: spans may name parents that do not exist, or
// each other.
type tree struct {
	id       string
	nodes    []*node
	roots    []*node            // without a parent
	orphans  map[string][]*node // by the parent that has not come
	circular []*node            // one of each circle of parents, cut loose there
	loose    []record           // without a span, or of one that has not come
	logs     int
	services []string
	failed   int
	// lost are the spans that have not come, but that records belong to.
	lost map[string]bool
	// start and end are the time that is drawn, in ns since 1970.
	start, end int64
}

// tree makes the tree of what was gathered.
func (g *gathered) tree(id string) *tree {
	t := &tree{id: id, orphans: map[string][]*node{}, lost: map[string]bool{}}
	var records []record
	for _, p := range g.pieces {
		all, err := items.Of(p.batch)
		if err != nil {
			continue // it was made here
		}
		var spans []ptrace.Span
		if p.batch.Signal == tapclient.Traces {
			spans = slices.Collect(spansOf(p.traces))
		}
		for i := range all {
			if spans != nil {
				t.nodes = append(t.nodes, nodeOf(&all[i], spans[i]))
			} else {
				records = append(records, recordOf(&all[i]))
			}
		}
	}
	t.logs = len(records)
	slices.SortStableFunc(t.nodes, func(a, b *node) int { return cmp.Compare(a.start, b.start) })
	t.link()
	t.attach(records)
	t.scale()
	return t
}

func nodeOf(item *items.Item, span ptrace.Span) *node {
	n := &node{
		id: item.SpanID, parentID: item.ParentID, service: item.Service, name: item.Name, failed: item.Error,
		start: nanos(item.Time), ended: item.Duration >= 0 && span.EndTimestamp() <= math.MaxInt64,
	}
	n.end = n.start
	if n.ended {
		n.end += int64(item.Duration)
	}
	switch {
	case len(item.StatusMessage) <= shortMessage:
		n.message = item.StatusMessage
	default:
		r := record{at: n.end, text: item.StatusMessage, level: strings.ToUpper(item.Status)}
		if item.Error {
			r.severity = plog.SeverityNumberError
		}
		n.records = append(n.records, r)
	}
	for _, event := range span.Events().All() {
		n.records = append(n.records, recordOfEvent(event))
	}
	return n
}

// nanos is a time as a number; what is not in its range is 0.
func nanos(t time.Time) int64 {
	if n := t.UnixNano(); n > 0 {
		return n
	}
	return 0
}

func recordOfEvent(event ptrace.SpanEvent) record {
	r := record{at: nanos(event.Timestamp().AsTime()), text: event.Name()}
	attributes := event.Attributes()
	if event.Name() == "exception" {
		r.level, r.severity = "ERROR", plog.SeverityNumberError
		var parts []string
		for _, key := range []string{"exception.type", "exception.message"} {
			if value, ok := attributes.Get(key); ok {
				parts = append(parts, value.AsString())
			}
		}
		if len(parts) > 0 {
			r.text = strings.Join(parts, ": ")
		}
		return r
	}
	for key, value := range attributes.All() {
		r.text += " " + key + "=" + value.AsString()
	}
	return r
}

func recordOf(item *items.Item) record {
	r := record{
		at: nanos(item.Time), service: item.Service, spanID: item.SpanID,
		level: items.Level(item.Severity), severity: item.Severity, text: item.Body,
	}
	if r.text == "" {
		r.text = item.Name
	}
	if r.level == "" {
		r.level = cmp.Or(item.SeverityText, "LOG")
	}
	return r
}

// link hangs each span below its parent.
func (t *tree) link() {
	byID := map[string]*node{}
	services := map[string]bool{}
	for _, n := range t.nodes {
		if byID[n.id] == nil {
			byID[n.id] = n
		}
		services[n.service] = true
		if n.failed {
			t.failed++
		}
	}
	t.services = slices.Sorted(maps.Keys(services))
	for _, n := range t.nodes {
		switch parent := byID[n.parentID]; {
		case n.parentID == "":
			t.roots = append(t.roots, n)
		case parent == nil:
			t.orphans[n.parentID] = append(t.orphans[n.parentID], n)
		default:
			parent.children = append(parent.children, n)
			n.parent = parent
		}
	}
	t.cut()
}

// cut finds the spans that hang below none of the above, since their parents form a circle, and cuts
// each circle at its earliest span.
func (t *tree) cut() {
	reached := map[*node]bool{}
	mark := func(from []*node) {
		for todo := slices.Clone(from); len(todo) > 0; {
			n := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if !reached[n] {
				reached[n] = true
				todo = append(todo, n.children...)
			}
		}
	}
	mark(t.tops())
	for _, n := range t.nodes {
		if reached[n] {
			continue
		}
		n.parent.children = slices.DeleteFunc(n.parent.children, func(child *node) bool { return child == n })
		t.circular = append(t.circular, n)
		mark([]*node{n})
	}
}

// tops are the spans that hang below no other.
func (t *tree) tops() []*node {
	tops := slices.Clone(t.roots)
	for _, parent := range slices.Sorted(maps.Keys(t.orphans)) {
		tops = append(tops, t.orphans[parent]...)
	}
	return append(tops, t.circular...)
}

// attach puts records to their spans.
func (t *tree) attach(records []record) {
	byID := map[string]*node{}
	for _, n := range t.nodes {
		if byID[n.id] == nil {
			byID[n.id] = n
		}
	}
	for _, r := range records {
		n := byID[r.spanID]
		switch {
		case n != nil && r.spanID != "":
			if r.service == n.service {
				r.service = "" // it goes without saying
			}
			n.records = append(n.records, r)
			continue
		case r.spanID != "":
			t.lost[r.spanID] = true
		}
		t.loose = append(t.loose, r)
	}
	byTime := func(a, b record) int { return cmp.Compare(a.at, b.at) }
	for _, n := range t.nodes {
		slices.SortStableFunc(n.records, byTime)
	}
	slices.SortStableFunc(t.loose, byTime)
}

// scale finds the time to draw: that of the spans at the top, and of those below that begin in the time of
// their parent. A clock that is hours off does not make all others a dot.
func (t *tree) scale() {
	extend := func(n *node) {
		if n.start == 0 {
			return
		}
		if t.start == 0 {
			t.start, t.end = n.start, n.end
		}
		t.start, t.end = min(t.start, n.start), max(t.end, n.end)
	}
	for todo := t.tops(); len(todo) > 0; {
		n := todo[len(todo)-1]
		todo = append(todo[:len(todo)-1], n.children...)
		for _, child := range n.children {
			child.outside = n.ended && (child.start < n.start || child.end > n.end)
			if child.start >= n.start && child.start <= n.end {
				extend(child)
			}
		}
	}
	for _, n := range t.tops() {
		extend(n)
	}
	for _, r := range t.loose {
		if t.start == 0 && r.at > 0 { // nothing but records
			t.start, t.end = r.at, t.loose[len(t.loose)-1].at
		}
	}
}

// complete reports whether nothing is known to be missing.
func (t *tree) complete() bool {
	return len(t.roots) > 0 && len(t.orphans) == 0 && len(t.circular) == 0 && len(t.lost) == 0
}

// problems say what is missing, or wrong.
func (t *tree) problems() []string {
	var problems []string
	add := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if len(t.nodes) == 0 {
		add("no span has come, only log records")
	} else if len(t.roots) == 0 {
		add("the root has not come")
	}
	if n := len(t.orphans); n > 0 {
		add("%s that others name as their parent %s not come", app.Counted(n, "span"), have(n))
	}
	if n := len(t.lost); n > 0 && len(t.nodes) > 0 {
		add("%s that log records belong to %s not come", app.Counted(n, "span"), have(n))
	}
	if n := len(t.circular); n > 0 {
		add("the parents of some spans form %s, which was cut", app.Counted(n, "circle"))
	}
	if n := len(t.roots); n > 1 {
		add("%s have no parent: a trace should have one such", app.Counted(n, "span"))
	}
	return problems
}

func have(n int) string {
	if n == 1 {
		return "has"
	}
	return "have"
}
