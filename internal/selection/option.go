package selection

import (
	"math"
	"strconv"
	"time"
)

// Format is the form that matched items are delivered in.
type Format string

// The formats. What each looks like is package format's.
const (
	FormatOTLPJSON  Format = "otlp_json"
	FormatJSON      Format = "json"
	FormatText      Format = "text"
	FormatOTLPProto Format = "otlp_proto"
	FormatNone      Format = "none" // nothing but the ledger
)

// Sizes of a message in bytes.
const (
	DefaultMaxMessage = 64 << 10 // websocat's buffer: what is longer it splits into several lines
	MinMaxMessage     = 1 << 10
	MaxMaxMessage     = 16 << 20
)

// Delivery is how a tap wants what matches. Zero stands for "not limited" or "off".
type Delivery struct {
	// Rate, Format, Envelope and MaxMessage are the view's: taps share a view only if they are the same.

	Rate       float64 // items per second
	Format     Format
	Envelope   bool // has no effect on formats other than OTLP
	MaxMessage int  // bytes

	// Count, Duration and Stats are the tap's own.

	Count    uint64        // items, then it ends
	Duration time.Duration // then it ends
	Stats    time.Duration // the period of the ledger on the stream
}

func defaultDelivery() Delivery {
	return Delivery{Format: FormatOTLPJSON, MaxMessage: DefaultMaxMessage}
}

// IsOTLP reports whether messages are OTLP documents, which can have an envelope.
func (f Format) IsOTLP() bool { return f == FormatOTLPJSON || f == FormatOTLPProto }

// normalized is without what has no effect, so that equal deliveries are the same.
func (d Delivery) normalized() Delivery {
	d.Envelope = d.Envelope && d.Format.IsOTLP()
	if d.Format == FormatNone {
		d.MaxMessage = DefaultMaxMessage
	}
	return d
}

// Option is a parameter of delivery: an entry of the table that the parser and the documentation are made from.
type Option struct {
	Name    string
	Value   string // the syntax of its value
	Default string // in words
	PerTap  bool   // it is the tap's own; taps that differ in it share a view
	Help    string
	Example string // a query parameter that works

	parse func(value string) (string, *Error)
	set   func(d *Delivery, text string)
	text  func(d Delivery) string
}

// Options returns the table of delivery options, in the order of canonical query strings.
func Options() []Option {
	return []Option{
		{
			Name: "rate", Value: "NUMBER", Default: "no limit but the server's", Example: "rate=100",
			Help:  "Items per second, by trimming: errors stay first, then slow spans and severe logs, then an even choice.",
			parse: rateText,
			set:   func(d *Delivery, text string) { d.Rate, _ = strconv.ParseFloat(text, 64) },
			text:  func(d Delivery) string { return strconv.FormatFloat(d.Rate, 'f', -1, 64) },
		},
		{
			Name: "count", Value: "NUMBER", Default: "no end", PerTap: true, Example: "count=10",
			Help:  "The tap ends after this many items.",
			parse: integerText(1, math.MaxInt64, "write how many items to wait for, or leave it out"),
			set:   func(d *Delivery, text string) { d.Count, _ = strconv.ParseUint(text, 10, 64) },
			text:  func(d Delivery) string { return strconv.FormatUint(d.Count, 10) },
		},
		{
			Name: "duration", Value: "DURATION", Default: "no end but the server's", PerTap: true, Example: "duration=30s",
			Help:  "The tap ends after this time.",
			parse: durationText(time.Millisecond, "30s or 5m"),
			set:   func(d *Delivery, text string) { d.Duration, _ = time.ParseDuration(text) },
			text:  func(d Delivery) string { return shortDuration(d.Duration) },
		},
		{
			Name: "since", Value: "DURATION", Default: "from now on", PerTap: true,
			Help: "Not available yet: begin with what passed before the tap opened.",
			parse: func(string) (string, *Error) {
				return "", problem("leave it out: a tap shows what passes from now on", "is not available yet")
			},
			set:  func(*Delivery, string) {},
			text: func(Delivery) string { return "0" },
		},
		{
			Name: "format", Value: "FORMAT", Default: string(FormatOTLPJSON), Example: "format=json",
			Help: "`otlp_json` (OTLP documents), `json` (a flat object for each item), `text` (a line for people), `otlp_proto` " +
				"(OTLP protobuf), `none` (nothing but the ledger; needs `stats`).",
			parse: oneOf(string(FormatOTLPJSON), string(FormatJSON), string(FormatText), string(FormatOTLPProto), string(FormatNone)),
			set:   func(d *Delivery, text string) { d.Format = Format(text) },
			text:  func(d Delivery) string { return string(d.Format) },
		},
		{
			Name: "envelope", Value: "true|false", Default: "false", Example: "envelope=true",
			Help:  "Adds point, time and number of items to each OTLP document. It has no effect on other formats.",
			parse: oneOf("true", "false"),
			set:   func(d *Delivery, text string) { d.Envelope = text == "true" },
			text:  func(d Delivery) string { return strconv.FormatBool(d.Envelope) },
		},
		{
			Name: "stats", Value: "DURATION", Default: "none", PerTap: true, Example: "stats=1s",
			Help:  "Puts the ledger on the stream: at the start, every period and at the end. At least 100ms.",
			parse: durationText(100*time.Millisecond, "1s"),
			set:   func(d *Delivery, text string) { d.Stats, _ = time.ParseDuration(text) },
			text:  func(d Delivery) string { return shortDuration(d.Stats) },
		},
		{
			Name: "max_message", Value: "BYTES", Default: strconv.Itoa(DefaultMaxMessage), Example: "max_message=1048576",
			Help:  "Larger batches are split at item boundaries. From 1024 to 16777216; one item larger than that is sent whole.",
			parse: integerText(MinMaxMessage, MaxMaxMessage, "write a number of bytes, or leave it out"),
			set:   func(d *Delivery, text string) { d.MaxMessage, _ = strconv.Atoi(text) },
			text:  func(d Delivery) string { return strconv.Itoa(d.MaxMessage) },
		},
	}
}

func optionNames() []string {
	options := Options()
	names := make([]string, len(options))
	for i, o := range options {
		names[i] = o.Name
	}
	return names
}
