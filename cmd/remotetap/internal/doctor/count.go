package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/remotetap/remotetapprocessor/tapclient"
)

// tally is what a tap that counts has counted.
type tally struct {
	totals tapclient.Totals
	hints  []string
	skew   time.Duration // how far the collector's clock is ahead of ours; 0 until known
	err    error         // why it is not open, or not to the end
}

// count opens taps that only count, for the duration, and returns what each has counted, and the rates
// of the signals at each point in words.
func (e *examination) count(ctx context.Context, requests []tapclient.Selection) (tallies []tally, rates string) {
	tallies = make([]tally, len(requests))
	client, err := e.client(ctx)
	if err != nil {
		for i := range tallies {
			tallies[i].err = err
		}
		return tallies, ""
	}
	defer client.Close()
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	var counting sync.WaitGroup
	for i, request := range requests {
		request.Format, request.Stats = tapclient.FormatNone, min(time.Second, e.duration/4)
		counting.Go(func() { tallies[i] = tallyOf(ctx, watching, client, request) })
	}
	timer := time.NewTimer(e.duration)
	defer timer.Stop()
	select {
	case <-timer.C:
		rates = rateWords(ctx, client) // before the taps end: without them nothing counts
	case <-ctx.Done():
	}
	cancel()
	counting.Wait()
	return tallies, rates
}

// rateWords says how much passes at each point, a line for each.
func rateWords(ctx context.Context, client *tapclient.Client) string {
	listings, err := client.ListPoints(ctx)
	if err != nil {
		return ""
	}
	var text strings.Builder
	for i, point := range listings[0].Points {
		if i == maxNames {
			fmt.Fprintf(&text, "\n... and %d more points", len(listings[0].Points)-i)
			break
		}
		var parts []string
		for _, signal := range point.Signals {
			if rate, ok := point.Rates[signal]; ok {
				parts = append(parts, fmt.Sprintf("%s %s/s", signal, rateNumber(rate)))
			}
		}
		if len(parts) > 0 {
			text.WriteString("\n" + point.ID + ": " + strings.Join(parts, ", "))
		}
	}
	return text.String()
}

// tallyOf counts with one tap until the watching is over.
func tallyOf(ctx, watching context.Context, client *tapclient.Client, request tapclient.Selection) (t tally) {
	stream, err := client.Tap(ctx, request)
	if err != nil {
		t.err = err
		return t
	}
	defer func() {
		stream.Close()
		t.totals = stream.Totals()
	}()
	for {
		event, err := stream.Next(watching)
		switch {
		case watching.Err() != nil:
			return t
		case errors.Is(err, io.EOF):
			return t
		case err != nil:
			t.err = withoutOrigin(err)
			return t
		}
		if stats, ok := event.(*tapclient.Stats); ok {
			t.hints = stats.Hints
			if t.skew == 0 {
				t.skew = time.Until(stats.Ledger.Now)
			}
		}
	}
}

// rateNumber is a rate with as many digits as matter.
func rateNumber(rate float64) string {
	if rate >= 10 {
		return humanize.Comma(int64(rate + 0.5))
	}
	return humanize.FtoaWithDigits(rate, 1)
}
