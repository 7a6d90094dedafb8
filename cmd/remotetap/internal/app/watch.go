package app

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/remotetap/remotetapprocessor/tapclient"
)

// statsPeriod is how often the servers tell their accounts: often enough for the status line and for
// totals at the end that are not old.
const statsPeriod = time.Second

// Watcher is what a command does with what it watches. Each function may be nil; an error of one ends
// the watch with it.
type Watcher struct {
	// Batch gets telemetry.
	Batch func(*Batch) error
	// Stats gets the accounts, each second of each origin.
	Stats func(*tapclient.Stats) error
	// Event gets all events, before the others, for who needs more than words about the connections.
	Event func(tapclient.Event) error
	// Totals gets the sums over all collectors and connections, after each account that a server tells
	// and all that happens to connections.
	Totals func(tapclient.Totals)
	// Status makes the status line, each second; nil for one that says what was lost.
	Status func(tapclient.Totals) string
	// Ready is called once, when the flags have been read and whatever had to be asked of the user has
	// been: from then on the terminal is the command's. There may be no collector yet.
	Ready func()
	// Silent says nothing about connections and losses: the command shows them itself.
	Silent bool
	// Options are those of tapclient.Dial besides the flags'.
	Options []tapclient.Option
}

// ErrEnough is what a function of a Watcher returns when the command has what it wants. The watch then
// ends without an error.
var ErrEnough = errors.New("enough")

// Watch opens taps at all endpoints, as arguments, flags and environment name them, and calls the
// watcher's functions, one at a time, until the selection has what it asks for, ctx is done (which is no
// error), or a function fails. It says on stderr which collectors come and go, and what was missed. If no
// collector can be reached, for reasons that last (a name that does not exist, TLS), that is the error.
// The totals are returned in any case. What was on its way to here when there was all that was asked for
// counts in their ledger as Pending, not as Dropped.
func (a *App) Watch(ctx context.Context, endpoints []string, selection tapclient.Selection, w Watcher) (tapclient.Totals, error) {
	client, err := a.Dial(ctx, endpoints, w.Options...)
	if err != nil {
		return tapclient.Totals{}, err
	}
	defer client.Close()
	if selection.Stats == 0 {
		selection.Stats = statsPeriod
	}
	stream, err := client.Tap(ctx, selection)
	if err != nil {
		return tapclient.Totals{}, err
	}
	if w.Ready != nil {
		w.Ready()
	}
	news := &news{app: a, stream: stream, silent: w.Silent, status: w.Status, count: selection.Count}
	if news.status == nil {
		news.status = statusWords
	}
	err = a.follow(ctx, stream, w, news)
	a.Status("")
	if ctx.Err() != nil && !w.Silent {
		a.wipe()
	}
	stream.Close() // before the totals: then the account is complete
	if errors.Is(err, ErrEnough) || errors.Is(err, io.EOF) || ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		err = nil
	}
	return news.totals(), err
}

// follow reads the stream to its end.
func (a *App) follow(ctx context.Context, stream *tapclient.Stream, w Watcher, news *news) error {
	for {
		event, err := stream.Next(ctx)
		if err != nil {
			return err
		}
		if w.Event != nil {
			if err := w.Event(event); err != nil {
				return err
			}
		}
		if _, isDown := event.(*tapclient.Down); isDown {
			if err := hopeless(stream.Origins()); err != nil {
				return err
			}
		}
		news.tell(event)
		switch e := event.(type) {
		case *tapclient.Batch:
			if w.Batch != nil {
				err = w.Batch(batchOf(e))
			}
		case *tapclient.Stats:
			if w.Stats != nil {
				err = w.Stats(e)
			}
		}
		if _, isBatch := event.(*tapclient.Batch); !isBatch && w.Totals != nil {
			w.Totals(news.totals())
		}
		if err != nil {
			return err
		}
	}
}

// news is what a command says about its connections.
type news struct {
	app    *App
	stream *tapclient.Stream
	silent bool
	status func(tapclient.Totals) string
	hinted string // the hints that were said last
	came   bool   // telemetry did
	count  uint64 // of the selection; 0 for none
	over   bool   // its duration is
}

// totals are the stream's, in which what came after the count or the duration is not lost.
func (n *news) totals() tapclient.Totals {
	totals := n.stream.Totals()
	if n.over || n.count > 0 && totals.Received.Items >= n.count {
		totals.Ledger = withoutRest(totals.Ledger)
	}
	return totals
}

func (n *news) tell(event tapclient.Event) {
	if end, isEnd := event.(*tapclient.End); isEnd && end.Reason == tapclient.EndDurationReached {
		n.over = true
	}
	if n.silent {
		return
	}
	switch e := event.(type) {
	case *tapclient.Batch:
		if !n.came { // nobody waits any more
			n.came = true
			n.app.Status(n.status(n.totals()))
		}
	case *tapclient.Up:
		if e.Attempt > 1 {
			n.app.Say("%s: connected", e.From())
		}
	case *tapclient.Down:
		if e.Attempt <= 1 { // not each attempt
			n.app.Say("%s: %v; trying again", e.From(), e.Err)
		}
	case *tapclient.Missed:
		n.app.Say("%s: %s", e.From(), missedWords(e))
	case *tapclient.End:
		if e.Err != nil && len(n.stream.Origins()) > 1 { // a single one is the command's error
			n.app.Say("%s: %v", e.From(), e.Err)
		}
	case *tapclient.Stats:
		n.hint(e.Hints)
		n.app.Status(n.status(n.totals()))
	}
}

// hint says why nothing matches, each reason once.
func (n *news) hint(hints []string) {
	text := strings.Join(hints, "\n")
	if text == n.hinted {
		return
	}
	n.hinted = text
	if text != "" {
		n.app.Say("Nothing has matched so far. %s", text)
	}
}
