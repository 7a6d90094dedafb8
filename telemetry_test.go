package remotetapprocessor

import (
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/remotetap/remotetapprocessor/internal/metadatatest"
)

// reasons are the data points of a metric that has a point for each reason, most of them 0.
func reasons[R interface {
	~uint8
	String() string
}](all R, counts map[string]int64) []metricdata.DataPoint[int64] {
	var points []metricdata.DataPoint[int64]
	for reason := range all {
		points = append(points, metricdata.DataPoint[int64]{
			Attributes: attribute.NewSet(attribute.String("reason", reason.String())),
			Value:      counts[reason.String()],
		})
	}
	return points
}

// bySignal are the data points of a metric of the point remote_tap.
func bySignal(counts map[string]int64) []metricdata.DataPoint[int64] {
	var points []metricdata.DataPoint[int64]
	for signal, n := range counts {
		points = append(points, metricdata.DataPoint[int64]{
			Attributes: attribute.NewSet(attribute.String("point", "remote_tap"), attribute.String("signal", signal)),
			Value:      n,
		})
	}
	return points
}

func plainly(value int64) []metricdata.DataPoint[int64] {
	return []metricdata.DataPoint[int64]{{Value: value}}
}

func TestMetricsOfItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t, func(c *Config) { c.PerTap.ItemsPerSecond = 10 })
		o.pass(100) // nobody watches
		first, second, spansOnly := o.webSocket("/v1/tap"), o.webSocket("/v1/tap"), o.webSocket("/v1/traces")
		passAll(t, o)
		o.pass(15)
		bytes := int64(0)
		for _, conn := range []struct {
			messages int
			read     func() (int, []byte, error)
		}{{5, first.ReadMessage}, {5, second.ReadMessage}, {2, spansOnly.ReadMessage}} {
			for range conn.messages {
				_, message, err := conn.read()
				require.NoError(t, err)
				bytes += int64(len(message))
			}
		}
		synctest.Wait()

		ignore := metricdatatest.IgnoreTimestamp()
		metadatatest.AssertEqualProcessorRemoteTapOpenTaps(t, o.telemetry, plainly(3), ignore)
		metadatatest.AssertEqualProcessorRemoteTapBytesSent(t, o.telemetry, plainly(bytes), ignore)
		metadatatest.AssertEqualProcessorRemoteTapItemsSeen(t, o.telemetry,
			bySignal(map[string]int64{"traces": 16, "metrics": 1, "logs": 1, "profiles": 1}), ignore)
		// Of 10 items a second, the first two taps spent 4 on one of each signal.
		metadatatest.AssertEqualProcessorRemoteTapItemsSent(t, o.telemetry,
			bySignal(map[string]int64{"traces": 2*(1+6) + 1 + 9, "metrics": 2, "logs": 2, "profiles": 2}), ignore)
		metadatatest.AssertEqualProcessorRemoteTapItemsDropped(t, o.telemetry, []metricdata.DataPoint[int64]{{
			Attributes: attribute.NewSet(attribute.String("point", "remote_tap"), attribute.String("signal", "traces"), attribute.String("reason", "rate_limit")),
			Value:      2*9 + 6,
		}}, ignore)
	})
}

func TestBytesSentOutliveTheirTap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		conn := o.webSocket("/v1/tap")
		o.pass(1)
		_, message, err := conn.ReadMessage()
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		o.ended()
		metadatatest.AssertEqualProcessorRemoteTapOpenTaps(t, o.telemetry, plainly(0), metricdatatest.IgnoreTimestamp())
		metadatatest.AssertEqualProcessorRemoteTapBytesSent(t, o.telemetry, plainly(int64(len(message))), metricdatatest.IgnoreTimestamp())
	})
}

func TestMetricOfPipelineTime(t *testing.T) {
	// On real time: a bubble's clock stands still while a pipeline works.
	o := onLoopback(t)
	conn := o.webSocket("/v1/tap")
	o.pass(1000)
	nextSpans(t, conn)
	got, err := o.telemetry.GetMetric("otelcol_processor_remote_tap_pipeline_time")
	require.NoError(t, err)
	taken := map[string]float64{}
	for _, point := range got.Data.(metricdata.Sum[float64]).DataPoints {
		signal, _ := point.Attributes.Value("signal")
		taken[signal.AsString()] = point.Value
	}
	assert.Positive(t, taken["traces"])
	assert.Less(t, taken["traces"], 60.0, "seconds")
	delete(taken, "traces")
	assert.Equal(t, map[string]float64{"metrics": 0, "logs": 0, "profiles": 0}, taken)
}

func TestMetricOfRefusedTaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t, withAuth("basicauth"), func(c *Config) { c.Limit = 1 })
		as := []string{"Authorization", "username ada"}
		o.webSocket("/v1/tap", as...)
		for range 2 {
			o.answer(http.MethodGet, "/v1/tap", as...) // the limit is reached
		}
		for _, path := range []string{"/v1/tap?x=1", "/v1/tap?signal=x", "/v1/tap?format=x"} {
			o.answer(http.MethodGet, path, as...)
		}
		for range 4 {
			o.answer(http.MethodGet, "/v1/tap")
		}
		for range 5 {
			o.answer(http.MethodGet, "/v1/tap", "Origin", "https://evil.com")
		}
		metadatatest.AssertEqualProcessorRemoteTapRefusedTaps(t, o.telemetry, reasons(numRefuseReasons, map[string]int64{
			"limit_reached": 2, "bad_request": 3, "unauthenticated": 4, "forbidden": 5,
		}), metricdatatest.IgnoreTimestamp())
	})
}

func TestMetricOfEndedTaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		require.NoError(t, o.webSocket("/v1/tap").Close())
		o.ended()
		require.NoError(t, o.stream("/v1/tap").Body.Close())
		o.ended()
		conn, _ := o.rawWebSocket()
		write(t, conn, frame(0x83, "x"))
		o.ended()
		o.webSocket("/v1/tap")
		o.flood()
		o.ended()
		metadatatest.AssertEqualProcessorRemoteTapEndedTaps(t, o.telemetry, reasons(numEndReasons, map[string]int64{
			"client_closed": 2, "protocol_error": 1, "write_timeout": 1,
		}), metricdatatest.IgnoreTimestamp())
	})
}

func TestMetricsOfAServerEndWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		o.stop()
		_, err := o.telemetry.GetMetric("otelcol_processor_remote_tap_open_taps")
		assert.ErrorContains(t, err, "not found")
	})
}

// injectingCore is a logger's core like that by which the collector says whose line it is.
type injectingCore struct {
	zapcore.Core
	dropped *[]string
}

func (c injectingCore) DropInjectedAttributes(attributes ...string) zapcore.Core {
	*c.dropped = attributes
	return c.Core
}

// injectingMeterProvider is like injectingCore, for metrics.
type injectingMeterProvider struct {
	metric.MeterProvider
	dropped *[]string
}

func (p injectingMeterProvider) DropInjectedAttributes(attributes ...string) metric.MeterProvider {
	*p.dropped = attributes
	return p.MeterProvider
}

// injectingTracerProvider is like injectingCore, for spans.
type injectingTracerProvider struct {
	trace.TracerProvider
	dropped *[]string
}

func (p injectingTracerProvider) DropInjectedAttributes(attributes ...string) trace.TracerProvider {
	*p.dropped = attributes
	return p.TracerProvider
}

func TestTelemetryOfAServerIsOfNoPipelineInParticular(t *testing.T) {
	var lines, metrics, spans []string
	core, logs := observer.New(zapcore.DebugLevel)
	settings := componenttest.NewNopTelemetrySettings()
	settings.Logger = zap.New(injectingCore{core, &lines})
	settings.MeterProvider = injectingMeterProvider{settings.MeterProvider, &metrics}
	settings.TracerProvider = injectingTracerProvider{settings.TracerProvider, &spans}
	settings = ofAllPipelines(settings)
	settings.Logger.Info("still logged")
	assert.Equal(t, 1, logs.Len())
	for _, dropped := range [][]string{lines, metrics, spans} {
		assert.Equal(t, []string{"otelcol.pipeline.id", "otelcol.signal"}, dropped)
	}
}
