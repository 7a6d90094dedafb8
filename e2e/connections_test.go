package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	coder "github.com/coder/websocket"
	xnet "golang.org/x/net/websocket"
)

// xnetConnection is a WebSocket of golang.org/x/net/websocket. That library does not tell how the
// other side closed.
type xnetConnection struct{ conn *xnet.Conn }

func openXNet(c *collector, path string, header http.Header) (connection, error) {
	origin := header.Get("Origin")
	if origin == "" {
		origin = c.url("http", "") // this library always sends one
	}
	config, err := xnet.NewConfig(c.url("ws", path), origin)
	if err != nil {
		return nil, err
	}
	config.Header = header
	config.Header.Del("Origin")
	conn, err := c.dial(context.Background(), "http/1.1")
	if err != nil {
		return nil, err
	}
	late := time.AfterFunc(patience, func() { _ = conn.Close() })
	socket, err := xnet.NewClient(config, conn)
	late.Stop()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return xnetConnection{socket}, nil
}

func (c xnetConnection) read() ([]byte, error) {
	var message []byte
	err := xnet.Message.Receive(c.conn, &message)
	return message, err
}

func (c xnetConnection) close() { _ = c.conn.Close() }

// coderConnection is a WebSocket of github.com/coder/websocket.
type coderConnection struct {
	conn   *coder.Conn
	ctx    context.Context
	cancel context.CancelFunc
}

func openCoder(compression coder.CompressionMode) func(*collector, string, http.Header) (connection, error) {
	return func(c *collector, path string, header http.Header) (connection, error) {
		ctx, cancel := context.WithCancel(context.Background())
		//nolint:bodyclose // "You never need to close resp.Body yourself."
		conn, response, err := coder.Dial(ctx, c.url("ws", path), &coder.DialOptions{
			HTTPClient:      c.httpClient(1),
			HTTPHeader:      header,
			Host:            header.Get("Host"),
			CompressionMode: compression,
		})
		if err != nil {
			cancel()
			if response != nil {
				return nil, refusalOf(response)
			}
			return nil, err
		}
		agreed := strings.HasPrefix(response.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate")
		if agreed != (compression != coder.CompressionDisabled) {
			err = errors.New("the wrong compression was agreed on: " + response.Header.Get("Sec-WebSocket-Extensions"))
		}
		conn.SetReadLimit(-1)
		return coderConnection{conn, ctx, cancel}, err
	}
}

func (c coderConnection) read() ([]byte, error) {
	kind, message, err := c.conn.Read(c.ctx)
	if err == nil && kind != coder.MessageText {
		err = errors.New("a message that is not text")
	}
	return message, err
}

func (c coderConnection) close() {
	_ = c.conn.Close(coder.StatusNormalClosure, "")
	c.cancel()
}

// stream is the body of an HTTP response that does not end.
type stream struct {
	lines  *bufio.Reader
	events bool
	hangUp func()
}

// openStream opens a stream over one major version of HTTP.
func openStream(version int, accept string) func(*collector, string, http.Header) (connection, error) {
	return func(c *collector, path string, header http.Header) (connection, error) {
		ctx, cancel := context.WithCancel(context.Background())
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url("http", path), http.NoBody)
		if err != nil {
			cancel()
			return nil, err
		}
		request.Header = header
		request.Host = header.Get("Host")
		if accept != "" {
			header.Set("Accept", accept)
		}
		client := c.httpClient(version)
		response, err := client.Do(request)
		if err != nil {
			cancel()
			return nil, err
		}
		return newStream(response, version, func() {
			cancel() // first, or closing the body would wait for a read under way
			response.Body.Close()
			client.CloseIdleConnections()
		})
	}
}

// newStream checks the head of a response and leaves the rest to be read; hangUp closes its
// connection.
func newStream(response *http.Response, version int, hangUp func()) (connection, error) {
	contentType := response.Header.Get("Content-Type")
	s := &stream{
		lines:  bufio.NewReader(response.Body),
		events: contentType == "text/event-stream",
		hangUp: hangUp,
	}
	var err error
	switch {
	case response.ProtoMajor != version:
		err = errors.New("the answer came over " + response.Proto)
	case response.StatusCode != http.StatusOK:
		err = refusalOf(response)
	case !s.events && contentType != "application/x-ndjson":
		err = errors.New("the answer is " + contentType)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// openHTTP10 does by hand what a client of HTTP/1.0 does, without so much as a Host.
func openHTTP10(c *collector, path string, header http.Header) (connection, error) {
	var head strings.Builder
	fmt.Fprintf(&head, "GET %s HTTP/1.0\r\n", path)
	if err := header.Write(&head); err != nil {
		return nil, err
	}
	r, err := c.ask(head.String() + "\r\n")
	if err != nil {
		return nil, err
	}
	return newStream(r.answer, 1, func() { _ = r.conn.Close() })
}

// rawClient is a client that writes HTTP/1 by hand.
type rawClient struct {
	conn   net.Conn
	reader *bufio.Reader
	answer *http.Response
}

// ask sends a request as it is and reads the head of the answer.
func (c *collector) ask(request string) (*rawClient, error) {
	conn, err := c.dial(context.Background(), "http/1.1")
	if err != nil {
		return nil, err
	}
	c.t.Cleanup(func() { _ = conn.Close() })
	late := time.AfterFunc(patience, func() { _ = conn.Close() })
	defer late.Stop()
	if _, err := io.WriteString(conn, request); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	reader := bufio.NewReader(conn)
	answer, err := http.ReadResponse(reader, nil) //nolint:bodyclose // it ends with the connection
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &rawClient{conn, reader, answer}, nil
}

// endEvent is the last event of a stream of server-sent events.
type endEvent struct{ data string }

func (e endEvent) Error() string { return "event: end, data: " + e.data }

func (s *stream) read() ([]byte, error) {
	if !s.events {
		line, err := s.lines.ReadBytes('\n')
		if err != nil && len(line) > 0 {
			return nil, fmt.Errorf("a broken line %.500q: %w", line, err)
		}
		return bytes.TrimSuffix(line, []byte("\n")), err
	}
	return s.readEvent()
}

// readEvent reads one server-sent event, of one line of data each.
func (s *stream) readEvent() ([]byte, error) {
	var name, data string
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			if line+data != "" {
				err = fmt.Errorf("a broken event %.500q: %w", data+line, err)
			}
			return nil, err
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch {
		case line == "\n" && name == "end":
			// After the last event the response must end in an orderly way.
			if rest, err := io.ReadAll(s.lines); err != nil || len(rest) > 0 {
				return nil, fmt.Errorf("after the end event came %q, %w", rest, err)
			}
			return nil, endEvent{data}
		case line == "\n" && data != "":
			return []byte(data), nil
		case field == "event":
			name = value
		case field == "data":
			data = value
		}
	}
}

func (s *stream) close() { s.hangUp() }
