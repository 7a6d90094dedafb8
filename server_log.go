package remotetapprocessor

import (
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// keysReminder is the time between two warnings that the server's own keys do not load.
const keysReminder = time.Minute

// serverLog is where net/http says what went wrong with a connection. What strangers do to one, a TLS
// handshake without a certificate for instance, is no error of the collector's, and is logged for
// debugging only. But where the server's certificate or authorities do not load, after they were
// replaced by halves, nobody gets in any more, and somebody should know. It is an io.Writer, safe for
// concurrent use.
type serverLog struct {
	// set at construction

	logger *zap.Logger

	// guarded by mu

	mu     sync.Mutex
	warned time.Time
}

// Write takes one message, which holds the address of a client.
func (l *serverLog) Write(message []byte) (int, error) {
	text := strings.TrimSpace(string(message))
	if !strings.Contains(text, "failed to load TLS") { // configtls's words
		l.logger.Debug(text)
		return len(message), nil
	}
	if l.due(time.Now()) {
		l.logger.Warn("remote_tap cannot load its certificate, its key or its authorities: nobody gets in until the files fit together again",
			zap.String("problem", text))
	}
	return len(message), nil
}

// due reports whether it is time to warn.
func (l *serverLog) due(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.warned.IsZero() && now.Sub(l.warned) < keysReminder {
		return false
	}
	l.warned = now
	return true
}
