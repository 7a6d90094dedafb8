package remotetapprocessor

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func TestOnlyOurOwnKeysAreWorthAWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.DebugLevel)
		l := &serverLog{logger: zap.New(core)}
		say := func(text string) []zapcore.Level {
			n, err := l.Write([]byte(text))
			require.NoError(t, err)
			assert.Len(t, text, n)
			var levels []zapcore.Level
			for _, e := range logs.TakeAll() {
				levels = append(levels, e.Level)
			}
			return levels
		}
		const broken = "http: TLS handshake error from 10.0.0.1:4711: failed to load TLS cert and key: tls: private key does not match public key\n"
		assert.Equal(t, []zapcore.Level{zap.DebugLevel}, say("http: TLS handshake error from 10.0.0.1:4711: EOF\n"))
		assert.Equal(t, []zapcore.Level{zap.WarnLevel}, say(broken))
		assert.Empty(t, say(broken), "once a minute")
		time.Sleep(keysReminder) //nolint:forbidigo // fake time
		assert.Equal(t, []zapcore.Level{zap.WarnLevel}, say(broken))
	})
}
