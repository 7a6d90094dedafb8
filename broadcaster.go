package remotetapprocessor

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// broadcaster connects the sources of one server with the taps of its clients. Its lock is taken
// when somebody subscribes or leaves, never by a batch that passes.
type broadcaster struct {
	// set at construction
	limit    int
	ceilings PerTapConfig
	logger   *zap.Logger

	renderers sync.WaitGroup // one goroutine for each view
	sessions  sync.WaitGroup // one for each tap; its session calls Done when the client is gone

	mu sync.Mutex
	// guarded by mu
	sources  []*source
	views    map[selection]*view
	taps     []*tap // open ones, oldest first
	lastID   uint64
	watching time.Time // since when there has been a tap
	closed   bool
	ended    [numEndReasons]uint64
	refused  [numRefuseReasons]uint64
	bytes    uint64 // sent by taps that have ended
}

func newBroadcaster(limit int, ceilings PerTapConfig, logger *zap.Logger) *broadcaster {
	return &broadcaster{limit: limit, ceilings: ceilings, logger: logger, views: map[selection]*view{}}
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
		b.sources = without(b.sources, s)
	}
}

// subscribe opens a tap that sees every batch from now on. The returned context ends when the
// tap shall end; its cause is then an endReason, or that of the parent. The caller calls
// sessions.Done when it has done with the client. The error is a *refusal.
func (b *broadcaster) subscribe(parent context.Context, sel selection, client clientInfo) (context.Context, *tap, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if refused := b.admission(sel); refused != nil {
		b.refused[refused.reason]++
		return nil, nil, refused
	}
	now := time.Now()
	if len(b.taps) == 0 {
		b.watching = now
	}
	b.lastID++
	ctx, cancel := context.WithCancelCause(parent)
	t := &tap{id: b.lastID, client: client, opened: now, ready: make(chan struct{}, 1), cancel: cancel}
	v := b.views[sel]
	if v == nil || !v.join(t) {
		v = newView(sel, b.ceilings, b.logger)
		v.join(t)
		b.views[sel] = v
		b.renderers.Go(v.render)
	}
	b.taps = append(b.taps, t)
	b.sessions.Add(1)
	b.route()
	return ctx, t, nil
}

func (b *broadcaster) admission(sel selection) *refusal {
	switch {
	case b.closed:
		return shuttingDown()
	case sel.signals&b.offered() == 0:
		hint := "no pipeline lists remote_tap"
		if offered := b.offered().names(); len(offered) > 0 {
			hint = "there are " + strings.Join(offered, ", ")
		}
		return badParameter("signal", "no tap point carries "+strings.Join(sel.signals.names(), " or "), hint)
	case len(b.taps) >= b.limit:
		return limitReached(b.limit, b.holders())
	default:
		return nil
	}
}

// offered is what signals there are at any point.
func (b *broadcaster) offered() signalSet {
	var offered signalSet
	for _, s := range b.sources {
		offered |= setOf(s.signal)
	}
	return offered
}

func (b *broadcaster) holders() []holder {
	holders := make([]holder, len(b.taps))
	for i, t := range b.taps {
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
	if last && b.views[t.view.selection] == t.view {
		delete(b.views, t.view.selection)
	}
	b.route()
	return final
}

// route tells each source who watches it now.
func (b *broadcaster) route() {
	for _, s := range b.sources {
		var watching []*view
		for _, v := range b.views {
			if v.selection.signals.has(s.signal) {
				watching = append(watching, v)
			}
		}
		if len(watching) == 0 {
			s.views.Store(nil)
			continue
		}
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
	sources  []*source
	taps     []*tap
	watching time.Time // zero when nobody watches
	ended    [numEndReasons]uint64
	refused  [numRefuseReasons]uint64
	bytes    uint64
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
	if len(b.taps) > 0 {
		s.watching = b.watching
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
