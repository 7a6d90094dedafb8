package remotetapprocessor

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/remotetap/remotetapprocessor/internal/selection"
	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

// requestOf reads an encoded request as a call of Tap does.
func requestOf(t testing.TB, encoded []byte) (selection.Selection, error) {
	t.Helper()
	var call tapCall
	require.NoError(t, wireCodec{}.Unmarshal(encoded, &call), "what is wrong is the call's to say")
	return call.selection()
}

// refusedRequest expects that a request is refused.
func refusedRequest(t testing.TB, encoded []byte) *remotetapv1.Refusal {
	t.Helper()
	sel, err := requestOf(t, encoded)
	require.Error(t, err, "%s", sel)
	var wrong *selection.Error
	require.ErrorAs(t, err, &wrong)
	_, refused := refusalOf(t, asRefusal(err).rpcError())
	require.NotNil(t, refused)
	assert.NotEmpty(t, refused.GetError())
	assert.NotEmpty(t, refused.GetHint())
	return refused
}

func TestTheTablesAndTheRequestHaveTheSameFields(t *testing.T) {
	fields := new(remotetapv1.TapRequest).ProtoReflect().Descriptor().Fields()
	known := map[protoreflect.Name]bool{}
	check := func(name string, repeated bool, from, to protoreflect.FieldNumber) {
		field := fields.ByName(protoreflect.Name(strings.ReplaceAll(name, ".", "_")))
		if !assert.NotNil(t, field, "there is a field for %s", name) {
			return
		}
		known[field.Name()] = true
		assert.Equal(t, repeated, field.IsList(), "%s is repeated if it may be given again", name)
		assert.True(t, field.IsList() || field.HasPresence() || field.Kind() == protoreflect.StringKind, "%s can be left out", name)
		assert.True(t, from <= field.Number() && field.Number() < to, "%s has a number of its kind, not %d", name, field.Number())
	}
	for _, c := range selection.Criteria() {
		if c.Name == selection.AttributeName {
			check(attributesField, c.Repeats, 1, 100)
			assert.NotNil(t, fields.ByName(attributesField).Message().Fields().ByName("not"), "attributes can be negated")
			continue
		}
		check(c.Name, c.Repeats, 1, 100)
		if c.Negates {
			check(negation+c.Name, c.Repeats, 1, 100)
		}
	}
	for _, o := range selection.Options() {
		check(o.Name, false, 100, firstIgnorable)
	}
	for i := range fields.Len() {
		if field := fields.Get(i); field.Number() < firstIgnorable {
			assert.True(t, known[field.Name()], "%s is in a table, or it would select nothing", field.Name())
		}
	}
}

// sameRequests are requests with the query strings that ask for the same.
func sameRequests() []struct {
	request *remotetapv1.TapRequest
	query   string
} {
	attribute := func(key, value string, not bool) *remotetapv1.AttributeCriterion {
		return &remotetapv1.AttributeCriterion{Key: key, Value: value, Not: not}
	}
	return []struct {
		request *remotetapv1.TapRequest
		query   string
	}{
		{&remotetapv1.TapRequest{}, ""},
		{&remotetapv1.TapRequest{Point: []string{"remote_tap", "remote_tap/a*"}}, "point=remote_tap&point=remote_tap/a*"},
		{&remotetapv1.TapRequest{NotPoint: []string{"remote_tap/a?"}}, "point!=remote_tap/a%3F"},
		{&remotetapv1.TapRequest{Signal: []string{"traces", "logs"}}, "signal=traces&signal=logs"},
		{&remotetapv1.TapRequest{Service: []string{"a", "b&c=d"}}, "service=a&service=b%26c%3Dd"},
		{&remotetapv1.TapRequest{NotService: []string{"*"}}, "service!=*"},
		{&remotetapv1.TapRequest{Name: []string{"Payment"}}, "name=payment"},
		{&remotetapv1.TapRequest{NotName: []string{"a", "b"}}, "name!=a&name!=b"},
		{&remotetapv1.TapRequest{MinDuration: durationpb.New(1500 * time.Millisecond)}, "min_duration=1.5s"},
		{&remotetapv1.TapRequest{MinDuration: durationpb.New(1)}, "min_duration=1ns"},
		{&remotetapv1.TapRequest{Error: new(true)}, "error=true"},
		{&remotetapv1.TapRequest{Error: new(false)}, "error=false"},
		{&remotetapv1.TapRequest{Severity: "warn2"}, "severity=warn2"},
		{&remotetapv1.TapRequest{TraceId: []string{"4BF92F3577B34DA6A3CE929D0E0E4736"}}, "trace_id=4bf92f3577b34da6a3ce929d0e0e4736"},
		{&remotetapv1.TapRequest{NotTraceId: []string{"4bf92f3577b34da6a3ce929d0e0e4736"}}, "trace_id!=4bf92f3577b34da6a3ce929d0e0e4736"},
		{&remotetapv1.TapRequest{OtelStatusCode: []string{"ERROR", "OK"}}, "otel.status_code=ERROR&otel.status_code=OK"},
		{&remotetapv1.TapRequest{NotOtelStatusCode: []string{"UNSET"}}, "otel.status_code!=UNSET"},
		{
			&remotetapv1.TapRequest{Attributes: []*remotetapv1.AttributeCriterion{
				attribute("http.route", "/pay", false), attribute("http.route", "/buy", false), attribute("tier", "gold", true),
			}},
			"http.route=/pay&http.route=/buy&attr.tier!=gold",
		},
		{
			&remotetapv1.TapRequest{Attributes: []*remotetapv1.AttributeCriterion{
				attribute("signal", "x", false), attribute("otel.status_code", "y", false), attribute("attr.z", "", false), attribute("a=b &", "!=", true), attribute("a!b", "c", false),
			}},
			"attr.signal=x&attr.otel.status_code=y&attr.attr.z=&attr.a%3Db+%26!=!=&attr.a%21b=c",
		},
		{&remotetapv1.TapRequest{Sample: new(0.25)}, "sample=0.25"},
		{&remotetapv1.TapRequest{Sample: new(1e-9)}, "sample=0.000000001"},
		{&remotetapv1.TapRequest{Where: []string{`span.name == "a!=b"`, `span.kind.string == "Server"`}}, "where=span.name+%3D%3D+%22a!=b%22&where=span.kind.string+==+%22Server%22"},
		{&remotetapv1.TapRequest{Rate: new(0.5)}, "rate=0.5"},
		{&remotetapv1.TapRequest{Rate: new(1e6)}, "rate=1000000"},
		{&remotetapv1.TapRequest{Count: new(uint64(math.MaxInt64))}, "count=9223372036854775807"},
		{&remotetapv1.TapRequest{Duration: durationpb.New(time.Millisecond)}, "duration=1ms"},
		{&remotetapv1.TapRequest{Format: "otlp_proto"}, "format=otlp_proto"},
		{&remotetapv1.TapRequest{Format: "none", Stats: durationpb.New(time.Second)}, "format=none&stats=1s"},
		{&remotetapv1.TapRequest{Envelope: new(true)}, "envelope=true"},
		{&remotetapv1.TapRequest{Envelope: new(false)}, "envelope=false"},
		{&remotetapv1.TapRequest{Stats: durationpb.New(100 * time.Millisecond)}, "stats=100ms"},
		{&remotetapv1.TapRequest{MaxMessage: new(uint64(1024))}, "max_message=1024"},
		{&remotetapv1.TapRequest{MaxMessage: new(uint64(16 << 20))}, "max_message=16777216"},
		{
			&remotetapv1.TapRequest{Service: []string{"a"}, NotService: []string{"b"}, Error: new(true), Rate: new(3.0), Count: new(uint64(1))},
			"service=a&service!=b&error=true&rate=3&count=1",
		},
	}
}

func TestRequestSelectsWhatItsQueryStringSelects(t *testing.T) {
	// `since` is refused, over each transport: see below.
	covered := map[protoreflect.Name]bool{"since": true}
	for _, tt := range sameRequests() {
		t.Run("nothing but "+tt.query, func(t *testing.T) {
			query := tt.query
			if !strings.Contains(query, "format=") {
				query += "&format=otlp_proto"
			}
			if !strings.Contains(query, "max_message=") {
				query += "&max_message=1048576"
			}
			want, err := parseSelection(query, selection.AllSignals())
			require.NoError(t, err)
			got, err := requestOf(t, rawMessageOf(t, tt.request).bytes)
			require.NoError(t, err)
			assert.Equal(t, want.String(), got.String())
			assert.Equal(t, want.Signals(), got.Signals())
			assert.Equal(t, want.Delivery, got.Delivery)
		})
		tt.request.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
			covered[field.Name()] = true
			return true
		})
	}
	fields := new(remotetapv1.TapRequest).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		assert.True(t, covered[fields.Get(i).Name()], "%s is tested", fields.Get(i).Name())
	}
}

func TestRequestWithoutDeliveryHasTheDefaultsOfCalls(t *testing.T) {
	sel, err := requestOf(t, nil)
	require.NoError(t, err)
	assert.Equal(t, selection.Delivery{Format: selection.FormatOTLPProto, MaxMessage: 1 << 20}, sel.Delivery)
	assert.Equal(t, selection.AllSignals(), sel.Signals())
	assert.Empty(t, sel.Terms())
}

func TestRequestThatCannotBeServedIsRefusedWithItsField(t *testing.T) {
	attributes := func(key, value string) *remotetapv1.TapRequest {
		return &remotetapv1.TapRequest{Attributes: []*remotetapv1.AttributeCriterion{{Key: key, Value: value}}}
	}
	tests := []struct {
		name      string
		request   *remotetapv1.TapRequest
		parameter string
		message   string
	}{
		{"a signal that is none", &remotetapv1.TapRequest{Signal: []string{"spans"}}, "signal", `signal: "spans" is no signal`},
		{"an empty signal", &remotetapv1.TapRequest{Signal: []string{""}}, "signal", `signal: "" is no signal`},
		{"a trace id that is too short", &remotetapv1.TapRequest{TraceId: []string{"abc"}}, "trace_id", "trace_id: "},
		{"a trace id that is too short, to leave out", &remotetapv1.TapRequest{NotTraceId: []string{"abc"}}, "trace_id", "trace_id: "},
		{"a severity that is none", &remotetapv1.TapRequest{Severity: "loud"}, "severity", "severity: "},
		{"a status that is none", &remotetapv1.TapRequest{OtelStatusCode: []string{"BAD"}}, "otel_status_code", `otel.status_code: "BAD"`},
		{"a condition that is none", &remotetapv1.TapRequest{Where: []string{"true"}}, "where", "where: "},
		{"criteria that leave no signal", &remotetapv1.TapRequest{Severity: "warn", MinDuration: durationpb.New(1)}, "severity", "severity: selects from logs only"},
		{"a status of what is no span", &remotetapv1.TapRequest{Signal: []string{"logs"}, OtelStatusCode: []string{"OK"}}, "otel_status_code", "selects from traces only"},
		{"too many values", &remotetapv1.TapRequest{Name: make([]string, 257)}, "name", "there are more than 256 values"},
		{"a text that is too long", &remotetapv1.TapRequest{Name: []string{strings.Repeat("x", 4097)}}, "name", "longer than 4096 bytes"},

		{"an attribute without a key", attributes("", "x"), "attributes", "one has no key"},
		{"an attribute whose key ends as a negation does", attributes("important!", "x"), "attributes", `the key "important!"`},
		{"an attribute whose key is a negation", attributes("!", "x"), "attributes", `the key "!"`},
		{"an attribute whose key holds a negation", attributes("a!=b", "x"), "attributes", `the key "a!=b"`},
		{"an attribute whose key is too long", attributes(strings.Repeat("x", 4097), "x"), "", "longer than 4096 bytes"},
		{"an attribute's value that is too long", attributes("http.route", strings.Repeat("x", 4097)), "http.route", "longer than 4096 bytes"},
		{"the same, of a key without a dot", attributes("tier", strings.Repeat("x", 4097)), "tier", "longer than 4096 bytes"},

		{"no duration at all", &remotetapv1.TapRequest{MinDuration: &durationpb.Duration{}}, "min_duration", "min_duration: "},
		{"a negative duration", &remotetapv1.TapRequest{Duration: durationpb.New(-time.Second)}, "duration", "duration: "},
		{"a duration that is too short", &remotetapv1.TapRequest{Duration: durationpb.New(time.Microsecond)}, "duration", "duration: "},
		{"a duration beyond the calendar", &remotetapv1.TapRequest{Duration: &durationpb.Duration{Seconds: math.MaxInt64}}, "duration", "duration: "},
		{"nanoseconds of more than a second", &remotetapv1.TapRequest{Stats: &durationpb.Duration{Nanos: 1e9}}, "stats", "stats: "},
		{"seconds and nanoseconds that disagree", &remotetapv1.TapRequest{MinDuration: &durationpb.Duration{Seconds: 1, Nanos: -1}}, "min_duration", "min_duration: "},
		{"stats all the time", &remotetapv1.TapRequest{Stats: durationpb.New(99 * time.Millisecond)}, "stats", "stats: "},
		{"what is not available yet", &remotetapv1.TapRequest{Since: durationpb.New(time.Second)}, "since", "since: is not available yet"},

		{"a share that is no number", &remotetapv1.TapRequest{Sample: new(math.NaN())}, "sample", `sample: "NaN"`},
		{"a share of nothing", &remotetapv1.TapRequest{Sample: new(0.0)}, "sample", "sample: "},
		{"a share of less than nothing", &remotetapv1.TapRequest{Sample: new(math.Copysign(0, -1))}, "sample", "sample: "},
		{"a share of more than all", &remotetapv1.TapRequest{Sample: new(1.1)}, "sample", "sample: "},
		{"a share without end", &remotetapv1.TapRequest{Sample: new(math.Inf(1))}, "sample", "sample: "},
		{"a rate that is no number", &remotetapv1.TapRequest{Rate: new(math.NaN())}, "rate", "rate: "},
		{"a rate without end", &remotetapv1.TapRequest{Rate: new(math.Inf(1))}, "rate", "rate: "},
		{"a rate of nothing", &remotetapv1.TapRequest{Rate: new(0.0)}, "rate", "rate: "},
		{"a negative rate", &remotetapv1.TapRequest{Rate: new(-1.0)}, "rate", "rate: "},
		{"a count of nothing", &remotetapv1.TapRequest{Count: new(uint64(0))}, "count", "count: "},
		{"a count that is too large", &remotetapv1.TapRequest{Count: new(uint64(math.MaxUint64))}, "count", "count: "},
		{"documents that are too small", &remotetapv1.TapRequest{MaxMessage: new(uint64(1023))}, "max_message", "max_message: "},
		{"documents of nothing", &remotetapv1.TapRequest{MaxMessage: new(uint64(0))}, "max_message", "max_message: "},
		{"documents that are too large", &remotetapv1.TapRequest{MaxMessage: new(uint64(16<<20 + 1))}, "max_message", "max_message: "},

		{"a format that is none", &remotetapv1.TapRequest{Format: "xml"}, "format", `format: "xml" is not one of`},
		{"OTLP/JSON", &remotetapv1.TapRequest{Format: "otlp_json"}, "format", "format: gRPC carries otlp_proto and none, not otlp_json"},
		{"flat JSON", &remotetapv1.TapRequest{Format: "json"}, "format", "format: gRPC carries otlp_proto and none, not json"},
		{"text", &remotetapv1.TapRequest{Format: "text"}, "format", "format: gRPC carries otlp_proto and none, not text"},
		{"no ledger where there is nothing else", &remotetapv1.TapRequest{Format: "none"}, "format", "none delivers nothing without stats"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			refused := refusedRequest(t, rawMessageOf(t, tt.request).bytes)
			assert.Equal(t, tt.parameter, refused.GetParameter())
			assert.Contains(t, refused.GetError(), tt.message)
		})
	}
}

func TestDurationThatGoCannotHoldIsItsLongest(t *testing.T) {
	// 300 years. 10,000 are google.protobuf.Duration's own limit.
	sel, err := requestOf(t, rawMessageOf(t, &remotetapv1.TapRequest{Duration: &durationpb.Duration{Seconds: 300 * 366 * 86400}}).bytes)
	require.NoError(t, err)
	assert.Equal(t, time.Duration(math.MaxInt64), sel.Delivery.Duration)
}

// field is an encoded field with a number.
func field(number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), value)
}

// The numbers of fields that have messages of their own.
const (
	fieldMinDuration = 8
	fieldAttributes  = 15
)

func TestUnknownFieldsBelow1000AreRefusedWithTheirNumber(t *testing.T) {
	tests := []struct {
		name    string
		encoded []byte
		refused string
	}{
		{"the next criterion", field(18, []byte("x")), "field 18 of remotetap.v1.TapRequest"},
		{"the next option", protowire.AppendVarint(protowire.AppendTag(nil, 108, protowire.VarintType), 1), "field 108 of remotetap.v1.TapRequest"},
		{"the last number that counts", field(999, nil), "field 999 of remotetap.v1.TapRequest"},
		{"the first that may be ignored", field(1000, []byte("x")), ""},
		{"the largest", field(protowire.MaxValidNumber, nil), ""},
		{"one that counts behind one that does not", append(field(1000, nil), field(20, nil)...), "field 20 of remotetap.v1.TapRequest"},
		{"a group", protowire.AppendTag(protowire.AppendTag(nil, 30, protowire.StartGroupType), 30, protowire.EndGroupType), "field 30 of remotetap.v1.TapRequest"},
		{"a fixed number", protowire.AppendFixed64(protowire.AppendTag(nil, 31, protowire.Fixed64Type), 1), "field 31 of remotetap.v1.TapRequest"},
		{"a known number with a value of another kind", protowire.AppendVarint(protowire.AppendTag(nil, 4, protowire.VarintType), 1), "field 4 of remotetap.v1.TapRequest"},
		{"in an attribute", field(fieldAttributes, append(field(1, []byte("a.b")), field(4, nil)...)), "field 4 of remotetap.v1.AttributeCriterion"},
		{"in an attribute, one that may be ignored", field(fieldAttributes, append(field(1, []byte("a.b")), field(1000, nil)...)), ""},
		{"in a duration", field(fieldMinDuration, append([]byte{1 << 3, 5}, field(3, nil)...)), "field 3 of google.protobuf.Duration"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.refused == "" {
				_, err := requestOf(t, tt.encoded)
				require.NoError(t, err)
				return
			}
			refused := refusedRequest(t, tt.encoded)
			assert.Equal(t, "this collector does not know "+tt.refused, refused.GetError())
			assert.Contains(t, refused.GetHint(), "gRPC reflection")
		})
	}
}

func TestBytesThatAreNoRequestAreRefused(t *testing.T) {
	tests := []struct {
		name    string
		encoded []byte
	}{
		{"a tag without a value", []byte{4<<3 | 2}},
		{"a text that ends early", []byte{4<<3 | 2, 5, 'a'}},
		{"the field number zero", []byte{0, 0}},
		{"a wire type that there is not", []byte{4<<3 | 7, 0}},
		{"a number that does not end", []byte{101<<3&0x7f | 0x80, 6, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		{"JSON", []byte(`{"service":["checkout"]}`)},
		{"a text that is no UTF-8", field(4, []byte("caf\xe9"))},
		{"an attribute's key that is no UTF-8", field(fieldAttributes, field(1, []byte("caf\xe9")))},
		{"a duration that is cut off", field(fieldMinDuration, []byte{1 << 3})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			refused := refusedRequest(t, tt.encoded)
			assert.Contains(t, refused.GetError(), "the request is no remotetap.v1.TapRequest: ")
			assert.Empty(t, refused.GetParameter())
		})
	}
}

// FuzzTapRequest holds any bytes against what a call promises: a refusal in words, or a selection
// that its query string gives again.
func FuzzTapRequest(f *testing.F) {
	for _, same := range sameRequests() {
		f.Add(rawMessageOf(f, same.request).bytes)
	}
	f.Add(field(18, nil))
	f.Add(field(1000, []byte{0xff}))
	f.Add(field(fieldAttributes, append(field(1, []byte("a!=b")), field(4, nil)...)))
	f.Add(field(fieldMinDuration, []byte{1 << 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}))
	f.Add([]byte(`{"service":["checkout"]}`))
	f.Fuzz(func(t *testing.T, encoded []byte) {
		sel, err := requestOf(t, encoded)
		if err != nil {
			wrong, ok := errors.AsType[*selection.Error](err)
			require.True(t, ok, "%T", err)
			_, refused := refusalOf(t, asRefusal(wrong).rpcError())
			require.NotEmpty(t, refused.GetError())
			return
		}
		require.Contains(t, []selection.Format{selection.FormatOTLPProto, selection.FormatNone}, sel.Delivery.Format)
		again, err := parseSelection(sel.String(), selection.AllSignals())
		require.NoError(t, err, "%s", sel)
		require.Equal(t, sel.String(), again.String())
		require.Equal(t, sel.Delivery, again.Delivery)
		require.Equal(t, sel.Signals(), again.Signals())
		var request remotetapv1.TapRequest
		require.NoError(t, proto.Unmarshal(encoded, &request), "only what is a request is served")
	})
}

func TestCompressedMessageThatIsTooLargeIsNotDecompressedToItsEnd(t *testing.T) {
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	_, err := w.Write(make([]byte, 16*mib))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	r := newGzipReader()
	for range 2 { // connect uses it again and again
		require.NoError(t, r.Reset(bytes.NewReader(bomb.Bytes())))
		n, err := io.Copy(io.Discard, r)
		require.ErrorContains(t, err, "64 KiB")
		assert.EqualValues(t, maxRequest+1, n)
	}
}
