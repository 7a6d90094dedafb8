package selection

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// spansOf makes a batch of spans with durations; a negative one is an error's.
func spansOf(durations ...time.Duration) ptrace.Traces {
	td := ptrace.NewTraces()
	for _, d := range durations {
		s := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		s.SetStartTimestamp(1)
		s.SetEndTimestamp(1 + pcommon.Timestamp(max(d, -d)))
		if d < 0 {
			s.Status().SetCode(ptrace.StatusCodeError)
		}
	}
	return td
}

// all marks every item.
func all(items int) *Marks {
	var marks Marks
	marks.reset(items)
	marks.setRange(0, items)
	return &marks
}

// classesOf writes one letter for each item.
func classesOf(c *Classes, marks *Marks) string {
	letters := ""
	for i := range marks.Items() {
		switch {
		case !marks.Has(i):
			letters += "."
		case c.errors.Has(i):
			letters += "E"
		case c.notable.Has(i):
			letters += "s"
		default:
			letters += "r"
		}
	}
	return letters
}

func TestClassifyTraces(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name  string
		spans []time.Duration
		want  string
	}{
		{"none", nil, ""},
		{"spans that take the same are not slow", []time.Duration{ms, ms, ms, ms}, "rrrr"},
		{"one span is not slow by itself", []time.Duration{time.Hour}, "r"},
		{"the slowest of a few", []time.Duration{ms, 2 * ms, 90 * ms, ms}, "rrsr"},
		{"two that are the slowest of a few are too many", []time.Duration{ms, 90 * ms, 90 * ms, ms}, "rrrr"},
		{"a little longer is not slow", []time.Duration{110 * ms, 111 * ms, 110 * ms}, "rrr"},
		{"the slowest tenth", []time.Duration{
			ms, ms, ms, ms, ms, ms, ms, ms, ms, ms, 50 * ms, ms, ms, ms, ms, ms, ms, ms, 70 * ms, ms,
		}, "rrrrrrrrrrsrrrrrrrsr"},
		{"errors, however long", []time.Duration{-ms, 90 * ms, -95 * ms, ms}, "ErEr"},
		{"without an end", []time.Duration{0, 0, 0}, "rrr"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			td, marks := spansOf(tt.spans...), all(len(tt.spans))
			var c Classes
			c.ClassifyTraces(td, marks)
			assert.Equal(t, tt.want, classesOf(&c, marks))
		})
	}
	t.Run("only marked spans count", func(t *testing.T) {
		td, marks := spansOf(time.Hour, ms, -ms, 10*ms, ms), all(5)
		marks.unset(0)
		marks.unset(2)
		var c Classes
		c.ClassifyTraces(td, marks)
		assert.Equal(t, ".r.sr", classesOf(&c, marks))
		assert.Equal(t, []int{0, 1}, []int{c.Errors(), c.Notable()})
	})
}

func TestDurationBucketsAreInOrder(t *testing.T) {
	last := 0
	for d := time.Duration(0); d >= 0 && d < 1<<62; d += d/7 + 1 {
		bucket := durationBucket(spansOf(d).ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0))
		require.GreaterOrEqual(t, bucket, last, d)
		require.Less(t, bucket, durationBuckets)
		last = bucket
	}
}

func TestClassifyLogs(t *testing.T) {
	ld := plog.NewLogs()
	for _, severity := range []plog.SeverityNumber{0, 9, 13, 17, 24, 0, 0} {
		ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().SetSeverityNumber(severity)
	}
	ld.ResourceLogs().At(5).ScopeLogs().At(0).LogRecords().At(0).SetSeverityText("ERROR")
	marks := all(7)
	marks.unset(4)
	var c Classes
	c.ClassifyLogs(ld, marks)
	assert.Equal(t, "rrsE.Er", classesOf(&c, marks))
	c.ClassifyNone(marks)
	assert.Equal(t, "rrrr.rr", classesOf(&c, marks))
}

func TestTrim(t *testing.T) {
	for _, tt := range []struct {
		name            string
		classes         string
		budget, reserve int
		want            string
	}{
		{"enough for all", "rErsr", 5, 0, "rErsr"},
		{"an error, and nothing else, with a budget of one", "rErsr", 1, 1, ".E..."},
		{"an error with a budget of one and no reserve", "rErsr", 1, 0, ".E..."},
		{"nothing else in the errors' reserve", "rrsrr", 1, 1, "....."},
		{"nothing at all", "rErsr", 0, 3, "....."},
		{"less than nothing", "rEs", -4, -1, "..."},
		{"slow ones before the rest", "rErsrs", 3, 0, ".E.s.s"},
		{"what errors and the reserve leave", "rErsrs", 3, 1, ".E...s"},
		{"the reserve is left alone by others", "ssss", 3, 2, "...s"},
		{"even among the rest", "rrrrrrrr", 2, 0, "...r...r"},
		{"even among too many errors", "EEEEEEEErr", 4, 2, ".E.E.E.E.."},
		{"unmarked items stay unmarked", "r.r.r.r.", 2, 0, "..r...r."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			marks, c := lettered(tt.classes)
			trimmed := Trim(marks, c, tt.budget, tt.reserve)
			assert.Equal(t, tt.want, classesOf(c, marks))
			assert.Equal(t, marks.Count(), trimmed.Kept())
		})
	}
}

// lettered is classesOf the other way.
func lettered(letters string) (*Marks, *Classes) {
	marks, c := &Marks{}, &Classes{}
	marks.reset(len(letters))
	c.reset(len(letters))
	for i, letter := range letters {
		if letter == '.' {
			continue
		}
		marks.set(i)
		switch letter {
		case 'E':
			c.errors.set(i)
		case 's':
			c.notable.set(i)
		}
	}
	return marks, c
}

func TestTrimProperties(t *testing.T) {
	source := newCorpus(11)
	for range 3000 {
		letters := make([]byte, source.IntN(200))
		for i := range letters {
			letters[i] = pick[byte](source, 'r', 'r', 'r', 's', 'E', '.')
		}
		marks, c := lettered(string(letters))
		count, errors, notable := marks.Count(), c.Errors(), c.Notable()
		budget, reserve := source.IntN(220), source.IntN(30)
		before := classesOf(c, marks)
		trimmed := Trim(marks, c, budget, reserve)
		after := classesOf(c, marks)

		require.Equal(t, count, trimmed.Kept()+trimmed.Dropped)
		require.Equal(t, marks.Count(), trimmed.Kept())
		require.LessOrEqual(t, trimmed.Kept(), budget)
		require.Equal(t, min(errors, budget), trimmed.Errors, "errors first")
		require.LessOrEqual(t, trimmed.Notable+trimmed.Rest, max(0, budget-reserve))
		if trimmed.Rest > 0 {
			require.Equal(t, notable, trimmed.Notable, "slow ones before the rest")
		}
		if trimmed.Dropped > trimmed.kept(errors) {
			require.GreaterOrEqual(t, trimmed.Kept()+reserve, min(budget, count), "no more is dropped than has to be")
		}
		kept := 0
		for i := range after {
			if after[i] != '.' {
				require.Equal(t, before[i], after[i], "only marks are taken away")
				kept++
			}
		}
		require.Equal(t, trimmed.Kept(), kept)
		requireEven(t, before, after, 'r', trimmed.Rest)
	}
}

func (t Trimmed) kept(errors int) int { return errors - t.Errors }

// requireEven checks that of any run of items of a class the share that stays is that of all of them, but for one.
func requireEven(t *testing.T, before, after string, class byte, kept int) {
	t.Helper()
	var stays []int
	for i := range before {
		if before[i] == class {
			stay := 0
			if after[i] == class {
				stay = 1
			}
			stays = append(stays, stay)
		}
	}
	sum := 0
	for i, stay := range stays {
		sum += stay
		require.InDelta(t, float64(i+1)*float64(kept)/float64(len(stays)), sum, 1)
	}
}

func TestBitmap(t *testing.T) {
	source := newCorpus(2)
	var b bitmap
	for range 500 {
		items := source.IntN(300)
		b.reset(items)
		set := make([]bool, items)
		for range 5 {
			first := source.IntN(items + 1)
			n := 0
			for first+n < items && !set[first+n] && source.chance(98) {
				set[first+n] = true
				n++
			}
			b.setRange(first, n)
		}
		count, next := 0, b.next(0)
		for i := range set {
			require.Equal(t, set[i], b.Has(i))
			if set[i] {
				require.Equal(t, i, next)
				next = b.next(i + 1)
				count++
			}
		}
		require.Equal(t, -1, next)
		require.Equal(t, count, b.Count())
		require.Equal(t, count == items, b.All())
	}
}
