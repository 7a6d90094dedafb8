package tail

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/internal/shop"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// batch is what a tap point that nobody else has would send.
func batch(t testing.TB, data any) *app.Batch {
	t.Helper()
	b := &app.Batch{From: "localhost:12001", Point: "remote_tap", Time: time.Unix(1767366245, 0)}
	var err error
	switch data := data.(type) {
	case ptrace.Traces:
		b.Signal, b.Items = tapclient.Traces, uint64(data.SpanCount())
		b.Proto, err = (&ptrace.ProtoMarshaler{}).MarshalTraces(data)
	case plog.Logs:
		b.Signal, b.Items = tapclient.Logs, uint64(data.LogRecordCount())
		b.Proto, err = (&plog.ProtoMarshaler{}).MarshalLogs(data)
	case pmetric.Metrics:
		b.Signal, b.Items = tapclient.Metrics, uint64(data.DataPointCount())
		b.Proto, err = (&pmetric.ProtoMarshaler{}).MarshalMetrics(data)
	default:
		t.Fatalf("no batch of %T", data)
	}
	require.NoError(t, err)
	return b
}

// today is the shop at a time of which the time of day is the same in every zone that tests run in.
func today() shop.Shop {
	return shop.Shop{Start: time.Date(2026, 1, 2, 15, 4, 5, 0, time.Local)} //nolint:gosmopolitan // what users see is local
}
