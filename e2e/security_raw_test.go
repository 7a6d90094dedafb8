package e2e

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// rawHTTP2 is a client of HTTP/2 that writes headers as they are told, which clients otherwise
// check.
type rawHTTP2 struct {
	t      testing.TB
	conn   net.Conn
	framer *http2.Framer
	stream uint32 // of the next request
}

func (c *collector) rawHTTP2() *rawHTTP2 {
	c.t.Helper()
	conn, err := c.dial(context.Background(), "h2")
	require.NoError(c.t, err)
	c.t.Cleanup(func() { _ = conn.Close() })
	require.NoError(c.t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, http2.ClientPreface)
	require.NoError(c.t, err)
	h := &rawHTTP2{t: c.t, conn: conn, framer: http2.NewFramer(conn, conn), stream: 1}
	h.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	require.NoError(c.t, h.framer.WriteSettings())
	return h
}

// ask sends a request without a body, given as names and values, and returns the header of the
// answer, with the trailer if it is a call's; its key "reset" says that there was none but an error
// of the protocol.
func (h *rawHTTP2) ask(fields ...string) map[string]string {
	h.t.Helper()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for i := 0; i+1 < len(fields); i += 2 {
		require.NoError(h.t, encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}))
	}
	require.NoError(h.t, h.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: h.stream, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true,
	}))
	h.stream += 2
	header := map[string]string{}
	for {
		frame, err := h.framer.ReadFrame()
		require.NoError(h.t, err)
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				require.NoError(h.t, h.framer.WriteSettingsAck())
			}
		case *http2.MetaHeadersFrame:
			for _, field := range f.Fields {
				header[field.Name] = field.Value
			}
			if f.StreamEnded() || !strings.HasPrefix(header["content-type"], "application/grpc") {
				return header
			}
		case *http2.RSTStreamFrame:
			return map[string]string{"reset": f.ErrCode.String()}
		case *http2.GoAwayFrame:
			return map[string]string{"reset": f.ErrCode.String()}
		}
	}
}

func (h *rawHTTP2) close() { _ = h.conn.Close() }
