package remotetapprocessor

import (
	"encoding/binary"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

// The fields of TapResponse and Envelope that heads are made of.
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

// prefixSize is the size of what goes before a message in gRPC, gRPC-Web and Connect alike: a byte
// of flags, 0 for one that is not compressed, and the size.
// Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
const prefixSize = 5

// appendHead appends what goes before a rendered OTLP document in a response: the prefix, the
// envelope, and the document's tag and length.
func appendHead(dst []byte, e *entry) []byte {
	point, document := e.source.point.String(), e.message()
	size := protowire.SizeTag(fieldPoint) + protowire.SizeBytes(len(point)) +
		protowire.SizeTag(fieldTime) + protowire.SizeFixed64() +
		protowire.SizeTag(fieldItems) + protowire.SizeVarint(uint64(e.items))
	start := len(dst)
	dst = append(dst, make([]byte, prefixSize)...)
	dst = protowire.AppendTag(dst, fieldEnvelope, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(size))
	dst = protowire.AppendTag(dst, fieldPoint, protowire.BytesType)
	dst = protowire.AppendString(dst, point)
	dst = protowire.AppendTag(dst, fieldTime, protowire.Fixed64Type)
	dst = protowire.AppendFixed64(dst, uint64(e.time.UnixNano()))
	dst = protowire.AppendTag(dst, fieldItems, protowire.VarintType)
	dst = protowire.AppendVarint(dst, uint64(e.items))
	dst = protowire.AppendTag(dst, documentField(e.source.signal), protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(len(document)))
	binary.BigEndian.PutUint32(dst[start+1:], uint32(len(dst)-start-prefixSize+len(document)))
	return dst
}

// wireCodec is connect's protobuf codec, but keeps what is wrong with a request of Tap, which is then
// refused like any other selection.
type wireCodec struct{}

// Name returns the name by which content types know the codec.
func (wireCodec) Name() string { return "proto" }

// Marshal encodes a message into a new slice.
func (c wireCodec) Marshal(message any) ([]byte, error) { return c.MarshalAppend(nil, message) }

// MarshalAppend appends an encoded message.
func (wireCodec) MarshalAppend(dst []byte, message any) ([]byte, error) {
	m, ok := message.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is no protobuf message", message)
	}
	return proto.MarshalOptions{}.MarshalAppend(dst, m)
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
