package format

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// passed is when the batches of these tests passed their point.
var passed = time.Date(2023, 11, 14, 22, 13, 21, 5, time.UTC)

// render returns all messages of a batch and the number of items left out.
func render(t testing.TB, f Format, o Options, signal otlp.Signal, batch []byte) ([]document, int) {
	t.Helper()
	docs, tooLarge, err := tryRender(t, f, o, signal, batch)
	require.NoError(t, err)
	return docs, tooLarge
}

// tryRender fails if the renderer returns more messages than there can be, or changes what is before them.
func tryRender(t testing.TB, f Format, o Options, signal otlp.Signal, batch []byte) (docs []document, tooLarge int, err error) {
	t.Helper()
	original := bytes.Clone(batch)
	r := New(f, o)
	r.Reset(Batch{Signal: signal, Proto: batch, Point: "remote_tap", Time: passed})
	for {
		message, items, ok, err := r.Next([]byte("kept{"))
		require.Equal(t, "kept{", string(message[:5]))
		require.Equal(t, original, batch, "the batch was changed")
		if err != nil || !ok {
			require.Equal(t, "kept{", string(message))
			_, _, again, _ := r.Next(nil)
			require.False(t, again, "a message behind the end")
			return docs, r.TooLarge(), err
		}
		docs = append(docs, document{message[5:], items})
		require.LessOrEqual(t, len(docs), len(batch)+1, "it does not end")
	}
}

// TestGoldenMessages renders each testdata/SIGNAL.json in all formats, and compares with testdata/golden. With -update
// it writes those files.
func TestGoldenMessages(t *testing.T) {
	for _, ref := range references() {
		source, err := os.ReadFile(filepath.Join("testdata", ref.signal.String()+".json"))
		require.NoError(t, err)
		batch := ref.fromJSON(t, source)
		for f := range Format(NumFormats) {
			t.Run(ref.signal.String()+" as "+f.String(), func(t *testing.T) {
				docs, _ := render(t, f, Options{MaxMessage: 65536, Envelope: true}, ref.signal, batch)
				var got strings.Builder
				for _, d := range docs {
					if f.Binary() {
						got.WriteString(hex.Dump(d.text))
					} else {
						got.WriteString(string(d.text) + "\n")
					}
				}
				file := filepath.Join("testdata", "golden", ref.signal.String()+"."+f.String())
				if *update {
					require.NoError(t, os.WriteFile(file, []byte(got.String()), 0o600))
				}
				want, err := os.ReadFile(file)
				require.NoError(t, err)
				assert.Equal(t, string(want), got.String())
			})
		}
	}
}

func TestFormatsHaveNames(t *testing.T) {
	for f, name := range []string{"otlp_json", "json", "text", "otlp_proto", "none"} {
		assert.Equal(t, name, Format(f).String())
		parsed, err := Parse(name)
		require.NoError(t, err)
		assert.Equal(t, Format(f), parsed)
		assert.Equal(t, name == "otlp_proto", Format(f).Binary())
		assert.Equal(t, strings.HasPrefix(name, "otlp_"), Format(f).Envelopes())
	}
	assert.Equal(t, "unknown", Format(NumFormats).String())
	_, err := Parse("yaml")
	assert.EqualError(t, err, `"yaml" is no format: write one of ["otlp_json" "json" "text" "otlp_proto" "none"]`)
}

func TestNoneOnlyCounts(t *testing.T) {
	for _, b := range benchBatches() {
		batch, err := b.proto()
		require.NoError(t, err)
		docs, tooLarge := render(t, None, Options{MaxMessage: 1, HardLimit: 1}, b.signal, batch)
		require.Len(t, docs, 1)
		assert.Empty(t, docs[0].text)
		assert.Equal(t, 1000, docs[0].items)
		assert.Zero(t, tooLarge)
	}
}

// requireLine fails on what no line of text may have, whatever the data.
func requireLine(t testing.TB, line []byte, maxMessage int) {
	t.Helper()
	require.True(t, utf8.Valid(line), "%q", line)
	require.False(t, bytes.HasSuffix(line, []byte(" ")), "%q", line)
	require.True(t, maxMessage == 0 || len(line) <= maxMessage, "%d bytes, more than %d: %q", len(line), maxMessage, line)
	for _, r := range string(line) {
		require.False(t, r < ' ' || r == 0x7f || r >= 0x80 && isHidden(r), "%q has %U", line, r)
	}
}

// FuzzFormats renders random batches that OTLP allows in every format: the items add up, and limits are kept.
func FuzzFormats(f *testing.F) {
	for seed := range uint64(300) {
		f.Add(seed, byte(seed%otlp.NumSignals), uint16(seed*37%3000), uint16(seed*91%5000), seed%2 == 0)
	}
	refs := references()
	f.Fuzz(func(t *testing.T, seed uint64, signal byte, maxMessage, hardLimit uint16, envelope bool) {
		ref := refs[signal%otlp.NumSignals]
		batch := newGenerator(seed).message(ref.signal.Message(), 3)
		o := Options{MaxMessage: int(maxMessage), HardLimit: int(hardLimit), Envelope: envelope}
		count := ref.count(t, batch)
		for f := range Format(NumFormats) {
			docs, tooLarge := render(t, f, o, ref.signal, batch)
			for _, d := range docs {
				requireMessage(t, f, o, d)
				tooLarge += d.items
			}
			require.Equal(t, count, tooLarge, "items as %s", f)
		}
	})
}

// requireMessage fails on what no message of a format may be, whatever the data.
func requireMessage(t testing.TB, f Format, o Options, d document) {
	t.Helper()
	switch f {
	case OTLPJSON, JSON:
		parse(t, d.text)
	case Text:
		requireLine(t, d.text, o.MaxMessage)
	case OTLPProto, None:
	}
	require.True(t, o.HardLimit == 0 || len(d.text) <= o.HardLimit, "%s of %d bytes", f, len(d.text))
}

// FuzzFormatsOfArbitraryBytes takes any bytes as a batch: there are messages or an error, and an end.
func FuzzFormatsOfArbitraryBytes(f *testing.F) {
	for seed := range uint64(40) {
		for signal := range otlp.NumSignals {
			f.Add(newGenerator(seed).message(otlp.Signal(signal).Message(), 2), byte(signal), uint16(500))
		}
	}
	f.Fuzz(func(t *testing.T, batch []byte, signal byte, maxMessage uint16) {
		for f := range Format(NumFormats) {
			o := Options{MaxMessage: int(maxMessage), HardLimit: 1 << 20, Envelope: maxMessage%2 == 0}
			docs, _, _ := tryRender(t, f, o, otlp.Signal(signal%otlp.NumSignals), batch)
			for _, d := range docs {
				requireMessage(t, f, o, d)
			}
		}
	})
}

func TestRenderersAllocateNothingInSteadyState(t *testing.T) {
	for _, b := range benchBatches() {
		proto, err := b.proto()
		require.NoError(t, err)
		batch := Batch{Signal: b.signal, Proto: proto, Point: "remote_tap", Time: passed}
		buf := make([]byte, 0, 4<<20)
		for f := range Format(NumFormats) {
			r := New(f, Options{MaxMessage: 10_000, HardLimit: 1 << 20, Envelope: true})
			allocs := testing.AllocsPerRun(5, func() {
				r.Reset(batch)
				for ok := true; ok; {
					_, _, ok, err = r.Next(buf)
				}
			})
			require.NoError(t, err)
			assert.Zero(t, allocs, "%s as %s", b.signal, f)
		}
	}
}

func TestRenderersForgetTheBatchBefore(t *testing.T) {
	for _, b := range benchBatches() {
		batch, err := b.proto()
		require.NoError(t, err)
		for f := range Format(NumFormats) {
			o := Options{MaxMessage: 2000, HardLimit: 4000, Envelope: true}
			want, wantTooLarge := render(t, f, o, otlp.Traces, marshalTraces(t, smallTraces()))
			r := New(f, o)
			for _, stop := range []int{0, 1, 3, 50} {
				r.Reset(Batch{Signal: b.signal, Proto: batch, Point: "other", Time: time.Now()})
				for range stop {
					_, _, _, err := r.Next(nil)
					require.NoError(t, err)
				}
				r.Reset(Batch{Signal: otlp.Traces, Proto: marshalTraces(t, smallTraces()), Point: "remote_tap", Time: passed})
				for _, d := range want {
					got, items, ok, err := r.Next(nil)
					require.NoError(t, err)
					require.True(t, ok)
					require.Equal(t, string(d.text), string(got))
					require.Equal(t, d.items, items)
				}
				require.Equal(t, wantTooLarge, r.TooLarge())
			}
		}
	}
}

// BenchmarkFormats renders batches of 1000 items in each format, in messages of 64 KiB.
func BenchmarkFormats(b *testing.B) {
	for _, batch := range benchBatches() {
		data, err := batch.proto()
		require.NoError(b, err)
		for f := range Format(NumFormats) {
			b.Run(batch.signal.String()+"/"+f.String(), func(b *testing.B) {
				r := New(f, Options{MaxMessage: 65536, HardLimit: 16 << 20})
				buf := make([]byte, 0, 8*len(data))
				bytes, messages := 0, 0
				b.ReportAllocs()
				for b.Loop() {
					r.Reset(Batch{Signal: batch.signal, Proto: data, Point: "remote_tap", Time: passed})
					bytes, messages = 0, 0
					for {
						m, _, ok, err := r.Next(buf[:0])
						if err != nil {
							b.Fatal(err)
						}
						if !ok {
							break
						}
						bytes, messages = bytes+len(m), messages+1
					}
				}
				b.ReportMetric(float64(bytes), "bytes")
				b.ReportMetric(float64(messages), "messages")
			})
		}
	}
}

func TestRenderersLetGoOfTheBatch(t *testing.T) {
	j, p := newFlat(Options{}), &protoSplitter{options: Options{MaxMessage: 1}}
	for _, r := range []Renderer{j, p} {
		r.Reset(Batch{Signal: otlp.Traces, Proto: marshalTraces(t, smallTraces())})
		for ok := true; ok; {
			_, _, ok, _ = r.Next(nil)
		}
	}
	require.NotZero(t, cap(j.levels))
	for _, l := range j.levels[:cap(j.levels)] {
		assert.Nil(t, l.data)
	}
	assert.Nil(t, j.items.batch.Proto)
	assert.Nil(t, p.batch.Proto)
}
