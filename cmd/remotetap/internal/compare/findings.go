package compare

import (
	"cmp"
	"slices"
	"time"
)

// findings are what a sample tells about the time between two moments.
type findings struct {
	items, traces          int // at A
	whole, part, gone      int // traces: all came to B, some, none
	missing, extra         int // items: at A and never at B, at B and never at A
	kept                   share
	services               []group
	errors                 group
	vanished, appeared     []named
	vanishedMore, moreSeen int // names beyond those that are listed
}

// group is the kept share of some of the items.
type group struct {
	name  string
	items int
	kept  share
}

// named is how many items have one name.
type named struct {
	service, name string
	items         int
}

// window is the time that counts: items that passed A then had time to come to B, and those that came
// to B then had passed A while somebody looked.
type window struct{ fromA, fromB, until time.Duration }

// tally sums up clusters by trace for groups of items.
type tally[G comparable] map[G]map[string]*cluster

func (t tally[G]) add(group G, trace string, arrived bool) {
	clusters := t[group]
	if clusters == nil {
		clusters = map[string]*cluster{}
		t[group] = clusters
	}
	c := clusters[trace]
	if c == nil {
		c = &cluster{}
		clusters[trace] = c
	}
	c.items++
	if arrived {
		c.kept++
	}
}

func clustersOf(from map[string]*cluster) []cluster {
	all := make([]cluster, 0, len(from))
	for _, c := range from {
		all = append(all, *c)
	}
	return all
}

// find sums up what was seen in the window, with the `top` names of each list.
func (s *sample) find(w window, top int) findings {
	var f findings
	whole, services := tally[bool]{}, tally[string]{}
	vanished, appeared := map[[2]string]int{}, map[[2]string]int{}
	for k, e := range s.entries {
		name := [2]string{e.service, e.name}
		switch {
		case e.sides == sideB:
			if e.at >= w.fromB && e.at <= w.until {
				f.extra++
				appeared[name]++
			}
			continue
		case e.at < w.fromA || e.at > w.until:
			continue
		}
		arrived := e.sides&sideB != 0
		trace := k.trace
		if trace == "" { // it stands for itself
			trace = "-" + time.Duration(k.rest).String()
		}
		whole.add(false, trace, arrived)
		services.add(e.service, trace, arrived)
		if e.failed {
			whole.add(true, trace, arrived)
		}
		if !arrived {
			f.missing++
			vanished[name]++
		}
	}
	all := clustersOf(whole[false])
	f.count(all)
	f.kept = ratio(all)
	failed := clustersOf(whole[true])
	f.errors = group{name: "errors", items: sum(failed), kept: ratio(failed)}
	for service, clusters := range services {
		of := clustersOf(clusters)
		f.services = append(f.services, group{name: service, items: sum(of), kept: ratio(of)})
	}
	slices.SortFunc(f.services, func(a, b group) int { return cmp.Or(cmp.Compare(b.items, a.items), cmp.Compare(a.name, b.name)) })
	f.vanished, f.vanishedMore = most(vanished, top)
	f.appeared, f.moreSeen = most(appeared, top)
	return f
}

// count sorts the traces by how much of them arrived.
func (f *findings) count(clusters []cluster) {
	f.traces, f.items = len(clusters), sum(clusters)
	for _, c := range clusters {
		switch c.kept {
		case c.items:
			f.whole++
		case 0:
			f.gone++
		default:
			f.part++
		}
	}
}

func sum(clusters []cluster) int {
	items := 0
	for _, c := range clusters {
		items += c.items
	}
	return items
}

// most are the names that most items have, and how many other names there are.
func most(counts map[[2]string]int, top int) ([]named, int) {
	all := make([]named, 0, len(counts))
	for name, items := range counts {
		all = append(all, named{service: name[0], name: name[1], items: items})
	}
	slices.SortFunc(all, func(a, b named) int {
		return cmp.Or(cmp.Compare(b.items, a.items), cmp.Compare(a.service, b.service), cmp.Compare(a.name, b.name))
	})
	listed := min(top, len(all))
	return all[:listed], len(all) - listed
}
