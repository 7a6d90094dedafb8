package top

import (
	"slices"
	"strings"
	"time"

	"github.com/DataDog/sketches-go/ddsketch/mapping"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/items"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// maxGroups is how many groups each signal has at most. What belongs to others is counted together.
// With its two sketches, of at most 8 KiB each, a group of spans takes 17 KiB: all of them 34 MiB.
const maxGroups = 2000

// maxPoints is how many tap points are remembered.
const maxPoints = 20

// signals are those that are counted, in the order in which they are shown.
func signals() []tapclient.Signal {
	return []tapclient.Signal{tapclient.Traces, tapclient.Logs, tapclient.Metrics, tapclient.Profiles}
}

// counter counts items by group: since it began, and in windows that follow each other. Its memory is
// bounded. It has no clock, and is not safe for concurrent use.
type counter struct {
	// set at construction

	interval  time.Duration
	maxGroups int
	sections  map[tapclient.Signal]*section

	since       time.Time     // when counting began
	windowSince time.Time     // when the window began that is being filled
	window      time.Duration // how long the last complete one was; 0 if there is none yet
	losses      losses
}

// losses are counts of what was matched and not received, or not even looked at, as far as is known.
type losses struct {
	now, atStart, atWindow, atWindowBefore uint64
}

// section is the groups of one signal.
type section struct {
	signal  tapclient.Signal
	fields  []field
	mapping mapping.IndexMapping
	groups  map[string]*group
	other   *group   // what belongs to groups beyond the most that there may be
	points  []string // the ids of the tap points that items came from; not more than maxPoints
	key     []byte   // the key that is being made
}

// group is the items with the same values.
type group struct {
	values        []value
	total, window *tally
	last          figures // of the last complete window
	// lastValue and unit are those of the metric's newest data point.
	lastValue, unit string
}

// newCounter makes a counter that begins at a time.
func newCounter(by []field, interval time.Duration, now time.Time) *counter {
	c := &counter{interval: interval, maxGroups: maxGroups, sections: map[tapclient.Signal]*section{}}
	index := newMapping()
	for _, signal := range signals() {
		c.sections[signal] = &section{signal: signal, fields: fieldsOf(signal, by), mapping: index}
	}
	c.begin(now)
	return c
}

// begin starts anew from zero.
func (c *counter) begin(now time.Time) {
	c.since, c.windowSince, c.window = now, now, 0
	c.losses = losses{now: c.losses.now, atStart: c.losses.now, atWindow: c.losses.now, atWindowBefore: c.losses.now}
	for _, s := range c.sections {
		s.groups, s.other, s.points = map[string]*group{}, nil, nil
	}
}

// empty reports whether nothing was counted yet.
func (c *counter) empty() bool {
	for _, s := range c.sections {
		if len(s.groups) > 0 {
			return false
		}
	}
	return true
}

// add counts the items of a batch. The error says that it is malformed.
func (c *counter) add(b *app.Batch) error {
	s := c.sections[b.Signal]
	if s == nil {
		return nil // of a later version
	}
	all, err := items.Of(b)
	if err != nil {
		return err
	}
	if !slices.Contains(s.points, b.Point) && len(s.points) < maxPoints {
		s.points = append(s.points, b.Point)
	}
	for i := range all {
		n := uint64(1)
		if b.Signal == tapclient.Profiles { // one item stands for the whole batch
			n = b.Items
		}
		g := s.find(&all[i], c.maxGroups)
		g.total.add(&all[i], n)
		g.window.add(&all[i], n)
		if b.Signal == tapclient.Metrics {
			g.lastValue, g.unit = all[i].Value, strings.Clone(cut(all[i].Unit))
		}
	}
	return nil
}

// find returns an item's group, which is the one of all others if there are too many.
func (s *section) find(item *items.Item, most int) *group {
	s.key = appendKey(s.key[:0], s.fields, item)
	if g := s.groups[string(s.key)]; g != nil {
		return g
	}
	if len(s.groups) < most {
		g := s.group(valuesOf(s.fields, item))
		s.groups[string(s.key)] = g
		return g
	}
	if s.other == nil {
		s.other = s.group(nil)
	}
	return s.other
}

func (s *section) group(values []value) *group {
	return &group{values: values, total: newTally(s.mapping), window: newTally(s.mapping), last: noFigures()}
}

// all calls a function with each group of a section.
func (s *section) all(f func(*group)) {
	for _, g := range s.groups {
		f(g)
	}
	if s.other != nil {
		f(s.other)
	}
}

// lose tells the counter how many items were lost so far.
func (c *counter) lose(total uint64) { c.losses.now = total }

// advance ends the window if it is time.
func (c *counter) advance(now time.Time) {
	if now.Sub(c.windowSince) < c.interval {
		return
	}
	c.window, c.windowSince = now.Sub(c.windowSince), now
	c.losses.atWindowBefore, c.losses.atWindow = c.losses.atWindow, c.losses.now
	for _, s := range c.sections {
		s.all(func(g *group) {
			g.last = g.window.figures()
			g.window.clear()
		})
	}
}
