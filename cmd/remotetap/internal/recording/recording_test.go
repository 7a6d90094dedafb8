package recording

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/goleak"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/internal/selection"
	"github.com/remotetap/remotetapprocessor/internal/shop"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lines is the shop's first orders as the collector's file exporter writes them: 20 spans, 5 records, 10 points.
func lines(t *testing.T) []string {
	t.Helper()
	s := shop.New()
	traces, err := (&ptrace.JSONMarshaler{}).MarshalTraces(s.Traces(0, 5))
	require.NoError(t, err)
	logs, err := (&plog.JSONMarshaler{}).MarshalLogs(s.Logs(0, 5))
	require.NoError(t, err)
	metrics, err := (&pmetric.JSONMarshaler{}).MarshalMetrics(s.Metrics(0, 5))
	require.NoError(t, err)
	return []string{string(traces), string(logs), string(metrics)}
}

func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

func parse(t *testing.T, query string) selection.Selection {
	t.Helper()
	values, err := url.ParseQuery(query)
	require.NoError(t, err)
	s, err := selection.Parse(values, selection.AllSignals())
	require.NoError(t, err)
	return s
}

// watch reads files and returns the account.
func watch(ctx context.Context, files []string, sel selection.Selection, each func(*app.Batch) error) (tapclient.Totals, error) {
	r, err := New(files, sel)
	if err != nil {
		return tapclient.Totals{}, err
	}
	err = r.Each(ctx, each)
	return r.Totals(), err
}

// read is what comes from a file, in items of each signal.
func read(t *testing.T, query, path string) (map[tapclient.Signal]uint64, tapclient.Totals, error) {
	t.Helper()
	items := map[tapclient.Signal]uint64{}
	totals, err := watch(t.Context(), []string{path}, parse(t, query), func(b *app.Batch) error {
		assert.Equal(t, path, b.From)
		items[b.Signal] += b.Items
		return nil
	})
	return items, totals, err
}

var everything = map[tapclient.Signal]uint64{tapclient.Traces: 20, tapclient.Logs: 5, tapclient.Metrics: 10} //nolint:gochecknoglobals // only read

func TestAllFormsOfAFileHoldTheSame(t *testing.T) {
	documents := lines(t)
	plain := []byte(strings.Join(documents, "\n") + "\n")
	encoder, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	var frames []byte
	for _, d := range documents {
		packed := encoder.EncodeAll([]byte(d), nil)
		frames = append(binary.BigEndian.AppendUint32(frames, uint32(len(packed))), packed...)
	}
	var pretty bytes.Buffer
	for _, d := range documents {
		require.NoError(t, json.Indent(&pretty, []byte(d), "", "  "))
		pretty.WriteString("\n")
	}
	for name, content := range map[string][]byte{
		"plain lines":               plain,
		"without the last newline":  bytes.TrimSpace(plain),
		"lines of Windows":          append([]byte("\ufeff"), bytes.ReplaceAll(plain, []byte("\n"), []byte("\r\n"))...),
		"empty lines between":       bytes.ReplaceAll(plain, []byte("\n"), []byte("\n\n \n")),
		"with indentation":          pretty.Bytes(),
		"gzip":                      gzipped(t, plain),
		"gzip in several members":   append(gzipped(t, plain[:100]), gzipped(t, plain[100:])...),
		"zstd":                      encoder.EncodeAll(plain, nil),
		"zstd in several frames":    append(encoder.EncodeAll(plain[:100], nil), encoder.EncodeAll(plain[100:], nil)...),
		"the exporter's zstd":       frames,
		"with accounts of the tap":  append([]byte(`{"remoteTap":{"stats":{"seen":5}}}`+"\n"), plain...),
		"all signals in one object": []byte(documents[0][:len(documents[0])-1] + "," + documents[1][1:len(documents[1])-1] + "," + documents[2][1:]),
	} {
		t.Run(name, func(t *testing.T) {
			items, totals, err := read(t, "", write(t, "shop.jsonl", content))
			require.NoError(t, err)
			assert.Equal(t, everything, items)
			assert.EqualValues(t, 35, totals.Ledger.Seen)
			assert.EqualValues(t, 35, totals.Ledger.Matched)
			assert.EqualValues(t, 35, totals.Received.Items)
			assert.EqualValues(t, 3, totals.Received.Batches)
		})
	}
}

func gzipped(t *testing.T, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestSelectionsHoldForFiles(t *testing.T) {
	path := write(t, "shop.jsonl", []byte(strings.Join(lines(t), "\n")))
	for _, test := range []struct {
		name, query             string
		seen, unmatched, wanted uint64
	}{
		{"criteria choose items", "service=payment&signal=traces", 20, 10, 10},
		{"errors are spans and records", "error=true", 25, 22, 3},
		{"where is evaluated", "where=" + url.QueryEscape(`span.attributes["order.number"] == 3`), 20, 16, 4},
		{"count ends within a batch, and the account with it", "service=payment&count=3", 7, 4, 3},
		{"count may be more than there is", "count=1000", 35, 0, 35},
		{"count goes over batches", "count=22", 22, 0, 22},
	} {
		t.Run(test.name, func(t *testing.T) {
			items, totals, err := read(t, test.query, path)
			require.NoError(t, err)
			var sum uint64
			for _, n := range items {
				sum += n
			}
			assert.Equal(t, test.wanted, sum)
			l := totals.Ledger
			assert.Equal(t, [4]uint64{test.seen, test.unmatched, test.wanted, test.wanted}, [4]uint64{l.Seen, l.Unmatched, l.Matched, l.Sent})
		})
	}
}

func TestWhatCannotBeReadIsNamedAndCounted(t *testing.T) {
	documents := lines(t)
	traces, logs, metrics := documents[0], documents[1], documents[2]
	packed := gzipped(t, []byte(strings.Join(documents, "\n")))
	for _, test := range []struct {
		name, content string
		says          string
		want          map[tapclient.Signal]uint64
	}{
		{"a line cut in a name", traces + "\n" + logs[:len(logs)-30] + "\n" + metrics + "\n", ":2: the JSON object is not closed\n1 document could", map[tapclient.Signal]uint64{tapclient.Traces: 20, tapclient.Metrics: 10}},
		{"a line cut between names", traces + "\n{\"resourceLogs\":[\n" + metrics, ":2: the JSON object is not closed\n1 document could", map[tapclient.Signal]uint64{tapclient.Traces: 20, tapclient.Metrics: 10}},
		{"the last line is cut off", traces + "\n" + logs[:50], ":2: it is cut off here: whoever wrote it crashed", map[tapclient.Signal]uint64{tapclient.Traces: 20}},
		{"the last line is cut off between names", traces + "\n" + `{"resourceLogs":[` + "\n", ":2: it is cut off here", map[tapclient.Signal]uint64{tapclient.Traces: 20}},
		{"no JSON at all", "hello\n" + traces, ":1: this is no JSON object", map[tapclient.Signal]uint64{tapclient.Traces: 20}},
		{"two objects in a line", traces + traces + "\n" + logs, ":1: this is no JSON object", map[tapclient.Signal]uint64{tapclient.Logs: 5}},
		{"an item of another format", `{"time":"x","signal":"traces","attributes":{}}`, ":1: this is an item of format=json", map[tapclient.Signal]uint64{}},
		{"something else", `{"level":"info"}` + "\n" + logs, ":1: this is no OTLP JSON", map[tapclient.Signal]uint64{tapclient.Logs: 5}},
		{"the wrong types", `{"resourceSpans":[{"scopeSpans":7}]}` + "\n" + logs, ":1: ", map[tapclient.Signal]uint64{tapclient.Logs: 5}},
		{"compressed data that is cut off", string(packed[:len(packed)-200]), "cut off here", nil},
		{"damaged compression", "\x1f\x8b" + traces, ":1: nothing behind this can be read: gzip", map[tapclient.Signal]uint64{}},
		{"more than anybody reads", strings.Repeat("hello\n", 12), ":10: this is no JSON object; recordings are lines of OTLP JSON\n... and 2 more\n12 documents could not be read", map[tapclient.Signal]uint64{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := write(t, "shop.jsonl", []byte(test.content))
			items, _, err := read(t, "", path)
			var broken *Broken
			require.ErrorAs(t, err, &broken)
			assert.Contains(t, err.Error(), path)
			assert.Contains(t, err.Error(), test.says)
			assert.Equal(t, app.CodeFailed, app.CodeOf(err))
			if test.want != nil {
				assert.Equal(t, test.want, items)
			}
		})
	}
}

func TestARecordingSaysWhereAndWhenItPassed(t *testing.T) {
	line := lines(t)[0]
	line = line[:len(line)-1] + `,"remoteTap":{"point":"remote_tap/a","time":"2026-01-02T15:04:06.5Z","items":20}}`
	path := write(t, "shop.jsonl", []byte(line))
	var got []*app.Batch
	_, err := watch(t.Context(), []string{path}, parse(t, "point=*a"), func(b *app.Batch) error {
		got = append(got, b)
		return nil
	})
	require.NoError(t, err)
	require.Len(t, got, 1)
	assert.Equal(t, "remote_tap/a", got[0].Point)
	assert.Equal(t, time.Date(2026, 1, 2, 15, 4, 6, 5e8, time.UTC), got[0].Time)
	td, err := got[0].Traces()
	require.NoError(t, err)
	assert.Equal(t, 20, td.SpanCount())

	_, totals, err := read(t, "point=b", path)
	require.NoError(t, err)
	assert.Zero(t, totals.Ledger.Seen)
	_, _, err = read(t, "point=b", write(t, "plain.jsonl", []byte(lines(t)[0])))
	assert.ErrorContains(t, err, "does not say which tap point its telemetry passed: leave out point=b")
	assert.Equal(t, app.CodeUsage, app.CodeOf(err))
}

func TestProfilesAreReadWhole(t *testing.T) {
	pd := pprofile.NewProfiles()
	rp := pd.ResourceProfiles().AppendEmpty()
	rp.Resource().Attributes().PutStr("service.name", "checkout")
	profile := rp.ScopeProfiles().AppendEmpty().Profiles().AppendEmpty()
	for range 3 {
		profile.Samples().AppendEmpty().Values().Append(1)
	}
	line, err := (&pprofile.JSONMarshaler{}).MarshalProfiles(pd)
	require.NoError(t, err)
	items, _, err := read(t, "service=checkout&count=2", write(t, "profiles.json", line))
	require.NoError(t, err)
	assert.Equal(t, map[tapclient.Signal]uint64{tapclient.Profiles: 3}, items)
}

func TestWhatFilesCannotDoIsRefused(t *testing.T) {
	path := write(t, "shop.jsonl", nil)
	for name, test := range map[string]struct {
		query, path, says string
		code              app.Code
	}{
		"a rate":               {"rate=5", path, "rate trims what is live", app.CodeUsage},
		"a duration":           {"duration=5s", path, "duration ends a live tap", app.CodeUsage},
		"a file that is gone":  {"", path + "x", "there is no such file", app.CodeFailed},
		"a directory":          {"", filepath.Dir(path), "is a directory", app.CodeFailed},
		"an unreadable device": {"", "/dev/nothing.json", "there is no such file", app.CodeFailed},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New([]string{test.path}, parse(t, test.query))
			assert.ErrorContains(t, err, test.says)
			assert.Equal(t, test.code, app.CodeOf(err))
		})
	}
}

func TestAnErrorOfTheFunctionEndsTheReading(t *testing.T) {
	path := write(t, "shop.jsonl", []byte(strings.Join(lines(t), "\n")))
	failed := errors.New("failed")
	for want, from := range map[error]error{failed: failed, nil: app.ErrEnough} {
		calls := 0
		totals, err := watch(t.Context(), []string{path, path}, parse(t, ""), func(*app.Batch) error {
			calls++
			return from
		})
		assert.Equal(t, want, err)
		assert.Equal(t, 1, calls)
		assert.EqualValues(t, 20, totals.Received.Items)
	}
}

func TestAReadThatWaitsEndsWithTheContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe.jsonl")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	assert.True(t, IsFile(path))
	writer, err := os.OpenFile(path, os.O_RDWR, 0) // so that opening it for reading does not wait
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, writer.Close()) })
	_, err = writer.WriteString(lines(t)[0] + "\n" + lines(t)[1][:40])
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	totals, err := watch(ctx, []string{path}, parse(t, ""), func(*app.Batch) error {
		cancel()
		return nil
	})
	require.NoError(t, err, "what was being written is not broken")
	assert.EqualValues(t, 20, totals.Received.Items)
}

func TestProgressIsInBytesOfTheFile(t *testing.T) {
	content := gzipped(t, []byte(strings.Join(lines(t), "\n")))
	path := write(t, "shop.jsonl.gz", content)
	r, err := New([]string{path, path}, parse(t, ""))
	require.NoError(t, err)
	done, size := r.Progress()
	assert.Equal(t, [2]int64{0, 2 * int64(len(content))}, [2]int64{done, size})
	require.NoError(t, r.Each(t.Context(), func(*app.Batch) error { return nil }))
	done, _ = r.Progress()
	assert.Equal(t, size, done)
}

func TestIsFile(t *testing.T) {
	for arg, want := range map[string]bool{
		"-": true, "shop.json": true, "shop.JSONL": true, "shop.ndjson.zst": true, "shop.json.gz": true,
		"localhost:12001": false, "localhost": false, "shop.zst": false, "dns:///otel.json": false, "collector.example": false,
		t.TempDir(): false, write(t, "shop", nil): true,
	} {
		assert.Equal(t, want, IsFile(arg), arg)
	}
}

func FuzzDocuments(f *testing.F) {
	f.Add([]byte("{\"resourceSpans\":[]}\n{\n\"a\": \"}\"\n}\nhello\n{\"remoteTap\":{}}"))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "x.json")
		require.NoError(t, os.WriteFile(path, content, 0o600))
		s, err := selection.Parse(url.Values{}, selection.AllSignals())
		require.NoError(t, err)
		_, err = watch(t.Context(), []string{path}, s, func(*app.Batch) error { return nil })
		var broken *Broken
		if err != nil && !errors.As(err, &broken) {
			t.Fatal(err)
		}
	})
}

func TestWhyNothingMatchesIsKnown(t *testing.T) {
	path := write(t, "shop.jsonl", []byte(strings.Join(lines(t), "\n")))
	for query, hints := range map[string][]string{
		"service=nosuch":                 {"service=nosuch was not seen; seen: checkout (15), payment (15), frontend (5)"},
		"service=payment":                nil,
		"service=nosuch&signal=profiles": nil, // nothing was looked at
	} {
		r, err := New([]string{path}, parse(t, query))
		require.NoError(t, err)
		require.NoError(t, r.Each(t.Context(), func(*app.Batch) error { return nil }))
		assert.Equal(t, hints, r.Hints(), query)
	}
}

func TestAFileThatIsNotThereIsItsOwnError(t *testing.T) {
	_, err := New([]string{filepath.Join(t.TempDir(), "no.jsonl")}, parse(t, ""))
	require.ErrorAs(t, err, new(*FileError))
	require.ErrorContains(t, err, "no.jsonl: there is no such file")
	assert.Equal(t, app.CodeFailed, app.CodeOf(err))
}
