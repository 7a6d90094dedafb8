package points

import (
	"encoding/json"
	"maps"
	"time"

	"github.com/remotetap/remotetapprocessor/tapclient"
)

// The JSON of -o json: that of GET /v1/points, for each collector.
type (
	collectorJSON struct {
		Endpoint string      `json:"endpoint"`
		Address  string      `json:"address,omitempty"`
		Error    string      `json:"error,omitempty"`
		Version  string      `json:"version"`
		Points   []pointJSON `json:"points"`
		Taps     []tapJSON   `json:"taps"`
		Limits   *limitsJSON `json:"limits"` // null if there is no answer
	}
	pointJSON struct {
		Point   string              `json:"point"`
		Signals []tapclient.Signal  `json:"signals"`
		Rates   map[string]*float64 `json:"rates"` // null where nobody watches, since then nothing counts
	}
	tapJSON struct {
		ID        uint64     `json:"id"`
		Remote    string     `json:"remote"`
		Subject   string     `json:"subject,omitempty"`
		UserAgent string     `json:"user_agent,omitempty"`
		Transport string     `json:"transport"`
		Selection string     `json:"selection"`
		Ledger    ledgerJSON `json:"ledger"`
	}
	ledgerJSON struct {
		Since      time.Time         `json:"since"`
		Now        time.Time         `json:"now"`
		Seen       uint64            `json:"seen"`
		Skipped    uint64            `json:"skipped"`
		Unmatched  uint64            `json:"unmatched"`
		Matched    uint64            `json:"matched"`
		Sent       uint64            `json:"sent"`
		Pending    uint64            `json:"pending"`
		Dropped    map[string]uint64 `json:"dropped"`
		EvalErrors uint64            `json:"eval_errors"`
		Bytes      uint64            `json:"bytes"`
	}
	limitsJSON struct {
		Limit          uint32  `json:"limit"`
		ItemsPerSecond float64 `json:"items_per_second"`
		MiBPerSecond   float64 `json:"mib_per_second"`
		QueueMiB       uint32  `json:"queue_mib"`
		MaxDuration    string  `json:"max_duration"`
		MaxOverhead    float64 `json:"max_overhead"`
	}
)

func asJSON(listings []tapclient.Listing) ([]byte, error) {
	collectors := make([]collectorJSON, len(listings))
	for i := range listings {
		collectors[i] = collectorOf(&listings[i])
	}
	return json.Marshal(map[string]any{"collectors": collectors})
}

func collectorOf(l *tapclient.Listing) collectorJSON {
	c := collectorJSON{Endpoint: l.Endpoint, Address: l.Address, Version: l.Version, Points: []pointJSON{}, Taps: []tapJSON{}}
	if l.Err != nil {
		c.Error = l.Err.Error()
		return c
	}
	for _, p := range l.Points {
		point := pointJSON{Point: p.ID, Signals: p.Signals, Rates: map[string]*float64{}}
		for _, signal := range p.Signals {
			point.Rates[string(signal)] = nil
			if rate, ok := p.Rates[signal]; ok {
				point.Rates[string(signal)] = &rate
			}
		}
		c.Points = append(c.Points, point)
	}
	for _, t := range l.Taps {
		c.Taps = append(c.Taps, tapJSON{
			ID: t.ID, Remote: t.Remote, Subject: t.Subject, UserAgent: t.UserAgent, Transport: t.Transport,
			Selection: t.Selection, Ledger: ledgerOf(t.Ledger),
		})
	}
	c.Limits = &limitsJSON{
		Limit: l.Limits.Taps, ItemsPerSecond: l.Limits.ItemsPerSecond, MiBPerSecond: l.Limits.MiBPerSecond,
		QueueMiB: l.Limits.QueueMiB, MaxDuration: l.Limits.MaxDuration.String(), MaxOverhead: l.Limits.MaxOverhead,
	}
	return c
}

func ledgerOf(l tapclient.Ledger) ledgerJSON {
	j := ledgerJSON{
		Since: l.Since, Now: l.Now, Seen: l.Seen, Skipped: l.Skipped, Unmatched: l.Unmatched, Matched: l.Matched,
		Sent: l.Sent, Pending: l.Pending, Dropped: map[string]uint64{}, EvalErrors: l.EvalErrors, Bytes: l.Bytes,
	}
	maps.Copy(j.Dropped, l.Dropped)
	return j
}
