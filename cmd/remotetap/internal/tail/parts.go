package tail

import (
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/items"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
	"github.com/remotetap/remotetapprocessor/internal/format"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// How much of one text a line shows where the line has no limit, in columns.
const (
	maxText  = 4096
	maxKey   = 80
	maxValue = 200
)

// clip is a text of strangers as a terminal may get it, no wider than so many columns.
func clip(text string, columns int) string {
	if len(text) <= columns && isPlain(text) {
		return text
	}
	const most = 8 // bytes of a column; more than that are marks upon marks
	if limit := columns * most; limit >= 0 && len(text) > limit {
		for limit > 0 && !utf8.RuneStart(text[limit]) {
			limit--
		}
		return terminal.Cut(format.Visible(text[:limit])+"……", columns)
	}
	return terminal.Cut(format.Visible(text), columns)
}

// isPlain reports whether a text is printable ASCII, of which each byte is a column.
func isPlain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// columnsOf is how many columns a text takes that is harmless.
func columnsOf(text string) int {
	if isPlain(text) {
		return len(text)
	}
	return ansi.StringWidth(text)
}

// quoted is a value of strangers behind its key: in quotes if it is empty, or if one could not tell where
// it ends.
func quoted(value string, columns int) string {
	return quoteIfNeeded(clip(value, columns))
}

func quoteIfNeeded(text string) string {
	if text == "" || strings.ContainsAny(text, ` "=`) {
		return `"` + strings.ReplaceAll(text, `"`, `\"`) + `"`
	}
	return text
}

// markOf is what stands for the signal.
func markOf(i *items.Item, columns int) string {
	switch columns {
	case 1:
		return map[tapclient.Signal]string{tapclient.Traces: "s", tapclient.Metrics: "m", tapclient.Logs: "l", tapclient.Profiles: "p"}[i.Signal]
	case 4:
		return map[tapclient.Signal]string{tapclient.Traces: "span", tapclient.Metrics: "metr", tapclient.Logs: "log", tapclient.Profiles: "prof"}[i.Signal]
	default:
		return map[tapclient.Signal]string{tapclient.Traces: "span", tapclient.Metrics: "metric", tapclient.Logs: "log", tapclient.Profiles: "prof"}[i.Signal]
	}
}

// levelOf is how an item is: a span's status, a record's severity, a metric's type.
func levelOf(i *items.Item) (string, terminal.Style) {
	switch i.Signal {
	case tapclient.Traces:
		switch i.Status {
		case "Error":
			return "error", terminal.Red
		case "Ok":
			return "ok", terminal.Green
		}
		return "-", terminal.Faint
	case tapclient.Logs:
		return severityOf(i)
	case tapclient.Metrics:
		return typeOf(i.Kind), terminal.Faint
	default:
		return "-", terminal.Faint
	}
}

func severityOf(i *items.Item) (string, terminal.Style) {
	level := strings.ToLower(items.Level(i.Severity))
	switch {
	case level == "" && i.SeverityText != "":
		return clip(strings.ToLower(i.SeverityText), 5), terminal.Plain
	case level == "":
		return "-", terminal.Faint
	case i.Severity >= plog.SeverityNumberError:
		return level, terminal.Red
	case i.Severity >= plog.SeverityNumberWarn:
		return level, terminal.Yellow
	case i.Severity >= plog.SeverityNumberInfo:
		return level, terminal.Plain
	default:
		return level, terminal.Faint
	}
}

// typeOf is a metric's type in short, as the server's format=text has it.
func typeOf(kind string) string {
	switch kind {
	case "Gauge":
		return "gauge"
	case "Sum":
		return "sum"
	case "Histogram":
		return "hist"
	case "ExponentialHistogram":
		return "exph"
	case "Summary":
		return "summ"
	default:
		return "-"
	}
}

// durationOf is how long a span took; "" for what takes no time.
func durationOf(i *items.Item) string {
	if i.Signal != tapclient.Traces {
		return ""
	}
	if i.Duration < 0 {
		return "no end"
	}
	return terminal.Took(i.Duration)
}

// nameOf is what an item is: a span's or metric's name, a record's body or event.
func nameOf(i *items.Item) string {
	switch {
	case i.Signal == tapclient.Profiles:
		return "profile"
	case i.Signal != tapclient.Logs:
		return orDash(i.Name)
	case i.Body == "":
		return orDash(i.Name)
	case i.Name == "":
		return i.Body
	default:
		return i.Name + ": " + i.Body
	}
}

// valueOf is what a data point says, with its unit.
func valueOf(i *items.Item) string {
	if i.Value == "" || i.Unit == "" || i.Unit == "1" {
		return i.Value
	}
	return i.Value + " " + i.Unit
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// shortOrigin is an origin without what all have in common.
func shortOrigin(from string) string {
	if strings.ContainsRune(from, filepath.Separator) && !strings.Contains(from, "://") {
		return filepath.Base(from)
	}
	return strings.TrimSuffix(from, ":"+tapclient.DefaultPort)
}

// shortPoint is the part of a point's id that tells it from others.
func shortPoint(point string) string {
	if _, name, ok := strings.Cut(point, "/"); ok && name != "" {
		return name
	}
	return orDash(point)
}
