package remotetapprocessor

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/remotetap/remotetapprocessor/internal/selection"
)

// broadcaster connects the sources of one server with the taps of its clients. Its lock is taken
// when somebody subscribes or leaves, never by a batch that passes.
type broadcaster struct {
	// set at construction
	limit    int
	ceilings PerTapConfig
	meters   *meters
	logger   *zap.Logger

	renderers sync.WaitGroup // one goroutine for each view
	sessions  sync.WaitGroup // one for each tap; its session calls Done when the client is gone

	mu sync.Mutex
	// guarded by mu
	sources []*source
	views   map[string]*view // by key
	taps    []*tap           // open ones, oldest first
	lastID  uint64
	closed  bool
	ended   [numEndReasons]uint64
	refused [numRefuseReasons]uint64
	bytes   uint64 // sent by taps that have ended
}

func newBroadcaster(limit int, ceilings PerTapConfig, maxOverhead float64, logger *zap.Logger) *broadcaster {
	return &broadcaster{limit: limit, ceilings: ceilings, logger: logger, views: map[string]*view{}, meters: newMeters(maxOverhead)}
}

// add makes sources known; the open taps that select their signals see them from now on.
func (b *broadcaster) add(sources ...*source) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sources = append(b.sources, sources...)
	b.route()
}

// forget takes sources away; open taps go on with the others.
func (b *broadcaster) forget(sources ...*source) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range sources {
		s.views.Store(nil)
		s.watched.Store(nil)
		b.sources = without(b.sources, s)
	}
}

// subscribe opens a tap that sees every batch from now on. The returned context ends when the
// tap shall end; its cause is then an endReason, or that of the parent. The caller calls
// sessions.Done when it has done with the client. The error is a *refusal.
func (b *broadcaster) subscribe(parent context.Context, sel selection.Selection, client clientInfo) (context.Context, *tap, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	covered, refused := b.admission(sel)
	if refused != nil {
		b.refused[refused.reason]++
		return nil, nil, refused
	}
	now := time.Now()
	b.lastID++
	ctx, cancel := context.WithCancelCause(parent)
	t := &tap{
		id: b.lastID, client: client, opened: now, points: covered, limits: b.limits(),
		asked: sel.String(), wants: sel.Delivery, ready: make(chan struct{}, 1), cancel: cancel,
	}
	if err := b.enter(t, sel); err != nil {
		cancel(err)
		return nil, nil, asRefusal(err)
	}
	b.taps = append(b.taps, t)
	b.sessions.Add(1)
	b.route()
	return ctx, t, nil
}

// enter adds a tap to the view of its selection, which is made if there is none.
func (b *broadcaster) enter(t *tap, sel selection.Selection) error {
	key := viewKey(t, sel)
	if v := b.views[key]; v != nil && v.join(t) {
		return nil
	}
	shared := sel.View()
	shared.Delivery.Count = sel.Delivery.Count
	v, err := newView(shared, b.ceilings, b.meters, b.logger)
	if err != nil {
		return err
	}
	v.join(t)
	v.key = key
	b.views[key] = v
	b.meters.join()
	b.renderers.Go(v.render)
	return nil
}

// viewKey tells the taps that share a view. One with a count has a view of its own: what is
// captured for it ends with its count.
func viewKey(t *tap, sel selection.Selection) string {
	key := sel.View().String()
	if sel.Delivery.Count > 0 {
		key += "#" + strconv.FormatUint(t.id, 10)
	}
	return key
}

// admission is the ids of the points that a selection covers, or why it is refused.
func (b *broadcaster) admission(sel selection.Selection) ([]string, *refusal) {
	if b.closed {
		return nil, shuttingDown()
	}
	chosen, err := sel.Choose(b.points())
	if err != nil {
		return nil, asRefusal(err)
	}
	if refused := b.hidden(sel, chosen); refused != nil {
		return nil, refused
	}
	if sel.Delivery.Count > 0 && sel.Delivery.Format == selection.FormatNone {
		return nil, badParameter("count", "format=none delivers no items to count", "leave one of the two out")
	}
	if len(b.taps) >= b.limit {
		return nil, limitReached(b.limit, b.holders())
	}
	var ids []string
	for _, p := range chosen {
		ids = append(ids, p.ID)
	}
	return ids, nil
}

// points lists the tap points with the signals that each carries.
func (b *broadcaster) points() []selection.Point {
	carried := map[string]selection.Signals{}
	for _, s := range b.sources {
		carried[s.point.String()] |= selection.SignalsOf(s.signal)
	}
	points := make([]selection.Point, 0, len(carried))
	for _, id := range slices.Sorted(maps.Keys(carried)) {
		points = append(points, selection.Point{ID: id, Signals: carried[id]})
	}
	return points
}

// maxHolders is how many taps a refusal at the limit names: gRPC's clients bound what a status holds.
const maxHolders = 20

// holders are the oldest taps.
func (b *broadcaster) holders() []holder {
	holders := make([]holder, min(len(b.taps), maxHolders))
	for i, t := range b.taps[:len(holders)] {
		holders[i] = holder{Remote: t.client.remote, Since: t.opened.UTC()}
	}
	return holders
}

// unsubscribe ends a tap and returns its final account. A second call changes nothing.
func (b *broadcaster) unsubscribe(t *tap, reason endReason) ledger {
	b.mu.Lock()
	defer b.mu.Unlock()
	t.cancel(reason)
	final, last := t.leave(time.Now())
	if !slices.Contains(b.taps, t) {
		return final
	}
	b.taps = without(b.taps, t)
	b.ended[reason]++
	b.bytes += final.bytes
	if last {
		b.meters.leave()
	}
	if last && b.views[t.view.key] == t.view {
		delete(b.views, t.view.key)
	}
	b.route()
	return final
}

// route tells each source who watches it now.
func (b *broadcaster) route() {
	for _, s := range b.sources {
		var watching []*view
		for _, v := range b.views {
			if v.selection.Covers(s.point.String(), s.signal) {
				watching = append(watching, v)
			}
		}
		if len(watching) == 0 {
			s.views.Store(nil)
			s.watched.Store(nil)
			continue
		}
		s.watched.CompareAndSwap(nil, new(time.Now()))
		s.views.Store(&watching)
	}
}

// close refuses new taps and ends the open ones; it does not wait for them.
func (b *broadcaster) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, t := range b.taps {
		t.cancel(endShutdown)
	}
}

// countRefusal counts a request that was refused before it came here.
func (b *broadcaster) countRefusal(reason refuseReason) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused[reason]++
}

// snapshot is the state of a broadcaster for people and metrics.
type snapshot struct {
	sources []*source
	taps    []*tap
	ended   [numEndReasons]uint64
	refused [numRefuseReasons]uint64
	bytes   uint64
}

func (b *broadcaster) snapshot() snapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := snapshot{
		sources: slices.Clone(b.sources),
		taps:    slices.Clone(b.taps),
		ended:   b.ended,
		refused: b.refused,
		bytes:   b.bytes,
	}
	now := time.Now()
	for _, t := range b.taps {
		s.bytes += t.ledger(now).bytes
	}
	slices.SortFunc(s.sources, compareSources)
	return s
}

// compareSources orders by point, then by signal.
func compareSources(a, b *source) int {
	if byPoint := strings.Compare(a.point.String(), b.point.String()); byPoint != 0 {
		return byPoint
	}
	return int(a.signal) - int(b.signal)
}

// clientInfo is what is known of a client, for logs and for other engineers.
type clientInfo struct {
	remote    string // address
	subject   string // authenticated subject, or the name in the TLS client certificate
	userAgent string
	transport string // websocket, ndjson, sse
}
