package items

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// Level is a severity's short name: "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", or "" for none.
func Level(n plog.SeverityNumber) string {
	if n < plog.SeverityNumberTrace || n > plog.SeverityNumberFatal4 {
		return ""
	}
	return [...]string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}[(n-1)/4]
}

// Attribute finds the value of a key as text: the item's own attribute, else its scope's, else its
// resource's.
func (i *Item) Attribute(key string) (string, bool) {
	for _, m := range []pcommon.Map{i.Attributes, i.Scope, i.Resource} {
		if value, ok := m.Get(key); ok {
			return value.AsString(), true
		}
	}
	return "", false
}
