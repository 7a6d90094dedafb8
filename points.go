package remotetapprocessor

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
	"github.com/remotetap/remotetapprocessor/internal/selection"
)

// The JSON of GET /v1/points.
type (
	pointsJSON struct {
		Version string      `json:"version"`
		Points  []pointJSON `json:"points"`
		Taps    []tapJSON   `json:"taps"`
		Limits  limitsJSON  `json:"limits"`
	}
	pointJSON struct {
		Point   string   `json:"point"`
		Signals []string `json:"signals"`
		// Rates is items per second by signal; null where no tap is open, since then nothing counts.
		Rates map[string]*float64 `json:"rates"`
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
		Limit          int     `json:"limit"`
		ItemsPerSecond float64 `json:"items_per_second"`
		MiBPerSecond   float64 `json:"mib_per_second"`
		QueueMiB       int     `json:"queue_mib"`
		MaxDuration    string  `json:"max_duration"`
		MaxOverhead    float64 `json:"max_overhead"`
	}
)

// servePoints answers GET /v1/points.
func (s *server) servePoints(w http.ResponseWriter, r *http.Request) {
	if err := checkMethod(r); err != nil {
		s.refuse(w, r, err)
		return
	}
	if r.URL.RawQuery != "" {
		s.refuse(w, r, badParameter("", "/v1/points takes no parameters", "leave the query string out"))
		return
	}
	body, err := json.MarshalIndent(s.describe(time.Now()), "", "  ")
	if err != nil {
		s.answer(w, r, err)
		return
	}
	writeAnswer(w, "application/json", append(body, '\n'))
}

// writeAnswer writes a complete answer that nobody may keep.
func writeAnswer(w http.ResponseWriter, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(body) // a client that has left needs no answer
}

func (s *server) describe(now time.Time) pointsJSON {
	state := s.broadcaster.snapshot()
	answer := pointsJSON{Version: s.version, Points: pointsOf(state, now), Taps: []tapJSON{}, Limits: s.broadcaster.limits().json()}
	for _, t := range state.taps {
		answer.Taps = append(answer.Taps, tapJSON{
			ID:        t.id,
			Remote:    t.client.remote,
			Subject:   t.client.subject,
			UserAgent: t.client.userAgent,
			Transport: t.client.transport,
			Selection: t.asked,
			Ledger:    t.ledger(now).json(),
		})
	}
	return answer
}

// limits are what the configuration allows.
type limits struct {
	taps        int
	perTap      PerTapConfig
	maxOverhead float64
}

func (b *broadcaster) limits() limits {
	return limits{taps: b.limit, perTap: b.ceilings, maxOverhead: b.meters.pipeline.share}
}

func (l limits) json() limitsJSON {
	return limitsJSON{
		Limit:          l.taps,
		ItemsPerSecond: l.perTap.ItemsPerSecond,
		MiBPerSecond:   l.perTap.MiBPerSecond,
		QueueMiB:       l.perTap.QueueMiB,
		MaxDuration:    l.perTap.MaxDuration.String(),
		MaxOverhead:    l.maxOverhead,
	}
}

// pointsOf groups the sources, which are sorted, by point.
func pointsOf(state snapshot, now time.Time) []pointJSON {
	points := []pointJSON{}
	for _, source := range state.sources {
		id := source.point.String()
		if len(points) == 0 || points[len(points)-1].Point != id {
			points = append(points, pointJSON{Point: id})
		}
		point := &points[len(points)-1]
		point.Signals = append(point.Signals, source.signal.String())
		if since := source.watched.Load(); since != nil {
			if point.Rates == nil {
				point.Rates = map[string]*float64{}
			}
			point.Rates[source.signal.String()] = new(source.rate.perSecond(*since, now))
		}
	}
	for _, point := range points {
		for _, signal := range point.Signals {
			if point.Rates != nil && point.Rates[signal] == nil {
				point.Rates[signal] = nil // a null that says so
			}
		}
	}
	return points
}

func (l ledger) json() ledgerJSON {
	return ledgerJSON{
		Since: l.since.UTC(), Now: l.now.UTC(),
		Seen: l.seen, Skipped: l.skipped, Unmatched: l.unmatched, Matched: l.matched,
		Sent: l.sent, Pending: l.pending, Dropped: l.droppedByReason(), EvalErrors: l.evalErrors, Bytes: l.bytes,
	}
}

// serveHelp answers curl on / with what there is and how to see it.
func (s *server) serveHelp(w http.ResponseWriter, r *http.Request) {
	if r.URL.RawQuery != "" {
		s.refuse(w, r, badParameter("", "the help takes no parameters", "to tap, add them to /v1/tap: /v1/tap?"+r.URL.RawQuery))
		return
	}
	writeAnswer(w, "text/plain; charset=utf-8", []byte(s.help(hostOf(r), r.TLS != nil)))
}

// help is the text for people at a terminal.
func (s *server) help(host string, secure bool) string {
	suffix := ""
	if secure {
		suffix = "s"
	}
	state := s.broadcaster.snapshot()
	var b strings.Builder
	b.WriteString("remote_tap: the live telemetry of this collector\n\nTap points\n")
	for _, point := range pointsOf(state, time.Now()) {
		fmt.Fprintf(&b, "  %-24s %s\n", point.Point, strings.Join(point.Signals, ", "))
	}
	fmt.Fprintf(&b, "\nWatch\n")
	for signal := range otlp.Signal(otlp.NumSignals) {
		if signalsOf(state).Has(signal) {
			fmt.Fprintf(&b, "  curl -N http%s://%s/v1/%s\n", suffix, host, signal)
		}
	}
	fmt.Fprintf(&b, "  curl -N http%s://%s/v1/tap                       # every signal\n", suffix, host)
	fmt.Fprintf(&b, "  websocat ws%s://%s/v1/tap\n", suffix, host)
	fmt.Fprintf(&b, "  curl -N -H 'Accept: text/event-stream' http%s://%s/v1/tap\n", suffix, host)
	plaintext := " -plaintext"
	if secure {
		plaintext = ""
	}
	fmt.Fprintf(&b, "  grpcurl%s %s remotetap.v1.TapService/Tap\n", plaintext, host)
	if s.config.Server.Auth.HasValue() {
		b.WriteString("\nEach needs your credentials: curl and websocat -H 'Authorization: ...', curl -u NAME, grpcurl -H\n")
	}
	if tls := s.config.Server.TLS.Get(); tls != nil && tls.ClientCAFile != "" {
		b.WriteString("\nEach needs your certificate: curl --cert FILE --key FILE, and --cacert FILE for ours\n")
	}
	fmt.Fprintf(&b, "\nOpen taps, rates and limits\n  curl http%s://%s/v1/points\n", suffix, host)
	fmt.Fprintf(&b, "\nOpen now: %d of %d taps\n", len(state.taps), s.config.Limit)
	return b.String()
}

// signalsOf is what signals there are at any point.
func signalsOf(state snapshot) selection.Signals {
	var signals selection.Signals
	for _, source := range state.sources {
		signals |= selection.SignalsOf(source.signal)
	}
	return signals
}
