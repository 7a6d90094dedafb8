package format

import (
	"fmt"
	"slices"
	"time"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// Format is the form in which a client gets its items: the values of the parameter `format`.
type Format uint8

// The formats. docs/formats.md describes them and has an example of each.
const (
	OTLPJSON  Format = iota // OTLP/JSON documents, each of many items
	JSON                    // one flat JSON object for each item
	Text                    // one line for people for each item
	OTLPProto               // OTLP protobuf documents, each of many items
	None                    // nothing; the items are only counted

	// NumFormats is the number of formats.
	NumFormats = iota
)

// String returns the format's name as users write it, for example "otlp_json".
func (f Format) String() string {
	if int(f) >= NumFormats {
		return "unknown"
	}
	return Names()[f]
}

// Names returns the names of all formats, by Format.
func Names() []string { return []string{"otlp_json", "json", "text", "otlp_proto", "none"} }

// Parse returns the format with a name. The error says which names there are.
func Parse(name string) (Format, error) {
	if i := slices.Index(Names(), name); i >= 0 {
		return Format(i), nil
	}
	return 0, fmt.Errorf("%q is no format: write one of %q", name, Names())
}

// Binary reports whether messages are protobuf: binary messages on a WebSocket, with AppendLength before each in a
// stream of bytes. Messages of other formats are one line of UTF-8 without its newline.
func (f Format) Binary() bool { return f == OTLPProto }

// Envelopes reports whether the format has a place for the envelope.
func (f Format) Envelopes() bool { return f == OTLPJSON || f == OTLPProto }

// Options are what all batches of a view have in common.
type Options struct {
	// MaxMessage is the size in bytes that messages should not exceed; 0 for no limit. Documents are split between
	// items, lines of text are cut. An item that is larger by itself, in any other format, is sent whole.
	MaxMessage int
	// HardLimit is the size in bytes that no message exceeds; 0 for no limit. It protects memory: an item of which
	// the message would be larger even alone is left out and counted in Renderer.TooLarge.
	HardLimit int
	// Envelope adds the batch's point and time, and the number of items, to each OTLP document.
	Envelope bool
}

// Batch is one captured batch.
type Batch struct {
	Signal otlp.Signal
	// Proto is the protobuf of a TracesData, MetricsData, LogsData or ProfilesData. It is not modified, and must not
	// be by others until Renderer.Next has returned false or an error; if it was shared, until the message is sent.
	Proto []byte
	// Point is the id of the tap point where the batch passed, Time when it did.
	Point string
	Time  time.Time
}

// Renderer turns batches into messages, one message at a time:
//
//	r := format.New(format.Text, format.Options{MaxMessage: 65536, HardLimit: 4 << 20})
//	r.Reset(batch)
//	for {
//		message, items, ok, err := r.Next(buf[:0])
//		if err != nil || !ok { break }
//		...
//	}
//
// Call Reset before first use. No method blocks. A Renderer allocates nothing once it has seen a similar batch; the
// memory that it keeps besides is bounded by the largest item and its enclosing messages. Not safe for concurrent use.
type Renderer interface {
	// Reset starts a new batch, and forgets the one before.
	Reset(b Batch)
	// Next appends the next message to dst and returns the result with the number of items in the message, which
	// may be 0 for a document. ok is false when there are no more. An error means that the batch is malformed, which
	// pdata's marshalers never produce: what has not been returned before is lost, and further calls return false.
	Next(dst []byte) (message []byte, items int, ok bool, err error)
	// TooLarge returns the number of items that were left out since Reset because of the hard limit.
	TooLarge() int
}

// Sharer is a Renderer that may need no copy of a batch: OTLPProto's is one.
type Sharer interface {
	Renderer
	// Share reports whether Batch.Proto as it is makes the one message of the batch, and the number of items in it.
	// Then Next has nothing more. Call it after Reset, before Next.
	Share() (items int, ok bool)
}

// New returns a Renderer. It panics on a value that is no Format.
func New(f Format, o Options) Renderer {
	return [NumFormats]func(Options) Renderer{
		OTLPJSON:  func(o Options) Renderer { return &documents{options: o} },
		JSON:      func(o Options) Renderer { return newFlat(o) },
		Text:      func(o Options) Renderer { return newText(o) },
		OTLPProto: func(o Options) Renderer { return &protoSplitter{options: o} },
		None:      func(Options) Renderer { return &counter{} },
	}[f](o)
}

// documents is the Renderer of OTLPJSON.
type documents struct {
	Splitter
	options Options
}

// Reset starts a new batch.
func (d *documents) Reset(b Batch) {
	size := min(orUnlimited(d.options.MaxMessage), orUnlimited(d.options.HardLimit))
	d.Splitter.Reset(b.Signal, b.Proto, size, d.options.HardLimit)
	if d.options.Envelope {
		d.envelop(b.Point, b.Time)
	}
}

// counter is the Renderer of None: each batch is one message of no bytes with all its items.
type counter struct {
	batch Batch
	left  bool
}

// Reset starts a new batch.
func (c *counter) Reset(b Batch) { c.batch, c.left = b, true }

// Next returns the one message.
func (c *counter) Next(dst []byte) (message []byte, items int, ok bool, err error) {
	if !c.left {
		return dst, 0, false, nil
	}
	items = c.batch.Signal.Message().CountItems(c.batch.Proto)
	*c = counter{}
	return dst, items, true, nil
}

// TooLarge returns 0.
func (c *counter) TooLarge() int { return 0 }
