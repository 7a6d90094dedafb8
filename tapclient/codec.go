package tapclient

import (
	"fmt"
	"slices"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

// The numbers of TapResponse's fields.
const (
	fieldEnvelope protowire.Number = 1
	fieldTraces   protowire.Number = 2
	fieldMetrics  protowire.Number = 3
	fieldLogs     protowire.Number = 4
	fieldProfiles protowire.Number = 5
	fieldStats    protowire.Number = 6
	fieldEnd      protowire.Number = 7
)

// response is a TapResponse whose OTLP document is left as the bytes that it came in: decoding it
// is up to those who want pdata, and is then done once.
type response struct {
	envelope *remotetapv1.Envelope // nil if there is none
	content  protowire.Number      // the field of the oneof that is set; 0 if none is
	document []byte                // if content is a signal's
	stats    *remotetapv1.Stats    // if content is fieldStats
	end      *remotetapv1.End      // if content is fieldEnd
}

// signal is the document's; "" if there is none.
func (r *response) signal() Signal {
	switch r.content {
	case fieldTraces:
		return Traces
	case fieldMetrics:
		return Metrics
	case fieldLogs:
		return Logs
	case fieldProfiles:
		return Profiles
	default:
		return ""
	}
}

// parse reads an encoded TapResponse as protobuf does: of a oneof the last field counts, and a
// message that comes in parts is their concatenation. It keeps the slice.
func (r *response) parse(message []byte) error {
	var envelope, content []byte
	hasEnvelope := false
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		if kind != protowire.BytesType || number > fieldEnd {
			if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
				return protowire.ParseError(n)
			}
			message = message[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		switch {
		case number == fieldEnvelope:
			envelope, hasEnvelope = joined(envelope, value), true
		case number == r.content && number != fieldProfiles: // profiles are bytes, not yet a message
			content = joined(content, value)
		default:
			r.content, content = number, value
		}
	}
	if hasEnvelope {
		r.envelope = &remotetapv1.Envelope{}
		if err := proto.Unmarshal(envelope, r.envelope); err != nil {
			return err
		}
	}
	return r.setContent(content)
}

func (r *response) setContent(content []byte) error {
	switch r.content {
	case fieldStats:
		r.stats = &remotetapv1.Stats{}
		return proto.Unmarshal(content, r.stats)
	case fieldEnd:
		r.end = &remotetapv1.End{}
		return proto.Unmarshal(content, r.end)
	default:
		r.document = content
		return nil
	}
}

// joined concatenates without changing either.
func joined(a, b []byte) []byte {
	if len(a) == 0 {
		return b
	}
	return slices.Concat(a, b)
}

// codec encodes requests as protobuf does and reads responses with response.parse. It has no state.
type codec struct{}

var _ encoding.CodecV2 = codec{}

// Name is the subtype of the content type: on the wire this is protobuf like any other.
func (codec) Name() string { return "proto" }

// Marshal encodes a protobuf message.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	message, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("cannot send a %T", v)
	}
	encoded, err := proto.Marshal(message)
	return mem.BufferSlice{mem.SliceBuffer(encoded)}, err
}

// Unmarshal reads a response. gRPC uses the buffers again, so the response keeps a copy.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	r, ok := v.(*response)
	if !ok {
		return fmt.Errorf("cannot receive a %T", v)
	}
	return r.parse(data.Materialize())
}
