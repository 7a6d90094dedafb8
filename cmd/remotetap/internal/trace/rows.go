package trace

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
	"github.com/remotetap/remotetapprocessor/internal/format"
)

// What is drawn unless --all asks for everything.
const (
	mostAlike   = 4   // siblings that are alike, before they are summed up
	mostRecords = 20  // of one span
	mostRows    = 500 // of the trace
)

// row is a line of the waterfall.
type row struct {
	lines  string  // the tree's, before the text
	node   *node   // a span, or
	record *record // what happened in one, or
	note   string  // words of our own
}

// marks are what lines and bars are drawn with.
type marks struct {
	branch, last, through, blank   string // of the tree, two columns each
	bar, point, before, after, dot string
}

func marksOf(unicode bool) marks {
	if unicode {
		return marks{branch: "├╴", last: "└╴", through: "│ ", blank: "  ", bar: "█", point: "●", before: "◀", after: "▶", dot: "·"}
	}
	return marks{branch: "|-", last: "`-", through: "| ", blank: "  ", bar: "#", point: "*", before: "<", after: ">", dot: "-"}
}

// layout turns a tree into rows.
type layout struct {
	marks marks
	all   bool // sum up nothing
	depth int  // how deep the lines go at most; below, a number says how deep
	rows  []row
}

// part is a child of a span, to be drawn in the order of time.
type part struct {
	at     int64
	node   *node
	record *record
	note   string
}

func (l *layout) tree(t *tree) {
	for _, n := range t.roots {
		l.node(n, "", "", 0)
	}
	var parents []string
	for parent := range t.orphans {
		parents = append(parents, parent)
	}
	slices.SortFunc(parents, func(a, b string) int {
		return cmp.Or(cmp.Compare(t.orphans[a][0].start, t.orphans[b][0].start), cmp.Compare(a, b))
	})
	for _, parent := range parents {
		l.add(row{note: "(span " + parent + " has not come)"})
		l.parts(l.fold(nodeParts(t.orphans[parent])), "", 1)
	}
	for _, n := range t.circular {
		l.add(row{note: "(its parents form a circle)"})
		l.parts([]part{{node: n}}, "", 1)
	}
	if len(t.loose) > 0 {
		l.add(row{note: "(records without a span)"})
		l.parts(l.few(t.loose), "", 1)
	}
}

func (l *layout) add(r row) { l.rows = append(l.rows, r) }

// node adds a span and what is below it. `own` are the lines before it, `below` those before the others.
func (l *layout) node(n *node, own, below string, depth int) {
	l.add(row{lines: own, node: n})
	parts := append(l.few(n.records), l.fold(nodeParts(n.children))...)
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(a.at, b.at) })
	l.parts(parts, below, depth+1)
}

// parts adds what is below a span.
func (l *layout) parts(parts []part, lines string, depth int) {
	for i, p := range parts {
		own, below := lines+l.marks.branch, lines+l.marks.through
		if i == len(parts)-1 {
			own, below = lines+l.marks.last, lines+l.marks.blank
		}
		if depth > l.depth { // no room to go on to the right
			own, below = lines, lines
			if p.node != nil {
				own += fmt.Sprintf("%d %s ", depth, l.marks.dot)
			}
		}
		switch {
		case p.node != nil:
			l.node(p.node, own, below, depth)
		case p.record != nil:
			l.add(row{lines: own, record: p.record})
		default:
			l.add(row{lines: own, note: p.note})
		}
	}
}

func nodeParts(nodes []*node) []part {
	parts := make([]part, 0, len(nodes))
	for _, n := range nodes {
		parts = append(parts, part{at: n.start, node: n})
	}
	return parts
}

// few are the records of a span, or the most important of them if there are many: what failed, then
// what came first.
func (l *layout) few(records []record) []part {
	var parts []part
	chosen := chosenOf(records)
	for i := range records {
		if l.all || chosen == nil || chosen[i] {
			parts = append(parts, part{at: records[i].at, record: &records[i]})
		}
	}
	if left := len(records) - len(parts); left > 0 {
		parts = append(parts, part{at: parts[len(parts)-1].at, note: app.Counted(left, "record") + " more (--all)"})
	}
	return parts
}

// chosenOf says which records are drawn; nil for all.
func chosenOf(records []record) map[int]bool {
	if len(records) <= mostRecords {
		return nil
	}
	chosen := map[int]bool{}
	for _, failed := range []bool{true, false} {
		for i := range records {
			if records[i].failed() == failed && len(chosen) < mostRecords {
				chosen[i] = true
			}
		}
	}
	return chosen
}

// alike is what spans have in common that are summed up.
type alike struct {
	service, name string
	failed        bool
}

// fold leaves one of each kind of siblings, if there are many, with the sum of the others behind it.
func (l *layout) fold(parts []part) []part {
	if l.all || len(parts) <= mostAlike {
		return parts
	}
	kinds := map[alike][]*node{}
	for _, p := range parts {
		kind := alike{p.node.service, p.node.name, p.node.failed}
		kinds[kind] = append(kinds[kind], p.node)
	}
	var folded []part
	for _, p := range parts {
		of := kinds[alike{p.node.service, p.node.name, p.node.failed}]
		switch {
		case len(of) <= mostAlike:
			folded = append(folded, p)
		case of[0] == p.node:
			folded = append(folded, p, part{at: p.at, note: sumOf(of[1:])})
		}
	}
	return folded
}

// sumOf are many spans in words.
func sumOf(nodes []*node) string {
	var in, shortest, longest time.Duration
	below, records := 0, 0
	for i, n := range nodes {
		took := max(n.took(), 0)
		in += took
		if i == 0 || took < shortest {
			shortest = took
		}
		longest = max(longest, took)
		spans, of := n.size()
		below, records = below+spans-1, records+of
	}
	text := fmt.Sprintf("%s more like it, %s to %s, together %s", app.Number(len(nodes)), took(shortest), took(longest), took(in))
	var with []string
	if below > 0 {
		with = append(with, app.Counted(below, "span")+" below")
	}
	if records > 0 {
		with = append(with, app.Counted(records, "record"))
	}
	if len(with) > 0 {
		text += ", with " + strings.Join(with, " and ")
	}
	return text
}

// size counts a span and those below it, and their records. Circles have been cut.
func (n *node) size() (spans, records int) {
	for todo := []*node{n}; len(todo) > 0; {
		next := todo[len(todo)-1]
		todo = append(todo[:len(todo)-1], next.children...)
		spans++
		records += len(next.records)
	}
	return spans, records
}

// text is what a record says, in one line and harmless.
func (r *record) words() string {
	text := strings.TrimSpace(r.level + " " + r.text)
	if r.service != "" {
		text += " (" + r.service + ")"
	}
	return format.Visible(text)
}

// took is how long a span took.
func took(d time.Duration) string {
	if d < 0 {
		return "no end"
	}
	return terminal.Took(d)
}
