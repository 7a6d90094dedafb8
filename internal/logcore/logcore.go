// Package logcore lets tests of collectors read their log.
package logcore

import (
	"slices"

	"go.uber.org/zap/zapcore"
)

// New makes a core that hands each entry at a level or above to a function, with its fields, those of
// its logger included. The function may be called from several goroutines at once.
func New(level zapcore.Level, add func(e zapcore.Entry, fields map[string]any)) zapcore.Core {
	return &core{LevelEnabler: level, add: add}
}

type core struct {
	zapcore.LevelEnabler
	add    func(zapcore.Entry, map[string]any)
	fields []zapcore.Field
}

// With adds fields.
func (c *core) With(fields []zapcore.Field) zapcore.Core {
	return &core{LevelEnabler: c.LevelEnabler, add: c.add, fields: append(slices.Clip(c.fields), fields...)}
}

// Check adds the core to those that get an entry.
func (c *core) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !c.Enabled(e.Level) {
		return checked
	}
	return checked.AddCore(e, c)
}

// Write hands the entry on.
func (c *core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	encoder := zapcore.NewMapObjectEncoder()
	for _, field := range append(slices.Clip(c.fields), fields...) {
		field.AddTo(encoder)
	}
	c.add(e, encoder.Fields)
	return nil
}

// Sync does nothing.
func (*core) Sync() error { return nil }
