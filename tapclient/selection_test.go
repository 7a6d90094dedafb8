package tapclient

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

// goName is the name of Selection's field for a field of TapRequest.
func goName(field protoreflect.FieldDescriptor) string {
	var name strings.Builder
	for word := range strings.SplitSeq(string(field.Name()), "_") {
		if word == "id" {
			name.WriteString("ID")
			continue
		}
		name.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return name.String()
}

// something sets a field of a Selection to a value that is not its zero.
func something(t *testing.T, field reflect.Value) {
	t.Helper()
	switch value := field.Addr().Interface().(type) {
	case *time.Duration:
		*value = 1500 * time.Millisecond
	case *[]string:
		*value = []string{"a", "b"}
	case *[]Signal:
		*value = []Signal{Traces, Logs}
	case *[]Attribute:
		*value = []Attribute{{Key: "k", Value: "v"}, {Key: "l", Value: "w", Not: true}}
	case **bool:
		*value = new(false)
	case *bool:
		*value = true
	case *string:
		*value = "a"
	case *Format:
		*value = FormatNone
	case *float64:
		*value = 0.5
	case *uint64:
		*value = 7
	default:
		t.Fatalf("there is no value for a %T", value)
	}
}

func TestEveryFieldOfTheRequestCanBeAskedForAndNoOtherIsThenSet(t *testing.T) {
	fields := (&remotetapv1.TapRequest{}).ProtoReflect().Descriptor().Fields()
	require.Equal(t, fields.Len(), reflect.TypeFor[Selection]().NumField(), "a field of Selection for each of TapRequest")
	for i := range fields.Len() {
		field := fields.Get(i)
		t.Run(string(field.Name()), func(t *testing.T) {
			var selection Selection
			target := reflect.ValueOf(&selection).Elem().FieldByName(goName(field))
			require.True(t, target.IsValid(), "Selection has no %s", goName(field))
			something(t, target)
			request := selection.request().ProtoReflect()
			set := 0
			request.Range(func(other protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
				set++
				return assert.Equal(t, field.Name(), other.Name())
			})
			require.Equal(t, 1, set)
		})
	}
}

func TestSelectionKeepsItsValuesOnTheWire(t *testing.T) {
	selection := Selection{
		NotService:  []string{"canary*", "*"},
		Signal:      []Signal{Traces, Profiles},
		MinDuration: 250 * time.Millisecond,
		Error:       new(false),
		Attributes:  []Attribute{{Key: "http.route", Value: "/pay"}, {Key: "retry", Value: "true", Not: true}},
		Sample:      0.1,
		Count:       3,
		Format:      FormatNone,
		Stats:       time.Second,
	}
	request := selection.request()
	require.Equal(t, []string{"canary*", "*"}, request.GetNotService())
	require.Equal(t, []string{"traces", "profiles"}, request.GetSignal())
	require.Equal(t, 250*time.Millisecond, request.GetMinDuration().AsDuration())
	require.NotNil(t, request.Error)
	require.False(t, request.GetError())
	require.Equal(t, "http.route", request.GetAttributes()[0].GetKey())
	require.Equal(t, "/pay", request.GetAttributes()[0].GetValue())
	require.False(t, request.GetAttributes()[0].GetNot())
	require.True(t, request.GetAttributes()[1].GetNot())
	require.InDelta(t, 0.1, request.GetSample(), 0)
	require.Equal(t, uint64(3), request.GetCount())
	require.Equal(t, "none", request.GetFormat())
	require.Equal(t, time.Second, request.GetStats().AsDuration())
}

func TestZeroSelectionAsksForEverything(t *testing.T) {
	require.Zero(t, proto.Size((&Selection{}).request()))
}

func TestSelectionThatNoServerWouldServeIsRefusedAtOnce(t *testing.T) {
	c, err := Dial(t.Context(), "localhost")
	require.NoError(t, err)
	defer c.Close()
	for name, wrong := range map[string]struct {
		selection Selection
		code      codes.Code
		parameter string
	}{
		"a negative duration":     {Selection{Duration: -time.Second}, codes.InvalidArgument, "duration"},
		"a negative min_duration": {Selection{MinDuration: -1}, codes.InvalidArgument, "min_duration"},
		"a negative stats":        {Selection{Stats: -1}, codes.InvalidArgument, "stats"},
		"a negative since":        {Selection{Since: -1}, codes.InvalidArgument, "since"},
		"more than fits":          {Selection{TraceID: []string{strings.Repeat("x", 70_000)}}, codes.ResourceExhausted, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Tap(t.Context(), wrong.selection)
			var refused *RefusedError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, wrong.code, refused.Code)
			require.Equal(t, wrong.parameter, refused.Parameter)
			require.NotEmpty(t, refused.Hint)
		})
	}
}
