package shop

import (
	"context"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Send sends the telemetry of orders from one number up to another to an OTLP receiver: one request
// for each signal (traces, logs, metrics; all if none is named). It returns when the receiver has
// taken them, which is after they have passed the tap points.
func (s Shop) Send(ctx context.Context, receiver string, from, to int, signals ...string) error {
	conn, err := grpc.NewClient(receiver, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // what was sent has been answered
	if len(signals) == 0 {
		signals = []string{"traces", "logs", "metrics"}
	}
	for _, signal := range signals {
		switch signal {
		case "traces":
			_, err = ptraceotlp.NewGRPCClient(conn).Export(ctx, ptraceotlp.NewExportRequestFromTraces(s.Traces(from, to)))
		case "logs":
			_, err = plogotlp.NewGRPCClient(conn).Export(ctx, plogotlp.NewExportRequestFromLogs(s.Logs(from, to)))
		case "metrics":
			_, err = pmetricotlp.NewGRPCClient(conn).Export(ctx, pmetricotlp.NewExportRequestFromMetrics(s.Metrics(from, to)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
