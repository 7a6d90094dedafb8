package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zapcore"
)

// journal is all that a collector has logged.
type journal struct{ feed[entry] }

// entry is one log entry with its fields, those of its logger included.
type entry struct {
	zapcore.Entry
	fields map[string]any
}

func (j *journal) String() string {
	var b strings.Builder
	for _, e := range j.all() {
		fmt.Fprintf(&b, "%s %s %s %v\n", e.Time.Format("15:04:05.000"), e.Level, e.Message, e.fields)
	}
	return b.String()
}

// count is a number among the fields, 0 if it is not there.
func (e entry) count(name string) uint64 {
	n, _ := e.fields[name].(uint64)
	return n
}

// requireHonest checks the account of a tap that has ended, and returns what was dropped.
func requireHonest(t testing.TB, ended entry) uint64 {
	t.Helper()
	var dropped uint64
	for _, n := range ended.fields["dropped"].(map[string]uint64) {
		dropped += n
	}
	require.Equal(t, ended.count("seen"), ended.count("skipped")+ended.count("unmatched")+ended.count("matched"), "%v", ended.fields)
	require.Equal(t, ended.count("matched"), ended.count("sent")+dropped, "%v", ended.fields)
	return dropped
}

// at lists the entries at a level or above.
func (j *journal) at(level zapcore.Level) []string {
	var messages []string
	for _, e := range j.all() {
		if e.Level >= level {
			messages = append(messages, fmt.Sprintf("%s %s %v", e.Level, e.Message, e.fields))
		}
	}
	return messages
}
