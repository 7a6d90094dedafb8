// Shop sends the telemetry of a small shop to an OTLP receiver, order by order, until it is interrupted: something
// to watch. Each order is a trace of four spans in three services, a log record and two data points; each fifth
// fails, and one in ten comes from an engineer's laptop (service.version=local-debug).
//
//	go run ./examples/incident/shop --endpoint localhost:4317 --rate 20
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/remotetap/remotetapprocessor/internal/shop"
)

func main() {
	endpoint := flag.String("endpoint", "localhost:4317", "an OTLP receiver (gRPC, without TLS)")
	rate := flag.Int("rate", 20, "orders per second")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *endpoint, *rate)
	interrupted := ctx.Err() != nil
	stop()
	if err != nil && !interrupted {
		fmt.Fprintln(os.Stderr, "shop:", err)
		os.Exit(1)
	}
}

// run sends a tenth of a second's orders ten times a second, until ctx is done. A receiver that does not answer is
// asked again a second later.
func run(ctx context.Context, endpoint string, rate int) error {
	if rate < 1 {
		return fmt.Errorf("--rate %d: write how many orders a second, 1 or more", rate)
	}
	begin := time.Now()
	// Numbers, and so trace ids, that no run of the last days had.
	first := int(begin.Unix()%1_000_000) * 1000
	sent := 0
	for ticker := time.NewTicker(100 * time.Millisecond); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		due := int(time.Since(begin).Seconds() * float64(rate))
		if due == sent {
			continue
		}
		orders := shop.Shop{Start: time.Now().Add(-time.Duration(first+due) * shop.Pause)}
		if err := orders.Send(ctx, endpoint, first+sent, first+due); err != nil {
			fmt.Fprintln(os.Stderr, "shop: trying again:", err)
			wait(ctx, time.Second)
		}
		sent = due
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
