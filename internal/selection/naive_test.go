package selection

import (
	"encoding/hex"
	"errors"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// The naive evaluation reads the query again, by the words of the contract, and asks every item everything. It shares
// nothing with what it checks but pdata.

// plain is an item with all that can be asked of it, as text.
type plain struct {
	signal   otlp.Signal
	levels   []map[string]string // of the resource, the scope and the item
	texts    []string            // what people call it
	duration time.Duration
	status   string
	severity int
	trace    string // hex; "" if it has none
	rv       string
	events   []string
	unit     string
}

func plainMap(m pcommon.Map) map[string]string {
	texts := map[string]string{}
	for key, value := range m.All() {
		if _, ok := texts[key]; !ok { // the first of two wins, as in pdata
			texts[key] = value.AsString()
			if value.Type() == pcommon.ValueTypeEmpty || value.Type() == pcommon.ValueTypeBytes && texts[key] == "" {
				texts[key+isNil] = ""
			}
		}
	}
	return texts
}

// isNil marks keys whose value is nil to OTTL: no value, and no bytes.
const isNil = "\x00nil"

func plainTrace(id pcommon.TraceID) string {
	if id.IsEmpty() {
		return ""
	}
	return hex.EncodeToString(id[:])
}

func plainSpans(td ptrace.Traces) []plain {
	var items []plain
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				p := plain{signal: otlp.Traces, texts: []string{s.Name()}, trace: plainTrace(s.TraceID())}
				p.levels = []map[string]string{plainMap(rs.Resource().Attributes()), plainMap(ss.Scope().Attributes()), plainMap(s.Attributes())}
				if s.EndTimestamp() > s.StartTimestamp() {
					p.duration = time.Duration(min(uint64(s.EndTimestamp()-s.StartTimestamp()), 1<<63-1))
				}
				p.status = map[ptrace.StatusCode]string{0: "UNSET", 1: "OK", 2: "ERROR"}[s.Status().Code()]
				if m := regexp.MustCompile(`(?:^|,) *ot=(?:[^,]*;)?rv:([^;,]*)`).FindStringSubmatch(s.TraceState().AsRaw()); m != nil && len(m[1]) == 14 {
					p.rv = m[1]
				}
				for _, e := range s.Events().All() {
					p.events = append(p.events, e.Name())
				}
				items = append(items, p)
			}
		}
	}
	return items
}

func plainRecords(ld plog.Logs) []plain {
	severities := map[string]int{"WARN": 13, "warning": 13, "Error": 17, "crit": 21, "INFO2": 10}
	var items []plain
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, r := range sl.LogRecords().All() {
				p := plain{signal: otlp.Logs, texts: []string{r.EventName(), r.Body().AsString()}, trace: plainTrace(r.TraceID())}
				p.levels = []map[string]string{plainMap(rl.Resource().Attributes()), plainMap(sl.Scope().Attributes()), plainMap(r.Attributes())}
				p.severity = int(r.SeverityNumber())
				if p.severity == 0 {
					p.severity = severities[r.SeverityText()]
				}
				items = append(items, p)
			}
		}
	}
	return items
}

func plainPoints(md pmetric.Metrics) []plain {
	var items []plain
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				add := func(attributes pcommon.Map) {
					items = append(items, plain{signal: otlp.Metrics, texts: []string{m.Name()}, unit: m.Unit(), levels: []map[string]string{
						plainMap(rm.Resource().Attributes()), plainMap(sm.Scope().Attributes()), plainMap(attributes),
					}})
				}
				switch m.Type() {
				case pmetric.MetricTypeGauge:
					for _, p := range m.Gauge().DataPoints().All() {
						add(p.Attributes())
					}
				case pmetric.MetricTypeSum:
					for _, p := range m.Sum().DataPoints().All() {
						add(p.Attributes())
					}
				case pmetric.MetricTypeHistogram:
					for _, p := range m.Histogram().DataPoints().All() {
						add(p.Attributes())
					}
				case pmetric.MetricTypeExponentialHistogram:
					for _, p := range m.ExponentialHistogram().DataPoints().All() {
						add(p.Attributes())
					}
				case pmetric.MetricTypeSummary:
					for _, p := range m.Summary().DataPoints().All() {
						add(p.Attributes())
					}
				default:
				}
			}
		}
	}
	return items
}

// errFailed is a condition that OTTL cannot answer for an item.
var errFailed = errors.New("failed")

// naiveConditions are OTTL conditions beside what they mean, and the signals that they can be asked of.
func naiveConditions() map[string]func(p plain) (bool, error) {
	return map[string]func(p plain) (bool, error){
		`resource.attributes["service.name"] == "checkout"`: func(p plain) (bool, error) { return p.levels[0]["service.name"] == "checkout", nil },
		`resource.attributes["plain"] != nil`:               func(p plain) (bool, error) { return has(p.levels[0], "plain"), nil },
		`scope.attributes["plain"] != nil`:                  func(p plain) (bool, error) { return has(p.levels[1], "plain"), nil },
		`span.name == "GET /pay"`:                           func(p plain) (bool, error) { return p.texts[0] == "GET /pay", nil },
		`span.name == "kelvin" or resource.attributes["plain"] != nil`: func(p plain) (bool, error) {
			return p.texts[0] == "kelvin" || has(p.levels[0], "plain"), nil
		},
		`spanevent.name == "exception"`: func(p plain) (bool, error) {
			return strings.Contains(strings.Join(p.events, ","), "exception"), nil
		},
		`metric.unit == "s"`: func(p plain) (bool, error) { return p.unit == "s", nil },
		`datapoint.attributes["plain"] != nil and metric.unit == "s"`: func(p plain) (bool, error) {
			return has(p.levels[2], "plain") && p.unit == "s", nil
		},
		// Fails wherever it is asked.
		`resource.attributes["service.name"] == Substring("abc", 5, 9)`: func(plain) (bool, error) { return false, errFailed },
		`not (scope.name == Substring("abc", 5, 9))`:                    func(plain) (bool, error) { return false, errFailed },
		`span.name == Substring("abc", 5, 9)`:                           func(plain) (bool, error) { return false, errFailed },
		`metric.name == Substring("abc", 5, 9)`:                         func(plain) (bool, error) { return false, errFailed },
		`log.event_name == "GET /pay" or Substring("abc", 5, 9) == ""`: func(p plain) (bool, error) {
			if p.texts[0] == "GET /pay" {
				return true, nil
			}
			return false, errFailed
		},
	}
}

func has(m map[string]string, key string) bool {
	_, ok := m[key]
	_, null := m[key+isNil]
	return ok && !null
}

func naiveContains(text, part string) bool {
	for i := range text {
		for j := i; j <= len(text); j++ {
			if (j == len(text) || utf8.RuneStart(text[j])) && strings.EqualFold(text[i:j], part) {
				return true
			}
		}
	}
	return false
}

func naiveGlob(pattern, text string) bool {
	expression := strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(pattern))
	return regexp.MustCompile(`(?s)^` + expression + `$`).MatchString(text)
}

// naiveOne asks one value of one parameter.
func naiveOne(name, value string, p plain) (bool, error) {
	isError := p.status == "ERROR" || p.signal == otlp.Logs && p.severity >= 17
	switch name {
	case "point", "signal":
		return true, nil
	case "service":
		text, ok := p.levels[0]["service.name"]
		return ok && naiveGlob(value, text), nil
	case "name":
		return naiveContains(p.texts[0], value) || len(p.texts) > 1 && naiveContains(p.texts[1], value), nil
	case "min_duration":
		d, _ := time.ParseDuration(value)
		return p.duration >= d, nil
	case "error":
		return strconv.FormatBool(isError) == strings.ToLower(value), nil
	case "severity":
		return p.severity >= map[string]int{"info": 9, "warn": 13, "warn2": 14, "error": 17, "24": 24}[value], nil
	case "trace_id":
		return p.trace == strings.ToLower(value), nil
	case "otel.status_code":
		return p.status == strings.ToUpper(value), nil
	case "sample":
		return naiveSample(value, p), nil
	case "where":
		if !naiveApplies(value, p.signal) {
			return false, nil
		}
		return naiveConditions()[value](p)
	default:
		key := strings.TrimPrefix(name, "attr.")
		for _, level := range p.levels {
			if text, ok := level[key]; ok && text == value {
				return true, nil
			}
		}
		return false, nil
	}
}

// naiveApplies reports whether a condition can be asked of a signal.
func naiveApplies(condition string, signal otlp.Signal) bool {
	switch {
	case regexp.MustCompile(`\b(span|spanevent)\.`).MatchString(condition):
		return signal == otlp.Traces
	case regexp.MustCompile(`\b(metric|datapoint)\.`).MatchString(condition):
		return signal == otlp.Metrics
	case regexp.MustCompile(`\blog\.`).MatchString(condition):
		return signal == otlp.Logs
	default:
		return true
	}
}

func naiveSample(value string, p plain) bool {
	share, _ := strconv.ParseFloat(value, 64)
	digits := p.rv
	if digits == "" {
		digits = p.trace[18:]
	}
	r, _ := strconv.ParseUint(digits, 16, 64)
	return float64(r) >= (1-share)*(1<<56)
}

// naiveSelect says whether the item matches, and if not, whether only a failure of a `where` is to blame.
func naiveSelect(values url.Values, p plain) (matched, failed bool) {
	others, condition, err := true, true, error(nil)
	for parameter, asked := range values {
		name, negated := strings.CutSuffix(parameter, "!")
		holds, failure := false, error(nil)
		for _, value := range asked {
			ok, e := naiveOne(name, value, p)
			if e != nil {
				failure = e
			}
			holds = holds || ok && e == nil
		}
		if name == "where" {
			condition = holds
			if !holds {
				err = failure
			}
			continue
		}
		others = others && holds != negated
	}
	return others && condition, others && !condition && err != nil
}
