package trace

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/remotetap/remotetapprocessor/internal/format"
	"github.com/remotetap/remotetapprocessor/internal/otlp"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// document is what -o json prints.
type document struct {
	TraceID  string    `json:"trace_id"`
	Complete bool      `json:"complete"`
	Problems []string  `json:"problems,omitempty"`
	Missing  []string  `json:"missing_spans,omitempty"` // their ids, as far as somebody names them
	Services []string  `json:"services"`
	Spans    int       `json:"spans"`
	Logs     int       `json:"logs"`
	Errors   int       `json:"errors"` // spans
	Start    time.Time `json:"start"`
	Duration float64   `json:"duration_ms"`
	// Items are the spans and log records, as `format=json` has them.
	Items []json.RawMessage `json:"items"`
}

func (c *collector) showJSON(t *tree, problems []string) error {
	missing := t.lost
	for id := range t.orphans {
		missing[id] = true
	}
	d := document{
		TraceID: t.id, Complete: t.complete(), Problems: problems, Missing: slices.Sorted(maps.Keys(missing)), Services: t.services,
		Spans: len(t.nodes), Logs: t.logs, Errors: t.failed, Start: time.Unix(0, t.start).UTC(), Duration: float64(t.end-t.start) / 1e6,
	}
	err := c.render(format.JSON, func(item []byte) error {
		d.Items = append(d.Items, json.RawMessage(slices.Clone(item)))
		return nil
	})
	if err != nil {
		return err
	}
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return c.app.Print(append(text, '\n'))
}

// showOTLP prints OTLP/JSON, a line for each batch.
func (c *collector) showOTLP() error {
	return c.render(format.OTLPJSON, func(document []byte) error { return c.app.Print(append(document, '\n')) })
}

// render gives what was gathered to a function, in a form. It may change the bytes, but not keep them.
func (c *collector) render(f format.Format, each func([]byte) error) error {
	renderer := format.New(f, format.Options{})
	var buffer []byte
	for _, p := range c.trace.pieces {
		signal := otlp.Traces
		if p.batch.Signal == tapclient.Logs {
			signal = otlp.Logs
		}
		renderer.Reset(format.Batch{Signal: signal, Proto: p.batch.Proto, Point: p.batch.Point, Time: p.batch.Time})
		for {
			message, _, ok, err := renderer.Next(buffer[:0])
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			buffer = message
			if err := each(message); err != nil {
				return err
			}
		}
	}
	return nil
}
