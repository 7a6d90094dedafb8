package top

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
	"github.com/remotetap/remotetapprocessor/internal/format"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// onceDuration is how long is counted if nothing is said.
const onceDuration = 30 * time.Second

// once counts for a while and prints what it has counted.
func (t *top) once(ctx context.Context, endpoints []string, request tapclient.Selection) error {
	if request.Duration == 0 && request.Count == 0 {
		request.Duration = onceDuration
	}
	if t.app.Words.IsTerminal && request.Duration > 0 {
		t.app.Say("counting for %s; Ctrl-C shows what there is", request.Duration)
	}
	feed := newFeed(t.fields, t.interval)
	totals, err := t.app.Watch(ctx, endpoints, request, feed.watcher())
	final := feed.final(totals)
	if err != nil && final.items() == 0 {
		return err
	}
	if printErr := t.print(final); printErr != nil {
		return printErr
	}
	t.app.Say("%s", app.TotalsWords(totals))
	return err
}

// print prints what was counted.
func (t *top) print(s *state) error {
	if t.output != "json" {
		return t.app.Print([]byte(t.text(s)))
	}
	data, err := t.document(s)
	if err != nil {
		return err
	}
	return t.app.Print(data)
}

// text is what was counted as tables for people.
func (t *top) text(s *state) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s items in %s, from %s on%s\n", app.Number(s.items()), terminal.Elapsed(s.elapsed(true)),
		s.since.Format("15:04:05"), t.suffix())
	if line := lossLine(s.totals); line != "" {
		b.WriteString(line + "\n")
	}
	width := 0
	if t.app.Screen.IsTerminal {
		width = t.app.Screen.Width()
	}
	a := appearance{whole: true, order: t.order, paint: t.app.Screen}
	for i := range s.sections {
		c := &s.sections[i]
		rows, left := t.limited(c)
		if c.other != nil {
			rows = append(rows, *c.other)
		}
		columns := columnsOf(s.snapshot, c, rows, a)
		table := fit(columns, min(width, wanted(columns)))
		b.WriteString("\n" + title(s.snapshot, c, a, groupWords(len(c.rows))) + "\n" + table.header(a.paint) + "\n")
		for i := range rows {
			b.WriteString(table.line(a.paint, i) + "\n")
		}
		if left > 0 {
			b.WriteString(a.paint.Paint(terminal.Faint, app.Number(left)+" more (--limit 0 for all)") + "\n")
		}
	}
	return b.String()
}

// suffix says what was selected, if anything was.
func (t *top) suffix() string {
	if t.criteria() == "" {
		return ""
	}
	return ": " + format.Visible(t.criteria())
}

// criteria is what is selected, without when it ends.
func (t *top) criteria() string {
	parts := slices.DeleteFunc(strings.Split(t.query, "&"), func(part string) bool {
		return strings.HasPrefix(part, "duration=") || strings.HasPrefix(part, "count=")
	})
	return strings.Join(parts, "&")
}

// limited returns the first rows of a section, and how many are left out.
func (t *top) limited(c *counted) (rows []row, left int) {
	rows = arrange(c.rows, t.order, true, "")
	if t.limit > 0 && len(rows) > t.limit {
		rows, left = rows[:t.limit:t.limit], len(rows)-t.limit
	}
	return rows, left
}

// document is what -o json prints.
type document struct {
	Since       time.Time     `json:"since"`
	Until       time.Time     `json:"until"`
	Seconds     float64       `json:"seconds"`
	Selection   string        `json:"selection"`
	Items       uint64        `json:"items"`
	LowerBounds bool          `json:"lower_bounds"`
	Account     documentLoss  `json:"account"`
	Traces      *documentPart `json:"traces,omitempty"`
	Logs        *documentPart `json:"logs,omitempty"`
	Metrics     *documentPart `json:"metrics,omitempty"`
	Profiles    *documentPart `json:"profiles,omitempty"`
}

// documentLoss is the account of what was not counted.
type documentLoss struct {
	Seen          uint64            `json:"seen"`
	Skipped       uint64            `json:"skipped"`
	Matched       uint64            `json:"matched"`
	Received      uint64            `json:"received"`
	Dropped       map[string]uint64 `json:"dropped"`
	EvalErrors    uint64            `json:"eval_errors"`
	MissedSeconds float64           `json:"missed_seconds"`
}

// documentPart is what was counted of a signal.
type documentPart struct {
	documentRow
	Points []string      `json:"points"`
	Groups int           `json:"groups"`
	Rows   []documentRow `json:"rows"`
	Other  *documentRow  `json:"other,omitempty"`
}

// documentRow is what was counted of a group, or of all.
type documentRow struct {
	By         map[string]*string `json:"by,omitempty"`
	Items      uint64             `json:"items"`
	PerSecond  float64            `json:"per_second"`
	Errors     *uint64            `json:"errors,omitempty"`
	ErrorShare *float64           `json:"error_share,omitempty"`
	P50        *float64           `json:"p50_ms,omitempty"`
	P95        *float64           `json:"p95_ms,omitempty"`
	P99        *float64           `json:"p99_ms,omitempty"`
	Severities map[string]uint64  `json:"severities,omitempty"`
	LastValue  *string            `json:"last_value,omitempty"`
	Unit       string             `json:"unit,omitempty"`
}

// document is what was counted as JSON, with a newline. It fails in years that JSON has no numbers for.
func (t *top) document(s *state) ([]byte, error) {
	l := s.totals.Ledger
	d := document{
		Since: s.since.UTC(), Until: s.now.UTC(), Seconds: s.elapsed(true).Seconds(),
		Selection: t.query, Items: s.items(), LowerBounds: s.totalLow,
		Account: documentLoss{
			Seen: l.Seen, Skipped: l.Skipped, Matched: l.Matched, Received: s.totals.Received.Items,
			Dropped: map[string]uint64{}, EvalErrors: l.EvalErrors, MissedSeconds: s.totals.Missed.Seconds(),
		},
	}
	for reason, n := range l.Dropped {
		if n > 0 {
			d.Account.Dropped[reason] = n
		}
	}
	parts := map[tapclient.Signal]**documentPart{
		tapclient.Traces: &d.Traces, tapclient.Logs: &d.Logs, tapclient.Metrics: &d.Metrics, tapclient.Profiles: &d.Profiles,
	}
	for i := range s.sections {
		*parts[s.sections[i].signal] = t.part(s, &s.sections[i])
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(d)
	return b.Bytes(), err
}

func (t *top) part(s *state, c *counted) *documentPart {
	rowOf := func(r *row) documentRow { return rowDocument(c, r, s.elapsed(true)) }
	p := &documentPart{documentRow: rowOf(&c.sum), Points: c.points, Groups: len(c.rows), Rows: []documentRow{}}
	rows, _ := t.limited(c)
	for i := range rows {
		p.Rows = append(p.Rows, rowOf(&rows[i]))
	}
	if c.other != nil {
		other := rowOf(c.other)
		p.Other = &other
	}
	return p
}

func rowDocument(c *counted, r *row, elapsed time.Duration) documentRow {
	f := r.total
	d := documentRow{Items: f.items, PerSecond: rounded(rateOf(f.items, elapsed))}
	for i, v := range r.values {
		if d.By == nil {
			d.By = map[string]*string{}
		}
		d.By[c.fields[i]] = nil
		if v.known {
			d.By[c.fields[i]] = &v.text
		}
	}
	switch c.signal {
	case tapclient.Traces:
		d.Errors, d.ErrorShare = &f.errors, new(rounded(f.share()))
		d.P50, d.P95, d.P99 = milliseconds(f.p50), milliseconds(f.p95), milliseconds(f.p99)
	case tapclient.Logs:
		d.Errors, d.ErrorShare = &f.errors, new(rounded(f.share()))
		d.Severities = map[string]uint64{}
		for level, name := range [levels]string{"none", "trace", "debug", "info", "warn", "error", "fatal"} {
			if f.levels[level] > 0 {
				d.Severities[name] = f.levels[level]
			}
		}
	case tapclient.Metrics:
		if r.values != nil {
			d.LastValue, d.Unit = &r.lastValue, r.unit
		}
	default:
	}
	return d
}

// milliseconds is a duration as JSON has it, with three digits that mean something; nil if there is
// none.
func milliseconds(d time.Duration) *float64 {
	if d < 0 {
		return nil
	}
	return new(rounded(float64(d) / float64(time.Millisecond)))
}

// rounded is a number with four digits: no more are known of percentiles, nor needed of rates.
func rounded(f float64) float64 {
	short, err := strconv.ParseFloat(strconv.FormatFloat(f, 'g', 4, 64), 64)
	if err != nil {
		return f
	}
	return short
}
