package remotetapprocessor

import (
	"bytes"
	"io"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFragmentsCountAsFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		conn, answers := o.rawWebSocket()
		go func() { _, _ = io.Copy(io.Discard, answers) }()
		write(t, conn, frame(0x01, ""))
		write(t, conn, bytes.Repeat(frame(0x00, ""), maxClientFrames-1))
		synctest.Wait()
		require.Equal(t, 1, o.open())
		write(t, conn, frame(0x00, ""))
		assert.Equal(t, "protocol_error", o.reason())
	})
}

func TestFragmentsOfAMessageAreLimitedTogether(t *testing.T) {
	o := onLoopback(t)
	conn, reader := o.rawWebSocket()
	write(t, conn, append(longFrame(0x02, 40*kib), make([]byte, 40*kib)...))
	write(t, conn, append(longFrame(0x80, 24*kib), make([]byte, 24*kib)...))
	write(t, conn, append(longFrame(0x02, 40*kib), make([]byte, 40*kib)...))
	write(t, conn, longFrame(0x80, 24*kib+1))
	code, _ := readClose(t, reader)
	assert.EqualValues(t, 1009, code)
}

// What gorilla's reader, which others use, lets pass or answers in its own words.
func TestViolationsAreAnsweredWithReasonAndTotals(t *testing.T) {
	tests := []struct {
		name    string
		deflate bool
		say     []byte
		code    uint16
	}{
		{"a close frame of one byte", false, frame(0x88, "x"), 1002},
		{"a compressed ping", true, frame(0xc9, ""), 1002},
		{"a compressed continuation", true, append(frame(0x01, "x"), frame(0xc0, "x")...), 1002},
		{"a length with its first bit set", false, longFrame(0x82, 1<<63), 1002},
		{"a message that is too large", false, longFrame(0x82, 1<<20), 1009},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := onLoopback(t)
			headers := []string{}
			if tt.deflate {
				headers = append(headers, "Sec-WebSocket-Extensions: permessage-deflate\r\n")
			}
			conn, reader := o.rawWebSocket(headers...)
			write(t, conn, tt.say)
			code, reason := readClose(t, reader)
			assert.Equal(t, tt.code, code)
			assert.Equal(t, "protocol_error: sent 0 of 0 matched", reason)
		})
	}
}
