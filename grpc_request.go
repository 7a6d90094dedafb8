package remotetapprocessor

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/remotetap/remotetapprocessor/internal/selection"
	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

const (
	// firstIgnorable is the first field number of a request that a server need not know.
	firstIgnorable = 1000
	// rpcMaxMessage is the size of documents that a request without max_message gets: large, since
	// there are no lines to keep short, and well below the 4 MiB that clients accept by default.
	rpcMaxMessage = 1 * mib
	// negation is what the names of fields begin with that exclude.
	negation = "not_"
	// attributesField is the field whose values have keys of their own.
	attributesField = "attributes"
	// attributePrefix is what the parameters of those begin with.
	attributePrefix = "attr."
)

// tapCall is the request of a call of Tap.
type tapCall struct {
	request   remotetapv1.TapRequest
	malformed error // it is no TapRequest
}

// selection is what the request asks for. The error is a *selection.Error.
func (c *tapCall) selection() (selection.Selection, error) {
	if c.malformed != nil {
		return selection.Selection{}, &selection.Error{
			Message: "the request is no remotetap.v1.TapRequest: " + c.malformed.Error(),
			Hint:    "use a client made from tap.proto, or gRPC reflection",
		}
	}
	query, err := queryOf(&c.request)
	if err != nil {
		return selection.Selection{}, err
	}
	sel, err := selection.Parse(query, selection.AllSignals())
	if err != nil {
		return selection.Selection{}, err
	}
	if f := sel.Delivery.Format; f != selection.FormatOTLPProto && f != selection.FormatNone {
		return selection.Selection{}, &selection.Error{
			Parameter: "format",
			Message:   "format: gRPC carries otlp_proto and none, not " + string(f),
			Hint:      "leave it out, or GET /v1/tap?format=" + string(f),
		}
	}
	return sel, nil
}

// queryOf writes a request as the query string that asks for the same. Field by field, whatever
// the fields are: what their values mean is the selection's to know.
func queryOf(request *remotetapv1.TapRequest) (url.Values, error) {
	if err := refuseUnknown(request.ProtoReflect()); err != nil {
		return nil, err
	}
	query := url.Values{
		"format":      {string(selection.FormatOTLPProto)},
		"max_message": {strconv.Itoa(rpcMaxMessage)},
	}
	for _, a := range request.GetAttributes() {
		if err := addAttribute(query, a); err != nil {
			return nil, err
		}
	}
	var failed error
	request.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Name() == attributesField {
			return true
		}
		texts, err := textsOf(field, value)
		if err != nil {
			failed = err
			return false
		}
		query[parameterOf(field)] = texts
		return true
	})
	return query, failed
}

// parameterOf is the query parameter of a field: its name, where not_NAME stands for NAME!, and
// the criteria with a dot in their names have an underscore.
func parameterOf(field protoreflect.FieldDescriptor) string {
	name, negated := strings.CutPrefix(string(field.Name()), negation)
	for _, c := range selection.Criteria() {
		if strings.ReplaceAll(c.Name, ".", "_") == name {
			name = c.Name
		}
	}
	if negated {
		name += "!"
	}
	return name
}

// fieldOf is what a refusal names instead of a parameter: its field, or the key of an attribute.
func fieldOf(parameter string) string {
	if key, ok := strings.CutPrefix(parameter, attributePrefix); ok {
		return key
	}
	for _, c := range selection.Criteria() {
		if c.Name == parameter {
			return strings.ReplaceAll(parameter, ".", "_")
		}
	}
	return parameter
}

// textsOf is the value of a field as the values of its parameter.
func textsOf(field protoreflect.FieldDescriptor, value protoreflect.Value) ([]string, error) {
	if field.IsList() {
		texts := make([]string, value.List().Len())
		for i := range texts {
			texts[i] = value.List().Get(i).String()
		}
		return texts, nil
	}
	switch field.Kind() {
	case protoreflect.DoubleKind:
		return []string{strconv.FormatFloat(value.Float(), 'f', -1, 64)}, nil
	case protoreflect.MessageKind:
		text, err := durationOf(string(field.Name()), value.Message())
		return []string{text}, err
	default: // text, bool, uint64
		return []string{value.String()}, nil
	}
}

// durationOf is a google.protobuf.Duration as text.
func durationOf(name string, message protoreflect.Message) (string, error) {
	d, ok := message.Interface().(*durationpb.Duration)
	if !ok { // tap.proto has no other messages there
		return "", &selection.Error{Parameter: name, Message: name + ": is no duration", Hint: "leave it out"}
	}
	if err := refuseUnknown(message); err != nil {
		return "", err
	}
	if err := d.CheckValid(); err != nil {
		return "", &selection.Error{Parameter: name, Message: name + ": " + err.Error(), Hint: `write a duration such as "1.5s"`}
	}
	return d.AsDuration().String(), nil
}

// addAttribute adds the parameter of an attribute.
func addAttribute(query url.Values, a *remotetapv1.AttributeCriterion) error {
	key := a.GetKey()
	if err := refuseUnknown(a.ProtoReflect()); err != nil {
		return err
	}
	if key == "" {
		return &selection.Error{Parameter: attributesField, Message: "attributes: one has no key", Hint: "write the attribute's key, such as http.route"}
	}
	if strings.HasSuffix(key, "!") || strings.Contains(key, "!=") {
		return &selection.Error{
			Parameter: attributesField,
			Message:   fmt.Sprintf("attributes: the key %q cannot end in ! or contain !=, which stand for a negation", key),
			Hint:      "use where, such as " + fmt.Sprintf("span.attributes[%q] == %q", key, a.GetValue()),
		}
	}
	parameter := attributePrefix + key
	if a.GetNot() {
		parameter += "!"
	}
	query[parameter] = append(query[parameter], a.GetValue())
	return nil
}

// refuseUnknown refuses fields that a later version of the protocol may have given a meaning: what
// is selected would not be what was asked for.
func refuseUnknown(message protoreflect.Message) error {
	for rest := message.GetUnknown(); len(rest) > 0; {
		number, _, n := protowire.ConsumeField(rest)
		if n < 0 { // proto.Unmarshal has checked it
			return &selection.Error{Message: "the request is malformed", Hint: "use a client made from tap.proto"}
		}
		if number < firstIgnorable {
			return &selection.Error{
				Message: fmt.Sprintf("this collector does not know field %d of %s", number, message.Descriptor().FullName()),
				Hint:    "leave it out, or use the collector's version of tap.proto, which gRPC reflection has",
			}
		}
		rest = rest[n:]
	}
	return nil
}
