package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

// The paths of the service's methods, and of gRPC reflection.
const (
	tapMethod     = "/remotetap.v1.TapService/Tap"
	pointsMethod  = "/remotetap.v1.TapService/ListPoints"
	reflection    = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
	oldReflection = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
)

// protocol is a way to call a method, written by hand so that the tests see every byte.
type protocol struct {
	name      string
	transport string // as /v1/points calls it
	version   int    // of HTTP
	mediaType string // of a stream of protobuf
}

func protocols() []protocol {
	return []protocol{
		{"gRPC", "grpc", 2, "application/grpc+proto"},
		{"gRPC-Web over HTTP 1.1", "grpc_web", 1, "application/grpc-web+proto"},
		{"gRPC-Web over HTTP 2", "grpc_web", 2, "application/grpc-web+proto"},
		{"Connect over HTTP 1.1", "connect", 1, "application/connect+proto"},
		{"Connect over HTTP 2", "connect", 2, "application/connect+proto"},
	}
}

// everyKind are all ways to watch, calls included.
func everyKind() []kind {
	all := kinds()
	for _, p := range protocols() {
		all = append(all, kind{p.name, p.transport, p.open})
	}
	return all
}

// status is how a call ended, in Connect's words.
type status struct {
	code     string // such as unauthenticated
	message  string
	metadata http.Header // of the header and the trailer
}

func (s *status) Error() string { return s.code + ": " + s.message }

// call is a call whose response is being read.
type call struct {
	protocol protocol
	response *http.Response
	body     *bufio.Reader
	hangUp   func()
}

// call calls a method with one message.
func (c *collector) call(p protocol, method string, message []byte, header http.Header) (*call, error) {
	ctx, cancel := context.WithCancel(context.Background())
	body := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url("http", method), bytes.NewReader(body))
	if err != nil {
		cancel()
		return nil, err
	}
	request.Close = true // the server counts connections
	request.Header = header.Clone()
	request.Host = header.Get("Host")
	request.Header.Del("Host")
	request.Header.Set("Content-Type", p.mediaType)
	if p.transport == "grpc" {
		request.Header.Set("Te", "trailers")
	}
	client := c.httpClient(p.version)
	response, err := client.Do(request) //nolint:bodyclose // hangUp does
	if err != nil {
		cancel()
		return nil, err
	}
	return &call{protocol: p, response: response, body: bufio.NewReader(response.Body), hangUp: func() {
		cancel()
		response.Body.Close()
		client.CloseIdleConnections()
	}}, nil
}

// next returns the next message, or a *status, or io.EOF for a call that ended well.
func (c *call) next() ([]byte, error) {
	if c.response.StatusCode != http.StatusOK {
		return nil, refusalOf(c.response)
	}
	if code := c.response.Header.Get("Grpc-Status"); code != "" {
		return nil, statusOf(c.response.Header)
	}
	head := make([]byte, 5)
	if _, err := io.ReadFull(c.body, head); err != nil {
		if errors.Is(err, io.EOF) && c.protocol.transport == "grpc" {
			return nil, statusOf(c.response.Header, c.response.Trailer)
		}
		return nil, err
	}
	payload := make([]byte, binary.BigEndian.Uint32(head[1:]))
	if _, err := io.ReadFull(c.body, payload); err != nil {
		return nil, err
	}
	switch head[0] {
	case 0:
		return payload, nil
	case 2: // Connect's end of a stream
		return nil, connectStatus(payload, c.response.Header)
	case 128: // gRPC-Web's trailers
		trailers, err := textproto.NewReader(bufio.NewReader(io.MultiReader(bytes.NewReader(payload), strings.NewReader("\r\n")))).ReadMIMEHeader()
		if err != nil {
			return nil, err
		}
		return nil, statusOf(c.response.Header, http.Header(trailers))
	default:
		return nil, fmt.Errorf("a frame with the flags %x", head[0])
	}
}

// statusOf reads the status of gRPC and gRPC-Web.
func statusOf(headers ...http.Header) error {
	s := &status{metadata: http.Header{}}
	for _, header := range headers {
		for name, values := range header {
			s.metadata[http.CanonicalHeaderKey(name)] = values
		}
	}
	number := s.metadata.Get("Grpc-Status")
	if number == "0" {
		return io.EOF
	}
	s.message = s.metadata.Get("Grpc-Message")
	s.code = map[string]string{
		"3": "invalid_argument", "7": "permission_denied", "8": "resource_exhausted", "12": "unimplemented",
		"13": "internal", "14": "unavailable", "16": "unauthenticated",
	}[number]
	if s.code == "" {
		s.code = "status " + number
	}
	return s
}

// connectStatus reads the end of a stream of Connect.
func connectStatus(payload []byte, header http.Header) error {
	var end struct {
		Error *struct{ Code, Message string }
	}
	switch err := json.Unmarshal(payload, &end); {
	case err != nil:
		return err
	case end.Error == nil:
		return io.EOF
	}
	return &status{code: end.Error.Code, message: end.Error.Message, metadata: header}
}

// callConnection is an open tap over a call. Its messages are OTLP/JSON documents of one item each.
type callConnection struct {
	call  *call
	items []string // of the last response, not yet read
}

// open opens a tap; path says which signal, as it does for the other kinds.
func (p protocol) open(c *collector, path string, header http.Header) (connection, error) {
	// The account, once at the beginning, tells an open tap from a refused one on every protocol.
	request := &remotetapv1.TapRequest{Stats: durationpb.New(time.Hour)}
	if name := strings.TrimPrefix(path, "/v1/"); name != "tap" && name != "/" {
		request.Signal = []string{name}
	}
	message, err := proto.Marshal(request)
	if err != nil {
		return nil, err
	}
	call, err := c.call(p, tapMethod, message, header)
	if err != nil {
		return nil, err
	}
	if _, err := call.next(); err != nil {
		call.hangUp()
		return nil, err
	}
	return &callConnection{call: call}, nil
}

func (c *callConnection) read() ([]byte, error) {
	for len(c.items) == 0 {
		message, err := c.call.next()
		if err != nil {
			return nil, err
		}
		var response remotetapv1.TapResponse
		if err := proto.Unmarshal(message, &response); err != nil {
			return nil, err
		}
		if c.items, err = itemsIn(&response); err != nil {
			return nil, err
		}
	}
	item := c.items[0]
	c.items = c.items[1:]
	return []byte(item), nil
}

func (c *callConnection) close() { c.call.hangUp() }

// itemsIn takes the OTLP document of a response apart; a response without one has no items.
func itemsIn(response *remotetapv1.TapResponse) ([]string, error) {
	var s signal
	var document proto.Message
	switch content := response.GetContent().(type) {
	case *remotetapv1.TapResponse_Traces:
		s, document = traces(), content.Traces
	case *remotetapv1.TapResponse_Metrics:
		s, document = metrics(), content.Metrics
	case *remotetapv1.TapResponse_Logs:
		s, document = logs(), content.Logs
	default:
		return nil, nil
	}
	encoded, err := proto.Marshal(document)
	if err != nil {
		return nil, err
	}
	return s.itemsOfProto(encoded)
}

// requireCallRefused expects a call to end with a status, without a message.
func requireCallRefused(t *testing.T, c *collector, p protocol, method, code string, header ...string) *status {
	t.Helper()
	call, err := c.call(p, method, nil, headerOf(header))
	require.NoError(t, err, p.name)
	defer call.hangUp()
	_, err = call.next()
	var refused *status
	require.ErrorAs(t, err, &refused, p.name)
	require.Equal(t, code, refused.code, "%s: %s", p.name, refused.message)
	return refused
}

// servicesListed asks gRPC reflection for the services.
func (c *collector) servicesListed(p protocol, path string, header ...string) (string, error) {
	call, err := c.call(p, path, []byte{0x3a, 0}, headerOf(header)) // list_services = ""
	if err != nil {
		return "", err
	}
	defer call.hangUp()
	answer, err := call.next()
	return string(answer), err
}

// postJSON calls a method with JSON, as fetch in a page does, and returns the whole answer.
func (c *collector) postJSON(version int, method string, header ...string) *refusal {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url("http", method), strings.NewReader("{}"))
	require.NoError(c.t, err)
	request.Close = true // the server counts connections
	request.Header = headerOf(append([]string{"Content-Type", "application/json"}, header...))
	request.Host = request.Header.Get("Host")
	response, err := c.httpClient(version).Do(request)
	require.NoError(c.t, err)
	defer response.Body.Close()
	return refusalOf(response)
}
