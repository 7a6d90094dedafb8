package top

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// golden compares a text with a file of testdata. With UPDATE_GOLDEN=1 it writes the file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "write it with UPDATE_GOLDEN=1")
	assert.Equal(t, string(want), got, "write it anew with UPDATE_GOLDEN=1, and look at it")
}

// busy is a state after ten seconds: the shop, a crowd of other operations, and what strangers may send.
func busy(t *testing.T) *state {
	t.Helper()
	c := newCounter(nil, 2*time.Second, begin)
	feedTo(t, c, orderBatches(t, 0, 200)...)
	var all []spanOf
	for i := range 30 {
		for range 30 - i {
			all = append(all, spanOf{service: "catalog", name: fmt.Sprintf("GET /products/category/%d/items/with/a/long/route", i), took: time.Duration(i+1) * 700 * time.Microsecond})
		}
	}
	all = append(all, spanOf{name: "\x1b[2Jevil\u202e"}, spanOf{service: "日本語サービス", name: "注文", took: time.Minute, fails: true})
	feedTo(t, c, spans(t, all...))
	c.advance(begin.Add(8 * time.Second))
	feedTo(t, c, orderBatches(t, 200, 230)...)
	feedTo(t, c, spans(t, all[:5]...))
	c.advance(begin.Add(10 * time.Second))
	return &state{
		snapshot: c.snapshot(begin.Add(10 * time.Second)), connections: "localhost:12001",
		totals: tapclient.Totals{Ledger: tapclient.Ledger{Seen: 2082, Matched: 2082}, Received: tapclient.Received{Items: 2082}},
	}
}

func TestTheScreenIsAsItWas(t *testing.T) {
	for _, c := range []struct {
		name          string
		width, height int
		color         bool
		change        func(*screen)
	}{
		{"wide", 120, 30, false, nil},
		{"wide_colour", 120, 30, true, nil},
		{"narrow", 60, 20, false, nil},
		{"narrow_colour", 60, 20, true, nil},
		{"whole", 120, 30, false, func(s *screen) { s.whole, s.order = true, byErrors }},
		{"lossy", 120, 30, false, func(s *screen) {
			s.totalLow, s.windowLow = true, true
			s.totals.Ledger.Dropped = map[string]uint64{"rate_limit": 12, "queue_full": 300}
			s.totals.Ledger.Skipped, s.totals.Missed = 500, 3*time.Second
		}},
		{"filtered", 120, 30, false, func(s *screen) { s.filter = "SELECT" }},
		{"typing", 60, 20, false, func(s *screen) { s.filter, s.typing = "sel", true }},
		{"scrolled", 120, 30, false, func(s *screen) { s.focus, s.offset = tapclient.Traces, 10 }},
		{"paused", 120, 30, false, func(s *screen) {
			later := *s.snapshot
			later.now = later.now.Add(12 * time.Second)
			s.paused = &state{snapshot: &later}
		}},
		{"help", 100, 30, false, func(s *screen) { s.help = true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &screen{state: busy(t), width: c.width, height: c.height, query: "point=remote_tap"}
			s.order, s.paint = byRate, terminal.Terminal{IsTerminal: true, Color: c.color}
			if c.change != nil {
				c.change(s)
			}
			view := s.view()
			assert.Equal(t, c.color, strings.Contains(view, "\x1b"), "colours where they are wanted")
			if c.color {
				plain := *s
				plain.paint.Color = false
				assert.Equal(t, plain.view(), ansi.Strip(view), "colours change nothing else")
			}
			golden(t, c.name+".golden", strings.ReplaceAll(view, "\x1b", "␛")+"\n")
		})
	}
}

// No window is too small, whatever is shown.
func TestTheScreenStaysWithinItsWindow(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	state := busy(t)
	for range 500 {
		s := &screen{state: state, width: random.IntN(140), height: random.IntN(40), query: "service=checkout"}
		s.order, s.whole, s.paint.Color = orders()[random.IntN(len(orders()))], random.IntN(2) == 0, random.IntN(2) == 0
		s.focus = []tapclient.Signal{"", tapclient.Traces, tapclient.Logs, tapclient.Metrics, tapclient.Profiles}[random.IntN(5)]
		s.offset, s.filter, s.help = random.IntN(40), []string{"", "get", "no such"}[random.IntN(3)], random.IntN(10) == 0
		s.typing = random.IntN(5) == 0
		view := s.view()
		assert.LessOrEqual(t, strings.Count(view, "\n")+1, max(s.height, 1))
		for line := range strings.SplitSeq(view, "\n") {
			assert.LessOrEqual(t, ansi.StringWidth(line), s.width, "%q", line)
		}
		assert.NotContains(t, view, "\x1b[2J", "what strangers send is not obeyed")
		assert.NotContains(t, view, "\u202e")
	}
}

func TestLinesAreSharedAmongSections(t *testing.T) {
	section := func(rows int) *counted { return &counted{rows: make([]row, rows)} }
	for _, c := range []struct {
		name  string
		rows  []int
		lines int
		want  []int
	}{
		{"all have what they need", []int{4, 1, 2}, 30, []int{4, 1, 2}},
		{"small ones leave room to large ones", []int{40, 1, 2}, 26, []int{14, 1, 2}},
		{"large ones share", []int{40, 40}, 26, []int{10, 10}},
		{"the last go if there is no room", []int{40, 40, 40}, 10, []int{2, 2, 0}},
		{"one stays in any case", []int{40, 40}, 2, []int{0, 0}},
		{"one row at least", []int{40, 40}, 4, []int{1, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var sections []*counted
			for _, rows := range c.rows {
				sections = append(sections, section(rows))
			}
			assert.Equal(t, c.want, divide(sections, c.lines))
		})
	}
}

func TestConnectionsAreToldInAFewWords(t *testing.T) {
	origin := func(name string) tapclient.Origin { return tapclient.Origin{Endpoint: name} }
	a := &account{}
	assert.Equal(t, "connecting", a.connections())
	a.event(&tapclient.Down{Origin: origin("a:1"), Err: errors.New("no route")})
	assert.Equal(t, "not connected to a:1: no route", a.connections())
	a.event(&tapclient.Up{Origin: origin("a:1")})
	assert.Equal(t, "a:1", a.connections())
	a.event(&tapclient.Up{Origin: origin("b:1")})
	assert.Equal(t, "2 collectors", a.connections())
	a.event(&tapclient.Down{Origin: origin("b:1"), Err: errors.New("gone")})
	assert.Equal(t, "1 of 2 collectors; not connected to b:1: gone", a.connections())
	a.event(&tapclient.End{Origin: origin("b:1"), Reason: tapclient.EndAddressGone, Err: errors.New("gone")})
	assert.Equal(t, "a:1", a.connections(), "a pod that was replaced is no news")
	a.event(&tapclient.End{Origin: origin("a:1"), Reason: tapclient.EndRefused, Err: errors.New("all taps are taken")})
	assert.Equal(t, "not connected to a:1: all taps are taken", a.connections())
}

func TestLossesAreTold(t *testing.T) {
	lossy := tapclient.Totals{
		Ledger: tapclient.Ledger{Seen: 100, Matched: 50, Skipped: 7, EvalErrors: 3, Dropped: map[string]uint64{"rate_limit": 5}},
		Missed: 1500 * time.Millisecond,
	}
	a := &account{totals: lossy}
	assert.Equal(t, "Counts are lower bounds: dropped 5 of 50: rate_limit 5; skipped 7 of 100 (max_overhead); where failed on 3;"+
		" not connected for 2s", lossLine(a.since()))
	assert.EqualValues(t, 5+7+3+1500, a.lost())
	a.begin()
	assert.Empty(t, lossLine(a.since()), "counting begins anew, and so do losses")
	a.totals.Ledger.Dropped = map[string]uint64{"rate_limit": 6}
	a.totals.Ledger.Matched = 60
	assert.Equal(t, "Counts are lower bounds: dropped 1 of 10: rate_limit 1", lossLine(a.since()))
	assert.Equal(t, map[string]uint64{"rate_limit": 5}, lossy.Ledger.Dropped, "the account is not changed")
}
