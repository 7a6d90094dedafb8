package remotetapprocessor

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

// grpcFrame is a TapResponse on its way to the wire: a message, or a rendered OTLP document, which is
// copied as it is, behind the bytes of the fields around it.
type grpcFrame struct {
	message  *remotetapv1.TapResponse // stats, end; nil: a document
	head     []byte                   // the envelope, and the tag and length of the document
	document []byte                   // it is the view's: never changed, nor kept after the write
}

// The fields of TapResponse and Envelope that frames are made of.
const (
	fieldEnvelope = 1

	fieldPoint = 1
	fieldTime  = 2
	fieldItems = 3
)

// documentField is the field of TapResponse for a signal's documents.
func documentField(signal otlp.Signal) protowire.Number {
	return [otlp.NumSignals]protowire.Number{otlp.Traces: 2, otlp.Metrics: 3, otlp.Logs: 4, otlp.Profiles: 5}[signal]
}

// telemetry makes the frame of a rendered OTLP document.
func (f *grpcFrame) telemetry(e *entry) {
	point := e.source.point.String()
	size := protowire.SizeTag(fieldPoint) + protowire.SizeBytes(len(point)) +
		protowire.SizeTag(fieldTime) + protowire.SizeFixed64() +
		protowire.SizeTag(fieldItems) + protowire.SizeVarint(uint64(e.items))
	head := protowire.AppendTag(f.head[:0], fieldEnvelope, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(size))
	head = protowire.AppendTag(head, fieldPoint, protowire.BytesType)
	head = protowire.AppendString(head, point)
	head = protowire.AppendTag(head, fieldTime, protowire.Fixed64Type)
	head = protowire.AppendFixed64(head, uint64(e.time.UnixNano()))
	head = protowire.AppendTag(head, fieldItems, protowire.VarintType)
	head = protowire.AppendVarint(head, uint64(e.items))
	head = protowire.AppendTag(head, documentField(e.source.signal), protowire.BytesType)
	f.document = e.message()
	f.head = protowire.AppendVarint(head, uint64(len(f.document)))
	f.message = nil
}

// append appends the encoded TapResponse.
func (f *grpcFrame) append(dst []byte) ([]byte, error) {
	if f.message != nil {
		return proto.MarshalOptions{}.MarshalAppend(dst, f.message)
	}
	dst = slices.Grow(dst, len(f.head)+len(f.document))
	return append(append(dst, f.head...), f.document...), nil
}

// wireCodec is connect's protobuf codec for messages, for frames, which it copies, and for
// requests of Tap, of which it keeps what is wrong with them. connect puts what Marshal returns
// into a pool of buffers, so it must never return bytes that others read.
type wireCodec struct{}

// Name returns the name by which content types know the codec.
func (wireCodec) Name() string { return "proto" }

// Marshal encodes a message into a new slice.
func (c wireCodec) Marshal(message any) ([]byte, error) { return c.MarshalAppend(nil, message) }

// MarshalAppend appends an encoded message.
func (wireCodec) MarshalAppend(dst []byte, message any) ([]byte, error) {
	switch m := message.(type) {
	case *grpcFrame:
		return m.append(dst)
	case proto.Message:
		return proto.MarshalOptions{}.MarshalAppend(dst, m)
	default:
		return nil, fmt.Errorf("%T is no protobuf message", message)
	}
}

// Unmarshal decodes a message.
func (wireCodec) Unmarshal(data []byte, message any) error {
	switch m := message.(type) {
	case *tapCall:
		m.malformed = proto.Unmarshal(data, &m.request)
		return nil
	case proto.Message:
		return proto.Unmarshal(data, m)
	default:
		return fmt.Errorf("%T is no protobuf message", message)
	}
}

// proto is the account as a message.
func (l *ledger) proto() *remotetapv1.Ledger {
	return &remotetapv1.Ledger{
		Since: timestamppb.New(l.since), Now: timestamppb.New(l.now),
		Seen: l.seen, Skipped: l.skipped, Unmatched: l.unmatched, Matched: l.matched,
		Sent: l.sent, Pending: l.pending, Dropped: l.droppedByReason(), EvalErrors: l.evalErrors, Bytes: l.bytes,
	}
}

// proto is the report as a message.
func (r *report) proto() *remotetapv1.Stats {
	return &remotetapv1.Stats{Ledger: r.ledger.proto(), Points: r.points, Limits: r.limits.proto(), Hints: r.hints}
}

func (l limits) proto() *remotetapv1.Limits {
	return &remotetapv1.Limits{
		Limit:          uint32(l.taps),
		ItemsPerSecond: l.perTap.ItemsPerSecond,
		MibPerSecond:   l.perTap.MiBPerSecond,
		QueueMib:       uint32(l.perTap.QueueMiB),
		MaxDuration:    durationpb.New(l.perTap.MaxDuration),
		MaxOverhead:    l.maxOverhead,
	}
}

// listPoints is what GET /v1/points says, as a message.
func (s *server) listPoints(now time.Time) *remotetapv1.ListPointsResponse {
	state := s.broadcaster.snapshot()
	answer := &remotetapv1.ListPointsResponse{Version: s.version, Limits: s.broadcaster.limits().proto()}
	for _, point := range pointsOf(state, now) {
		rates := map[string]float64{}
		for signal, rate := range point.Rates {
			if rate != nil {
				rates[signal] = *rate
			}
		}
		answer.Points = append(answer.Points, &remotetapv1.Point{Point: point.Point, Signals: point.Signals, Rates: rates})
	}
	for _, t := range state.taps {
		account := t.ledger(now)
		answer.Taps = append(answer.Taps, &remotetapv1.OpenTap{
			Id:        t.id,
			Remote:    t.client.remote,
			Subject:   t.client.subject,
			UserAgent: t.client.userAgent,
			Transport: t.client.transport,
			Selection: t.asked,
			Ledger:    account.proto(),
		})
	}
	return answer
}
