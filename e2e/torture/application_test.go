//go:build linux

package torture

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	// applicationSpans is how many spans an application sends at once, and applicationPeriod how often.
	applicationSpans  = 20
	applicationPeriod = 5 * time.Millisecond
)

// application is somebody who sends spans to a collector's OTLP receiver.
type application struct {
	conn *grpc.ClientConn
	stop func()

	// atomic
	accepted atomic.Uint64 // batches
	refused  atomic.Uint64 // batches
}

// dialApplication connects to an OTLP receiver, wherever that is at the time of each attempt.
func dialApplication(t testing.TB, address string) *application {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	a := &application{conn: conn}
	t.Cleanup(func() { _ = conn.Close() })
	return a
}

// send sends a batch and returns the collector's answer.
func (a *application) send(service string, spans int) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	batch := spansOf(service, spans, func(i int) string { return fmt.Sprintf("%s %d", service, i) })
	_, err := ptraceotlp.NewGRPCClient(a.conn).Export(ctx, ptraceotlp.NewExportRequestFromTraces(batch), grpc.WaitForReady(true))
	if err != nil {
		a.refused.Add(1)
	} else {
		a.accepted.Add(1)
	}
	return err
}

// startApplication sends one batch after the other until stop, whatever the answers are.
func startApplication(t testing.TB, address string) *application {
	t.Helper()
	a := dialApplication(t, address)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for pause(ctx, applicationPeriod) {
			_ = a.send("app", applicationSpans)
		}
	}()
	a.stop = func() { cancel(); <-done }
	t.Cleanup(a.stop)
	return a
}

// awaitMore waits until the collector has accepted some more batches.
func (a *application) awaitMore(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	for until := a.accepted.Load() + 3; a.accepted.Load() < until; {
		require.True(t, pause(ctx, glance), "the collector accepts nothing")
	}
}
