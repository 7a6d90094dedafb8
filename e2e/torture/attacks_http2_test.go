//go:build linux

package torture

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// hostile2 is a connection of HTTP/2 without TLS, whose frames a test writes by hand. Write errors
// show in that the connection ends.
type hostile2 struct {
	*http2.Framer
	a       *attacker
	conn    *net.TCPConn
	encoder *hpack.Encoder
	header  bytes.Buffer
	stream  uint32 // the next to open
	err     error  // of the last write
}

// onHTTP2 makes an attack on an HTTP/2 connection, with settings of the client. What the server
// says is read and forgotten.
func onHTTP2(do func(*hostile2), settings ...http2.Setting) func(*attacker) {
	return func(a *attacker) {
		onDeafHTTP2(func(h *hostile2) {
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				a.wait(h.conn)
			}()
			defer func() { _ = h.conn.Close(); <-gone }()
			do(h)
		}, settings...)(a)
	}
}

// onDeafHTTP2 is onHTTP2 for a client that does not read.
func onDeafHTTP2(do func(*hostile2), settings ...http2.Setting) func(*attacker) {
	return func(a *attacker) {
		a.call(func(conn *net.TCPConn) {
			h := &hostile2{Framer: http2.NewFramer(conn, conn), a: a, conn: conn, stream: 1}
			h.AllowIllegalWrites = true
			h.encoder = hpack.NewEncoder(&h.header)
			if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
				return
			}
			if h.WriteSettings(settings...) == nil {
				do(h)
			}
		})
	}
}

// request encodes a request's header.
func (h *hostile2) request(method, path string, more ...string) []byte {
	h.header.Reset()
	pairs := append([]string{":method", method, ":scheme", "http", ":authority", "localhost", ":path", path}, more...)
	for i := 0; i < len(pairs); i += 2 {
		_ = h.encoder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]}) // into memory
	}
	return h.header.Bytes()
}

// open opens a stream with a request. It tells whether the server still listens.
func (h *hostile2) open(method, path string, ends bool, more ...string) (stream uint32, ok bool) {
	stream = h.stream
	h.stream += 2
	h.err = h.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: h.request(method, path, more...), EndStream: ends, EndHeaders: true,
	})
	return stream, h.err == nil && !h.a.over()
}

// until repeats something, which counts as a try, until it fails or time is up.
func (h *hostile2) until(do func() error) {
	for !h.a.over() && do() == nil {
		h.a.tried()
	}
}

// rapidly opens streams and ends each at once in a way of the attack's choice.
func rapidly(method, path string, ends bool, end func(h *hostile2, stream uint32) error, more ...string) func(*hostile2) {
	return func(h *hostile2) {
		h.until(func() error {
			stream, ok := h.open(method, path, ends, more...)
			if !ok || h.stream > 1<<30 {
				return io.EOF
			}
			return end(h, stream)
		})
	}
}

func resets(h *hostile2, stream uint32) error { return h.WriteRSTStream(stream, http2.ErrCodeCancel) }

// attacksOnHTTP2 break RFC 9113, or use it to the full.
func attacksOnHTTP2() []attack {
	all := append(attacksWithStreams(), attacksWithFrames()...)
	for i := range all {
		all[i].name = "HTTP 2: " + all[i].name
		if all[i].clients == 0 {
			all[i].clients = 8
		}
	}
	return all
}

func attacksWithStreams() []attack {
	const points, nobody = "/v1/points", "/v1/traces?service=nobody"
	return []attack{
		{name: "rapid reset", run: onHTTP2(rapidly("GET", points, true, resets))},
		{name: "rapid reset of taps", taps: true, run: onHTTP2(rapidly("GET", nobody, true, resets))},
		{name: "rapid reset of calls", taps: true, fails: true, run: onHTTP2(rapidly("POST", pathOf+"Tap", false, resets, "content-type", "application/grpc"))},
		{name: "the server is made to reset", run: onHTTP2(rapidly("GET", points, true, func(h *hostile2, stream uint32) error {
			return h.WriteRawFrame(http2.FrameWindowUpdate, 0, stream, []byte{0, 0, 0, 0}) // by nothing
		}))},
		{name: "the server is made to reset taps", taps: true, run: onHTTP2(rapidly("GET", nobody, true, func(h *hostile2, stream uint32) error {
			return h.WriteData(stream, false, []byte("x")) // behind the end of the request
		}))},
		{name: "streams to the limit and beyond", run: onHTTP2(func(h *hostile2) {
			h.until(func() error {
				_, ok := h.open("POST", pathOf+"ListPoints", false, "content-type", "application/grpc")
				if !ok || h.stream > 10_000 {
					return io.EOF
				}
				return nil
			})
			h.a.waitDeaf()
		})},
		{name: "taps to the limit of streams, and windows of nothing", taps: true, fills: true, run: onHTTP2(func(h *hostile2) {
			for range 2000 {
				if _, ok := h.open("GET", "/v1/traces", true); !ok {
					return
				}
			}
			h.a.waitDeaf()
		}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})},
		{name: "windows of one byte", taps: true, fills: true, run: onHTTP2(func(h *hostile2) {
			stream, _ := h.open("GET", "/v1/traces", true)
			for pause(h.a.ctx, time.Millisecond) && h.WriteWindowUpdate(stream, 1) == nil {
				h.a.tried()
			}
		}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1})},
		{name: "a tap that is not read, and pings", taps: true, run: onDeafHTTP2(func(h *hostile2) {
			_, _ = h.open("GET", "/v1/traces", true)
			h.until(func() error { return h.WritePing(false, [8]byte{1}) })
			h.a.waitDeaf()
		})},
		{name: "connections that are reset in the middle of streams", taps: true, run: onHTTP2(func(h *hostile2) {
			for range 5 {
				_, _ = h.open("GET", "/v1/traces", true)
			}
			pause(h.a.ctx, time.Millisecond)
			_ = h.conn.SetLinger(0)
		})},
		{name: "the client goes away and stays", taps: true, run: onHTTP2(func(h *hostile2) {
			_, _ = h.open("GET", nobody, true)
			_ = h.WriteGoAway(1, http2.ErrCodeNo, nil)
			h.a.wait(h.conn)
		})},
	}
}

func attacksWithFrames() []attack {
	// A flood is written many frames at a time.
	often := func(write func(h *http2.Framer)) func(*hostile2) {
		var frames bytes.Buffer
		framer := http2.NewFramer(&frames, nil)
		framer.AllowIllegalWrites = true
		for range 200 {
			write(framer)
		}
		return func(h *hostile2) { h.a.floodDeaf(h.conn, frames.Bytes()) }
	}
	opened := func(then func(*hostile2)) func(*hostile2) {
		return func(h *hostile2) {
			_, _ = h.open("POST", pathOf+"ListPoints", false, "content-type", "application/grpc")
			then(h)
		}
	}
	settings := http2.Setting{ID: http2.SettingInitialWindowSize, Val: 65535}
	return []attack{
		{name: "SETTINGS", run: onHTTP2(often(func(f *http2.Framer) { _ = f.WriteSettings(settings) }))},
		{name: "SETTINGS whose acknowledgements nobody reads", run: onDeafHTTP2(often(func(f *http2.Framer) { _ = f.WriteSettings(settings) }))},
		{name: "PING", run: onHTTP2(often(func(f *http2.Framer) { _ = f.WritePing(false, [8]byte{1}) }))},
		{name: "PING whose answers nobody reads", run: onDeafHTTP2(often(func(f *http2.Framer) { _ = f.WritePing(false, [8]byte{1}) }))},
		{name: "PRIORITY", run: onHTTP2(often(func(f *http2.Framer) { _ = f.WritePriority(1, http2.PriorityParam{StreamDep: 3}) }))},
		{name: "WINDOW_UPDATE", run: onHTTP2(often(func(f *http2.Framer) { _ = f.WriteWindowUpdate(0, 1) }))},
		{name: "empty DATA", run: onHTTP2(opened(often(func(f *http2.Framer) { _ = f.WriteData(1, false, nil) })))},
		{name: "padding", run: onHTTP2(opened(often(func(f *http2.Framer) { _ = f.WriteDataPadded(1, false, nil, make([]byte, 255)) })))},
		{name: "unknown frames", run: onHTTP2(often(func(f *http2.Framer) { _ = f.WriteRawFrame(0xee, 0, 0, make([]byte, 100)) }))},
		{name: "CONTINUATION", run: onHTTP2(func(h *hostile2) {
			block := bytes.Clone(h.request("GET", "/v1/points", "x-long", strings.Repeat("z", 1000)))
			_ = h.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block})
			h.until(func() error { return h.WriteContinuation(1, false, block) })
		})},
		{name: "empty CONTINUATION", run: onHTTP2(func(h *hostile2) {
			_ = h.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: h.request("GET", "/v1/points")})
			often(func(f *http2.Framer) { _ = f.WriteContinuation(1, false, nil) })(h)
		})},
		{name: "a header of ten megabytes", run: onHTTP2(func(h *hostile2) {
			block := bytes.Clone(h.request("GET", "/v1/points", "x-long", strings.Repeat("\xff", 10<<20)))
			_ = h.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:16000]})
			for block = block[16000:]; len(block) > 0; block = block[min(16000, len(block)):] {
				if h.WriteContinuation(1, len(block) <= 16000, block[:min(16000, len(block))]) != nil {
					return
				}
			}
			h.a.wait(h.conn)
		})},
		{name: "a compression bomb of headers", run: onHTTP2(func(h *hostile2) {
			pairs := make([]string, 0, 16000)
			for range 8000 {
				pairs = append(pairs, "x-bomb", strings.Repeat("z", 4000)) // a byte each, after the first
			}
			rapidly("GET", "/v1/points", true, func(*hostile2, uint32) error { return nil }, pairs...)(h)
		})},
		{name: "a new header in the table with each request", run: onHTTP2(func(h *hostile2) {
			h.until(func() error {
				_, ok := h.open("GET", "/v1/points", true, "x-"+strconv.Itoa(int(h.stream)), strings.Repeat("z", 3000))
				if !ok {
					return io.EOF
				}
				return nil
			})
		})},
		{name: "headers one byte at a time", clients: 60, run: onHTTP2(func(h *hostile2) {
			var frames bytes.Buffer
			framer := http2.NewFramer(&frames, nil)
			_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: h.request("GET", "/v1/points", "x", strings.Repeat("z", 10000)), EndHeaders: true})
			h.a.trickle(h.conn, frames.String())
		})},
		{name: "a preface and nothing else", clients: 60, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) {
				_, _ = io.WriteString(conn, http2.ClientPreface)
				a.wait(conn)
			})
		}},
		{name: "every violation of the protocol", run: func(a *attacker) {
			for _, violate := range violations2() {
				onHTTP2(func(h *hostile2) {
					violate(h)
					_ = h.conn.CloseWrite()
					h.a.wait(h.conn)
				})(a)
			}
		}},
	}
}

// violations2 are frames that no client sends.
func violations2() []func(h *hostile2) {
	raw := func(kind http2.FrameType, flags http2.Flags, stream uint32, payload ...byte) func(*hostile2) {
		return func(h *hostile2) { _ = h.WriteRawFrame(kind, flags, stream, payload) }
	}
	return []func(h *hostile2){
		raw(http2.FrameData, 0, 0, 'x'),
		raw(http2.FrameData, 0, 1, 'x'),
		raw(http2.FrameData, http2.FlagDataPadded, 1, 255, 'x'),
		raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 0, 0x82),
		raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 2, 0x82),
		raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders|http2.FlagHeadersEndStream, 1, 0x82),    // no path
		raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), // an index beyond all
		raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 1, 0x3f, 0xff, 0xff, 0xff, 0xff, 0x0f), // a table of gigabytes
		raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 1, 0x40, 0x7f, 0xff, 0xff, 0xff, 0x7f), // a name of gigabytes
		raw(http2.FrameHeaders, http2.FlagHeadersPadded|http2.FlagHeadersEndHeaders, 1, 200, 0x82),  // more padding than frame
		raw(http2.FramePriority, 0, 1, 0, 0, 0, 1, 0),                                               // on itself
		raw(http2.FramePriority, 0, 0, 0, 0, 0, 1, 0),
		raw(http2.FrameRSTStream, 0, 0, 0, 0, 0, 8),
		raw(http2.FrameRSTStream, 0, 1, 0, 0, 0, 8),
		raw(http2.FrameSettings, 0, 1),
		raw(http2.FrameSettings, 0, 0, 1),
		raw(http2.FrameSettings, http2.FlagSettingsAck, 0, 0, 4, 0, 0, 0, 0),
		raw(http2.FrameSettings, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff), // a window of four gigabytes
		raw(http2.FrameSettings, 0, 0, 0, 5, 0, 0, 0, 1),             // frames of one byte
		raw(http2.FrameSettings, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff), // a header table of four gigabytes
		raw(http2.FramePushPromise, 0, 1, 0, 0, 0, 2),
		raw(http2.FramePing, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8),
		raw(http2.FramePing, 0, 0, 1),
		raw(http2.FrameGoAway, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0),
		raw(http2.FrameWindowUpdate, 0, 0, 0, 0, 0, 0),
		raw(http2.FrameWindowUpdate, 0, 1, 0, 0, 0, 1),
		raw(http2.FrameContinuation, 0, 1, 0x82),
		raw(http2.FrameData, 0, 1, make([]byte, 1<<20)...), // larger than frames may be
		func(h *hostile2) { // windows that overflow
			_ = h.WriteWindowUpdate(0, 1<<31-1)
			_ = h.WriteWindowUpdate(0, 1<<31-1)
		},
		func(h *hostile2) { // something between a header and its continuation
			_ = h.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: h.request("GET", "/")})
			_ = h.WritePing(false, [8]byte{1})
		},
		func(h *hostile2) { // an old stream
			_, _ = h.open("GET", "/v1/points", true)
			h.stream = 1
			_, _ = h.open("GET", "/v1/points", true)
		},
		func(h *hostile2) { _, _ = h.open("CONNECT", "/", false) },
		func(h *hostile2) { _, _ = h.open("GET", "/v1/points", true, "connection", "upgrade") },
		func(h *hostile2) { _, _ = h.open("GET", "/v1/points", true, "Upper", "case") },
		func(h *hostile2) { _, _ = h.open("GET", "/v1/points", true, "content-length", "5") },
		func(h *hostile2) { _, _ = h.open("GET", "/v1/points", true, ":path", "/twice") },
		func(h *hostile2) { _, _ = h.open("GET", "/v1/points", true, "x", "new\r\nline") },
	}
}
