package record

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/goleak"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/recording"
	"github.com/remotetap/remotetapprocessor/internal/format"
	"github.com/remotetap/remotetapprocessor/internal/selection"
	"github.com/remotetap/remotetapprocessor/internal/shop"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func optionsOf(t *testing.T, args ...string) *options {
	t.Helper()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	o := optionFlags(flags)
	require.NoError(t, flags.Parse(args))
	return o
}

// passed is a batch of the shop's orders that has passed a point.
func passed(t *testing.T, from, to int) *app.Batch {
	t.Helper()
	proto, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(shop.New().Traces(from, to))
	require.NoError(t, err)
	return &app.Batch{
		From: "test", Point: "remote_tap/a", Time: shop.New().Start.Add(time.Second),
		Signal: tapclient.Traces, Items: uint64(4 * (to - from)), Proto: proto,
	}
}

// recorderTo makes a recorder as the command does.
func recorderTo(t *testing.T, name string, args ...string) *recorder {
	t.Helper()
	o := optionsOf(t, args...)
	l, err := o.limits()
	require.NoError(t, err)
	scrubber, err := o.redactor()
	require.NoError(t, err)
	a := app.New(app.System{Out: io.Discard, Err: io.Discard, Getenv: func(string) string { return "" }})
	w, err := newWriter(name, l, a.Print)
	require.NoError(t, err)
	require.NoError(t, w.open())
	return &recorder{
		writer: w, redactor: scrubber,
		renderer: format.New(format.OTLPJSON, format.Options{MaxMessage: maxLine - 1, Envelope: true}),
	}
}

// spansIn reads files back.
func spansIn(t *testing.T, files ...string) (ptrace.Traces, []*app.Batch) {
	t.Helper()
	all := ptrace.NewTraces()
	var batches []*app.Batch
	sel, err := selection.Parse(url.Values{}, selection.AllSignals())
	require.NoError(t, err)
	source, err := recording.New(files, sel)
	require.NoError(t, err)
	err = source.Each(t.Context(), func(b *app.Batch) error {
		batches = append(batches, b)
		td, err := b.Traces()
		td.ResourceSpans().MoveAndAppendTo(all.ResourceSpans())
		return err
	})
	require.NoError(t, err)
	return all, batches
}

func TestWhatIsRecordedIsReadBack(t *testing.T) {
	for _, ending := range []string{".jsonl", ".jsonl.zst", ".json.gz", ".zst", ""} {
		t.Run(ending, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "shop"+ending)
			r := recorderTo(t, name)
			require.NoError(t, r.batch(passed(t, 0, 5)))
			require.NoError(t, r.batch(passed(t, 5, 8)))
			require.NoError(t, r.writer.close())
			td, batches := spansIn(t, name)
			want := shop.New().Traces(0, 8)
			assert.Equal(t, want, td)
			require.Len(t, batches, 2)
			assert.Equal(t, "remote_tap/a", batches[0].Point)
			assert.Equal(t, shop.New().Start.Add(time.Second), batches[0].Time)
			info, err := os.Stat(name)
			require.NoError(t, err)
			assert.Equal(t, r.writer.size(), info.Size())
			assert.Equal(t, os.FileMode(0o600), info.Mode())
			assert.Contains(t, r.words(tapclient.Totals{Received: tapclient.Received{Items: 40}}), "wrote 32 items")
			assert.Contains(t, r.words(tapclient.Totals{Received: tapclient.Received{Items: 40}}), "; 8 that were received at the end are not in it")
		})
	}
}

func TestAFileIsReadableBeforeItsEnd(t *testing.T) {
	for _, ending := range []string{".jsonl", ".jsonl.zst", ".jsonl.gz"} {
		t.Run(ending, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "shop"+ending)
			r := recorderTo(t, name)
			require.NoError(t, r.batch(passed(t, 0, 5)))
			require.NoError(t, r.event(&tapclient.Stats{}))
			sel, err := selection.Parse(url.Values{}, selection.AllSignals())
			require.NoError(t, err)
			source, err := recording.New([]string{name}, sel)
			require.NoError(t, err)
			err = source.Each(t.Context(), func(*app.Batch) error { return nil })
			assert.EqualValues(t, 20, source.Totals().Received.Items)
			if ending != ".jsonl" { // its end is missing, and that is said
				assert.ErrorContains(t, err, "cut off")
			}
			require.NoError(t, r.writer.close())
		})
	}
}

func TestLinesAreShortEnoughForFileReceivers(t *testing.T) {
	name := filepath.Join(t.TempDir(), "shop.jsonl")
	r := recorderTo(t, name)
	require.NoError(t, r.batch(passed(t, 0, 2000)))
	require.NoError(t, r.writer.close())
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	lines := bytes.SplitAfter(content, []byte("\n"))
	assert.Greater(t, len(lines), 3)
	for _, line := range lines {
		assert.LessOrEqual(t, len(line), maxLine)
		if len(line) > 0 { // the collector's own reader
			_, err := (&ptrace.JSONUnmarshaler{DisallowUnknownFields: false}).UnmarshalTraces(line)
			require.NoError(t, err)
		}
	}
	td, _ := spansIn(t, name)
	assert.Equal(t, 8000, td.SpanCount())
}

func TestFilesFollowEachOther(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "shop-0007.jsonl"), []byte("another run's\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "shop-x.jsonl"), nil, 0o600))
	r := recorderTo(t, filepath.Join(dir, "shop.jsonl"), "--rotate", "64KiB", "--keep", "3")
	for order := range 200 {
		require.NoError(t, r.batch(passed(t, order, order+1)))
	}
	require.NoError(t, r.writer.close())
	found, err := filepath.Glob(filepath.Join(dir, "shop-0*.jsonl"))
	require.NoError(t, err)
	require.Len(t, found, 4)
	assert.Equal(t, "shop-0007.jsonl", filepath.Base(found[0]))
	var sum int64
	for _, file := range found[1:] {
		info, err := os.Stat(file)
		require.NoError(t, err)
		assert.LessOrEqual(t, info.Size(), int64(64<<10))
		assert.Positive(t, info.Size())
		sum += info.Size()
	}
	td, _ := spansIn(t, found[1:]...)
	last, ok := td.ResourceSpans().At(td.ResourceSpans().Len() - 1).ScopeSpans().At(0).Spans().At(0).Attributes().Get("order.number")
	require.True(t, ok)
	assert.EqualValues(t, 199, last.Int(), "the newest are kept")
	assert.Greater(t, r.writer.size(), sum, "what was removed was written too")
	assert.Regexp(t, `shop-00\d\d.jsonl to .*shop-00\d\d.jsonl \(\d+ before were removed: --keep\)$`, r.writer.String())
}

func TestCompressedFilesFollowEachOther(t *testing.T) {
	dir := t.TempDir()
	r := recorderTo(t, filepath.Join(dir, "shop.jsonl.zst"), "--rotate", "64KiB")
	for order := range 20 {
		require.NoError(t, r.batch(passed(t, order*200, order*200+200)))
	}
	require.NoError(t, r.writer.close())
	found, err := filepath.Glob(filepath.Join(dir, "shop-0*.jsonl.zst"))
	require.NoError(t, err)
	assert.Greater(t, len(found), 2)
	td, _ := spansIn(t, found...)
	assert.Equal(t, 16000, td.SpanCount())
}

func TestFilesFollowEachOtherInTime(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := recorderTo(t, filepath.Join(dir, "shop.json"), "--rotate", "10m", "--rotate", "1GB")
		time.Sleep(time.Hour) //nolint:forbidigo // the clock is synctest's
		require.NoError(t, r.event(&tapclient.Stats{}))
		require.NoError(t, r.batch(passed(t, 0, 1)))
		require.NoError(t, r.event(&tapclient.Stats{}))
		require.NoError(t, r.batch(passed(t, 1, 2)))
		time.Sleep(11 * time.Minute) //nolint:forbidigo // the clock is synctest's
		require.NoError(t, r.batch(passed(t, 2, 3)))
		require.NoError(t, r.writer.close())
	})
	found, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Len(t, found, 3)
	for i, spans := range []int{4, 4, 4} {
		td, _ := spansIn(t, found[i])
		assert.Equal(t, spans, td.SpanCount())
	}
}

func TestMaxSizeIsNotPassed(t *testing.T) {
	for args, want := range map[string]int{"--max-size=260KiB": 1, "--max-size=260KiB --rotate=64KiB": 4} {
		dir := t.TempDir()
		r := recorderTo(t, filepath.Join(dir, "shop.json"), strings.Fields(args)...)
		var err error
		for order := 0; err == nil; order++ {
			err = r.batch(passed(t, order, order+1))
		}
		require.ErrorIs(t, err, app.ErrEnough)
		require.NoError(t, r.writer.close())
		found, err := filepath.Glob(filepath.Join(dir, "*"))
		require.NoError(t, err)
		assert.GreaterOrEqual(t, len(found), want, args)
		var sum int64
		for _, file := range found {
			info, err := os.Stat(file)
			require.NoError(t, err)
			sum += info.Size()
		}
		assert.Equal(t, r.writer.size(), sum)
		assert.LessOrEqual(t, sum, int64(260<<10))
		assert.Greater(t, sum, int64(250<<10))
		assert.Contains(t, r.words(tapclient.Totals{}), "--max-size is reached")
	}
}

func TestValuesAreScrubbed(t *testing.T) {
	name := filepath.Join(t.TempDir(), "shop.jsonl")
	r := recorderTo(t, name, "--scrub", "user.*", "--scrub-value", `SELECT \w+`)
	require.NoError(t, r.batch(passed(t, 0, 5)))
	require.NoError(t, r.writer.close())
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.NotContains(t, string(content), "gold")
	assert.NotContains(t, string(content), "SELECT")
	assert.Contains(t, string(content), "/checkout")
	hashes := map[string]int{}
	for _, hash := range regexp.MustCompile(`hmac:[0-9a-f]{16}`).FindAllString(string(content), -1) {
		hashes[hash]++
	}
	assert.Len(t, hashes, 2, "equal values have equal hashes")

	again := recorderTo(t, name+"2", "--scrub", "user.*")
	require.NoError(t, again.batch(passed(t, 0, 5)))
	require.NoError(t, again.writer.close())
	content, err = os.ReadFile(name + "2")
	require.NoError(t, err)
	for hash := range hashes {
		assert.NotContains(t, string(content), hash, "the key is another in each run")
	}
}

func TestAFullDiskIsSaid(t *testing.T) {
	for _, name := range []string{"/dev/full"} {
		r := recorderTo(t, name)
		err := r.batch(passed(t, 0, 5))
		require.ErrorContains(t, err, "/dev/full: the disk is full")
		assert.Equal(t, app.CodeFailed, app.CodeOf(err))
		assert.Zero(t, r.items)
	}
	full := filepath.Join(t.TempDir(), "shop.zst") // what is compressed meets it at the flush
	require.NoError(t, os.Symlink("/dev/full", full))
	r := recorderTo(t, full)
	require.NoError(t, r.batch(passed(t, 0, 5)))
	assert.ErrorContains(t, r.event(&tapclient.Stats{}), "the disk is full")
}

func TestFilesAreNotWrittenOver(t *testing.T) {
	name := filepath.Join(t.TempDir(), "shop.jsonl")
	require.NoError(t, os.WriteFile(name, []byte("before\n"), 0o600))
	_, err := newWriter(name, limits{}, nil)
	require.ErrorContains(t, err, "give --force to write over it")
	assert.Equal(t, app.CodeUsage, app.CodeOf(err))
	_, err = newWriter(filepath.Dir(name), limits{force: true}, nil)
	require.ErrorContains(t, err, "is a directory")
	r := recorderTo(t, name, "--force")
	require.NoError(t, r.batch(passed(t, 0, 1)))
	require.NoError(t, r.writer.close())
	td, _ := spansIn(t, name)
	assert.Equal(t, 4, td.SpanCount())
}

func TestWithoutACollectorThereIsNoFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "shop.jsonl")
	w, err := newWriter(name, limits{}, nil)
	require.NoError(t, err)
	require.NoError(t, w.close())
	assert.NoFileExists(t, name)
}

func TestTheStandardOutputIsOneStream(t *testing.T) {
	var out bytes.Buffer
	w, err := newWriter("-", limits{}, func(data []byte) error {
		_, err := out.Write(data)
		return err
	})
	require.NoError(t, err)
	require.NoError(t, w.open())
	_, err = w.write([]byte("{}\n"), 1)
	require.NoError(t, err)
	require.NoError(t, w.close())
	assert.Equal(t, "{}\n", out.String())
	assert.Equal(t, "stdout", w.String())
	_, err = newWriter("-", limits{rotateSize: 5}, nil)
	require.ErrorContains(t, err, "--rotate needs a file")
	failing := errors.New("closed")
	w, err = newWriter("-", limits{}, func([]byte) error { return failing })
	require.NoError(t, err)
	require.NoError(t, w.open())
	_, err = w.write([]byte("{}\n"), 1)
	assert.ErrorIs(t, err, failing)
}

func TestWrongFlagsSayWhatToWrite(t *testing.T) {
	for flags, says := range map[string]string{
		"--max-size=0":                        "--max-size 0: write a size with its unit, at least 64KiB",
		"--max-size=500":                      "--max-size 500: write a size with its unit, at least 64KiB",
		"--max-size=63KiB":                    "--max-size 63KiB: write a size with its unit, at least 64KiB",
		"--rotate=3":                          "--rotate 3: write a size with its unit, at least 64KiB",
		"--rotate=1kB":                        "--rotate 1kB: write a size with its unit, at least 64KiB",
		"--max-size=10m-":                     "write a size such as 500kB",
		"--rotate=10ms":                       "write a time of at least 1s",
		"--rotate=x":                          "write a size such as 500kB",
		"--rotate=5m --rotate=1h":             "twice with a time",
		"--rotate=5MB --rotate=1GB":           "twice with a size",
		"--keep=3":                            "add --rotate",
		"--keep=-1 --rotate=1h":               "at least 1",
		"--scrub=^user --scrub=*password*":    "--scrub",
		"--scrub-value=( --scrub=*password*":  "--scrub-value",
		"--scrub=" + strings.Repeat("x", 300): "--scrub",
	} {
		o := optionsOf(t, strings.Fields(flags)...)
		_, err := o.limits()
		if err == nil {
			_, err = o.redactor()
		}
		require.ErrorContains(t, err, says, flags)
		assert.NotContains(t, err.Error(), "::", "that is the configuration's key")
		assert.Equal(t, app.CodeUsage, app.CodeOf(err))
	}
}

// hearing is a writer that is a function.
type hearing func([]byte) (int, error)

// Write calls it.
func (h hearing) Write(text []byte) (int, error) { return h(text) }

func TestWhatNobodySentIsNoFile(t *testing.T) {
	var lc net.ListenConfig
	gone, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, gone.Close())
	for _, test := range []struct {
		name        string
		interrupted bool
		flag        string
		code        app.Code
	}{
		{"an interrupted one has done what it could", true, "--exit-code=false", app.CodeDone},
		{"an interrupted one that had to record something has not", true, "--exit-code", app.CodeUnproved},
		{"one that never reached a collector in its time has failed", false, "--duration=100ms", app.CodeFailed},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			var words bytes.Buffer
			heard := hearing(func(text []byte) (int, error) {
				if test.interrupted { // with the first words, which say that nobody answers
					interrupt()
				}
				return words.Write(text)
			})
			command := Command(app.New(app.System{Out: io.Discard, Err: heard, Getenv: func(string) string { return "" }}))
			command.SilenceErrors, command.SilenceUsage = true, true
			name := filepath.Join(t.TempDir(), "no.jsonl")
			command.SetArgs([]string{name, gone.Addr().String(), test.flag})
			assert.Equal(t, test.code, app.CodeOf(command.ExecuteContext(ctx)))
			assert.Equal(t, 1, strings.Count(words.String(), "nothing was recorded, no file was written\n"), words.String())
			assert.NoFileExists(t, name)
		})
	}
}

func TestTheFileComesFirst(t *testing.T) {
	for args, want := range map[string]string{
		"shop.jsonl traces": "shop.jsonl", "- logs": "-", "shop": "shop", "run/a=b.jsonl": "run/a=b.jsonl", "shop-15:04.jsonl": "shop-15:04.jsonl",
		"": "", "traces shop.jsonl": "", "service=x shop.jsonl": "", "localhost:12001 shop.jsonl": "",
	} {
		name, rest, err := fileOf(strings.Fields(args))
		assert.Equal(t, want, name)
		if want == "" {
			assert.Equal(t, app.CodeUsage, app.CodeOf(err), args)
			continue
		}
		require.NoError(t, err)
		assert.Len(t, rest, len(strings.Fields(args))-1)
	}
}
