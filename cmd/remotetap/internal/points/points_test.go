package points

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// listing is what a collector with two points and a tap that loses something answers.
func listing() tapclient.Listing {
	since := time.Date(2026, 1, 2, 15, 4, 5, 0, time.Local) //nolint:gosmopolitan // what users see is local
	return tapclient.Listing{
		Origin:  tapclient.Origin{Endpoint: "gateway:12001", Address: "gateway:12001"},
		Version: "1.2.3",
		Points: []tapclient.Point{
			{ID: "remote_tap", Signals: []tapclient.Signal{"traces", "logs"}, Rates: map[tapclient.Signal]float64{"traces": 1234.4, "logs": 0.25}},
			{ID: "remote_tap/after_sampling", Signals: []tapclient.Signal{"traces"}},
		},
		Taps: []tapclient.OpenTap{{
			ID: 7, Remote: "10.0.0.1:4711", Subject: "alice", UserAgent: "remotetap/1.0", Transport: "grpc",
			Selection: "service=checkout&where=span.name+%3D%3D+%22a%22&format=otlp_proto&stats=1s&max_message=1048576",
			Ledger: tapclient.Ledger{
				Since: since, Now: since.Add(134 * time.Second), Seen: 88000, Skipped: 1000, Matched: 1204, Sent: 1178, Pending: 2,
				Dropped: map[string]uint64{"rate_limit": 24},
			},
		}},
		Limits: tapclient.Limits{Taps: 5, ItemsPerSecond: 500, MiBPerSecond: 10, QueueMiB: 16, MaxDuration: time.Hour, MaxOverhead: 0.1},
	}
}

// written is a listing as text.
func written(l tapclient.Listing, width int) []string {
	s := &sheet{width: width}
	s.collector(&l)
	return s.lines
}

func TestACollectorIsShownWithItsPointsAndTaps(t *testing.T) {
	assert.Equal(t, []string{
		"gateway:12001  version 1.2.3",
		"",
		"POINT                      SIGNALS       ITEMS PER SECOND",
		"remote_tap                 traces, logs  traces 1,234, logs 0.2",
		"remote_tap/after_sampling  traces        not counted: nobody watches",
		"",
		"1 of 5 taps open; each may have a queue of 16 MiB, 10 MiB/s, 500 items/s, 1h00m; all together 10 % of a core",
		"",
		"  #7   10.0.0.1:4711  alice  grpc  since 15:04:05 (2m14s)  remotetap/1.0",
		`       service=checkout  where=span.name == "a"`,
		"       sent 1,178 of 1,204 matched, 88,000 seen, 2 waiting; dropped 24 of 1,204: rate_limit 24; skipped 1,000 of 88,000 (max_overhead)",
	}, written(listing(), 160))
}

func TestNoLineIsWiderThanTheTerminal(t *testing.T) {
	for _, width := range []int{20, 40, 60, 80} {
		for _, line := range written(listing(), width) {
			assert.LessOrEqual(t, ansi.StringWidth(line), width)
		}
	}
}

func TestWhoeverTapsCannotReachTheTerminal(t *testing.T) {
	const attack = "x\x1b[2J\u009b1m\r\n\u202ey"
	l := listing()
	l.Version, l.Points[0].ID, l.Points[0].Signals[1] = attack, attack, attack
	tap := &l.Taps[0]
	tap.Remote, tap.Subject, tap.UserAgent, tap.Transport, tap.Selection = attack, attack, attack, attack, "a="+attack+"&b=%1b%5b2J"
	tap.Ledger.Dropped = map[string]uint64{attack: 1}
	failed := tapclient.Listing{Origin: tapclient.Origin{Endpoint: attack}, Err: errors.New(attack)}
	for _, l := range []tapclient.Listing{l, failed} {
		for _, line := range written(l, 1000) {
			for _, r := range line {
				assert.False(t, r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e', "%q in %q", r, line)
			}
		}
	}
}

func TestAWatchedListIsWrittenInPlaceAndNoHigherThanTheWindow(t *testing.T) {
	s := &sheet{terminal: terminal.Terminal{}, width: 80, lines: []string{"a", "b", "c", "d"}}
	assert.Equal(t, "\x1b[2J\x1b[Ha\x1b[K\nb\x1b[K\nc\x1b[K\nd\x1b[K\n\x1b[J", string(s.inPlace(5, true)))
	assert.Equal(t, "\x1b[Ha\x1b[K\nb\x1b[K\n... and 2 more lines: make the window higher\x1b[K\n\x1b[J", string(s.inPlace(4, false)))
	assert.Equal(t, []string{"a", "b", "c", "d"}, s.lines)
}

func TestTheJSONIsThatOfTheServerForEachCollector(t *testing.T) {
	text, err := asJSON([]tapclient.Listing{listing(), {Origin: tapclient.Origin{Endpoint: "down:1"}, Err: errors.New("refused")}})
	require.NoError(t, err)
	var out struct {
		Collectors []struct {
			Endpoint, Error, Version string
			Points                   []struct{ Rates map[string]*float64 }
			Taps                     []struct {
				Subject string
				Ledger  struct{ Dropped map[string]uint64 }
			}
			Limits *struct {
				Limit int
			}
		}
	}
	require.NoError(t, json.Unmarshal(text, &out))
	up, down := out.Collectors[0], out.Collectors[1]
	assert.InDelta(t, 1234.4, *up.Points[0].Rates["traces"], 0)
	rate, ok := up.Points[1].Rates["traces"]
	assert.True(t, ok && rate == nil, "null where nobody watches")
	assert.Equal(t, map[string]uint64{"rate_limit": 24}, up.Taps[0].Ledger.Dropped)
	assert.Equal(t, 5, up.Limits.Limit)
	assert.Equal(t, "refused", down.Error)
	assert.NotNil(t, down.Points, "lists are lists, also where they are empty")
	assert.Nil(t, down.Limits)
	assert.Equal(t, 1, strings.Count(string(text), `"error"`))
}

func TestACollectorThatDoesNotAnswerMakesItAFailure(t *testing.T) {
	require.NoError(t, unanswered([]tapclient.Listing{listing()}))
	err := unanswered([]tapclient.Listing{listing(), {Err: &tapclient.RefusedError{Code: codes.Unauthenticated}}})
	require.EqualError(t, err, "1 of 2 collectors did not answer")
	assert.Equal(t, app.CodeRefused, app.CodeOf(err))
}
