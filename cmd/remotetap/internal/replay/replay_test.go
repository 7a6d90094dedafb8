package replay

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/otlpout/receivertest"
	"github.com/remotetap/remotetapprocessor/internal/shop"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// replay runs the command and returns what it says.
func replay(ctx context.Context, args ...string) (string, error) {
	var words bytes.Buffer
	a := app.New(app.System{In: strings.NewReader(""), Out: &words, Err: &words, Getenv: func(string) string { return "" }, Version: "test"})
	command := Command(a)
	command.SilenceErrors, command.SilenceUsage = true, true
	command.SetArgs(args)
	err := command.ExecuteContext(ctx)
	return words.String(), err
}

// file is the shop's orders, recorded.
func file(t *testing.T) string {
	t.Helper()
	of := shop.New()
	traces, err := (&ptrace.JSONMarshaler{}).MarshalTraces(of.Traces(0, 5))
	require.NoError(t, err)
	logs, err := (&plog.JSONMarshaler{}).MarshalLogs(of.Logs(0, 5))
	require.NoError(t, err)
	metrics, err := (&pmetric.JSONMarshaler{}).MarshalMetrics(of.Metrics(0, 5))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "shop.jsonl")
	require.NoError(t, os.WriteFile(path, bytes.Join([][]byte{metrics, traces, logs}, []byte("\n")), 0o600))
	return path
}

func TestARecordingArrives(t *testing.T) {
	receiver := receivertest.Start(t)
	words, err := replay(t.Context(), file(t), "--to", receiver.GRPC)
	require.NoError(t, err)
	of := shop.New()
	assert.Equal(t, of.Traces(0, 5), receiver.Traces())
	assert.Equal(t, of.Logs(0, 5), receiver.Logs())
	assert.Equal(t, of.Metrics(0, 5), receiver.Metrics())
	assert.Regexp(t, `shop.jsonl: matched 35 of 35, sent in [0-9.]+m?s: taken 35, not taken 0\n$`, words)
}

func TestOnlyWhatIsSelectedArrives(t *testing.T) {
	receiver := receivertest.Start(t)
	words, err := replay(t.Context(), "traces", "service=payment", file(t), "--to", receiver.URL, "--count", "7", "--speed", "max")
	require.NoError(t, err)
	assert.Equal(t, 7, receiver.Items())
	assert.Contains(t, words, "matched 7 of 15")
}

func TestTimesAreMovedTogether(t *testing.T) {
	receiver := receivertest.Start(t)
	before := time.Now()
	_, err := replay(t.Context(), file(t), "--to", receiver.GRPC, "--shift-time", "--speed=max")
	require.NoError(t, err)
	points := receiver.Metrics()
	document := &document{visit: func(v visit) { visitMetrics(points, v) }}
	newest := document.newest()
	assert.WithinRange(t, newest, before, time.Now())
	by := newest.Sub(shop.New().Start.Add(4 * shop.Pause))
	want := shop.Shop{Start: shop.New().Start.Add(by)}
	assert.Equal(t, want.Traces(0, 5), receiver.Traces())
	assert.Equal(t, want.Logs(0, 5), receiver.Logs())
	assert.Equal(t, want.Metrics(0, 5), points)
}

func TestWhatIsNotTakenMakesItFail(t *testing.T) {
	receiver := receivertest.Start(t)
	receiver.Answer = func(request int) (int64, string, error) {
		if request == 0 {
			return 4, "too old", nil
		}
		return 0, "", status.Error(codes.InvalidArgument, "no")
	}
	words, err := replay(t.Context(), file(t), "--to", receiver.GRPC, "--speed=max")
	require.EqualError(t, err, "29 of 35 items were not taken")
	assert.Equal(t, app.CodeFailed, app.CodeOf(err))
	assert.Contains(t, words, "taken 6, not taken 29: refused 25, rejected 4")
}

func TestADamagedRecordingIsSentAsFarAsItCanBe(t *testing.T) {
	receiver := receivertest.Start(t)
	path := file(t)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, content[:len(content)-20], 0o600))
	words, err := replay(t.Context(), path, "--to", receiver.GRPC, "--speed=max")
	require.ErrorContains(t, err, "shop.jsonl:3: it is cut off here")
	assert.Equal(t, app.CodeFailed, app.CodeOf(err))
	assert.Contains(t, words, "taken 30, not taken 0")
}

func TestAnInterruptionIsNoFailure(t *testing.T) {
	receiver := receivertest.Start(t)
	ctx, cancel := context.WithCancel(t.Context())
	receiver.OnRequest = cancel
	words, err := replay(ctx, file(t), "--to", receiver.GRPC)
	require.NoError(t, err)
	assert.Contains(t, words, "The rest was not read: interrupted.")
	assert.Regexp(t, `taken (0, not taken 10: interrupted 10|10, not taken 0)\n`, words)
}

func TestWrongWordsSayWhatToWrite(t *testing.T) {
	path := file(t)
	for args, says := range map[string]string{
		"":                                   "name the recording to send",
		"localhost:4317":                     "localhost:4317 is no file; where to send is --to localhost:4317",
		path:                                 "--to is missing",
		path + " --to x --speed fast":        "--speed fast: write how many times faster",
		path + " --to x --speed 0":           "--speed 0",
		path + " --to x --speed nan":         "--speed nan",
		path + " --to x --max-pause -1s":     "--max-pause -1s",
		path + " rate=5 --to x":              "rate has no effect here",
		path + " --to x --min-duration soon": "min_duration",
	} {
		_, err := replay(t.Context(), strings.Fields(args)...)
		require.ErrorContains(t, err, says, args)
		assert.Equal(t, app.CodeUsage, app.CodeOf(err), args)
	}
}

func TestThePaceIsThatOfTheRecording(t *testing.T) {
	start := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	for _, test := range []struct {
		name     string
		speed    string
		maxPause time.Duration
		times    []time.Time
		want     []float64 // seconds after the first
	}{
		{"as it was", "1x", 0, []time.Time{at(0), at(1.5), at(10)}, []float64{0, 1.5, 10}},
		{"faster", "10x", 0, []time.Time{at(0), at(1.5), at(10)}, []float64{0, 0.15, 1}},
		{"slower", "0.5", 0, []time.Time{at(0), at(1.5), at(10)}, []float64{0, 3, 20}},
		{"at once", "max", 0, []time.Time{at(0), at(1.5), at(10)}, []float64{0, 0, 0}},
		{"long pauses are cut", "1x", 2 * time.Second, []time.Time{at(0), at(1.5), at(10), at(11)}, []float64{0, 1.5, 3.5, 4.5}},
		{"time that goes back takes none", "1x", 0, []time.Time{at(5), at(0), at(6), at(5.5), at(7)}, []float64{0, 0, 1, 1, 2}},
		{"times that nobody knows take none", "1x", 0, []time.Time{{}, at(5), {}, at(6)}, []float64{0, 0, 0, 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				speed, err := speedOf(test.speed)
				require.NoError(t, err)
				ticks := 0
				p := pace{speed: speed, maxPause: test.maxPause, tick: func() { ticks++ }}
				begun := time.Now()
				for i, at := range test.times {
					p.wait(t.Context(), at)
					assert.InDelta(t, test.want[i], time.Since(begun).Seconds(), 1e-6, i)
				}
				assert.GreaterOrEqual(t, float64(ticks), test.want[len(test.want)-1])
			})
		})
	}
}

func TestAWaitEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pace{speed: 1, tick: func() {}}
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		begun := time.Now()
		p.wait(ctx, begun)
		p.wait(ctx, begun.Add(time.Hour))
		assert.Equal(t, 90*time.Second, time.Since(begun))
	})
}

// everyTime is telemetry in which each timestamp that OTLP has is set, with values from 1,000,000,001 on.
func everyTime(t *testing.T) []*app.Batch {
	t.Helper()
	var last pcommon.Timestamp = 1_000_000_000
	next := func() pcommon.Timestamp { last++; return last }
	td := ptrace.NewTraces()
	span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetStartTimestamp(next())
	span.SetEndTimestamp(next())
	span.Events().AppendEmpty().SetTimestamp(next())
	ld := plog.NewLogs()
	record := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.SetTimestamp(next())
	record.SetObservedTimestamp(next())
	md := pmetric.NewMetrics()
	metrics := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	set := func(p point) {
		p.SetStartTimestamp(next())
		p.SetTimestamp(next())
	}
	gauge := metrics.AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty()
	set(gauge)
	gauge.Exemplars().AppendEmpty().SetTimestamp(next())
	sum := metrics.AppendEmpty().SetEmptySum().DataPoints().AppendEmpty()
	set(sum)
	sum.Exemplars().AppendEmpty().SetTimestamp(next())
	histogram := metrics.AppendEmpty().SetEmptyHistogram().DataPoints().AppendEmpty()
	set(histogram)
	histogram.Exemplars().AppendEmpty().SetTimestamp(next())
	exponential := metrics.AppendEmpty().SetEmptyExponentialHistogram().DataPoints().AppendEmpty()
	set(exponential)
	exponential.Exemplars().AppendEmpty().SetTimestamp(next())
	set(metrics.AppendEmpty().SetEmptySummary().DataPoints().AppendEmpty())
	metrics.AppendEmpty()
	pd := pprofile.NewProfiles()
	profile := pd.ResourceProfiles().AppendEmpty().ScopeProfiles().AppendEmpty().Profiles().AppendEmpty()
	profile.SetTime(next())
	profile.Samples().AppendEmpty().TimestampsUnixNano().Append(uint64(next()), uint64(next()))

	batch := func(signal tapclient.Signal, proto []byte, err error) *app.Batch {
		require.NoError(t, err)
		return &app.Batch{Signal: signal, Items: 1, Proto: proto}
	}
	traces, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	batches := []*app.Batch{batch(tapclient.Traces, traces, err)}
	logs, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	batches = append(batches, batch(tapclient.Logs, logs, err))
	encoded, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
	batches = append(batches, batch(tapclient.Metrics, encoded, err))
	profiles, err := (&pprofile.ProtoMarshaler{}).MarshalProfiles(pd)
	return append(batches, batch(tapclient.Profiles, profiles, err))
}

// timesIn are the timestamps in the JSON of a batch, whatever their fields are called.
func timesIn(t *testing.T, b *app.Batch, proto []byte) []int {
	t.Helper()
	moved := &app.Batch{Signal: b.Signal, Proto: proto}
	var text []byte
	var err error
	switch b.Signal {
	case tapclient.Traces:
		td, errDecode := moved.Traces()
		require.NoError(t, errDecode)
		text, err = (&ptrace.JSONMarshaler{}).MarshalTraces(td)
	case tapclient.Logs:
		ld, errDecode := moved.Logs()
		require.NoError(t, errDecode)
		text, err = (&plog.JSONMarshaler{}).MarshalLogs(ld)
	case tapclient.Metrics:
		md, errDecode := moved.Metrics()
		require.NoError(t, errDecode)
		text, err = (&pmetric.JSONMarshaler{}).MarshalMetrics(md)
	default:
		pd, errDecode := moved.Profiles()
		require.NoError(t, errDecode)
		text, err = (&pprofile.JSONMarshaler{}).MarshalProfiles(pd)
	}
	require.NoError(t, err)
	var times []int
	for _, digits := range regexp.MustCompile(`"(\d{10})"`).FindAllSubmatch(text, -1) {
		n, err := strconv.Atoi(string(digits[1]))
		require.NoError(t, err)
		times = append(times, n)
	}
	return times
}

func TestEveryTimestampIsMovedOnce(t *testing.T) {
	var all int
	for _, b := range everyTime(t) {
		before := timesIn(t, b, b.Proto)
		require.NotEmpty(t, before)
		doc, err := decode(b)
		require.NoError(t, err)
		newest := 0
		for _, n := range before {
			newest = max(newest, n)
		}
		assert.EqualValues(t, newest, doc.newest().UnixNano())
		doc.shift(5000)
		proto, err := doc.marshal()
		require.NoError(t, err)
		after := timesIn(t, b, proto)
		require.Len(t, after, len(before))
		for i := range before {
			assert.Equal(t, before[i]+5000, after[i], b.Signal)
		}
		all += len(before)
	}
	assert.Equal(t, 22, all)
}

func TestTimesThatAreNotSetStaySo(t *testing.T) {
	td := ptrace.NewTraces()
	span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	doc := &document{visit: func(v visit) { visitTraces(td, v) }}
	assert.True(t, doc.newest().IsZero())
	doc.shift(time.Hour)
	assert.Zero(t, span.StartTimestamp())
}
