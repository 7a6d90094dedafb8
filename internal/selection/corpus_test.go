package selection

import (
	"math"
	"math/rand/v2"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// corpus makes telemetry as it comes in real life: all signals, all types of values, fields that are missing, resources
// and scopes with nothing in them. The same seed makes the same corpus.
type corpus struct {
	*rand.Rand
	simple bool // no values whose text has to be made, such as lists
}

func newCorpus(seed uint64) corpus {
	return corpus{Rand: rand.New(rand.NewPCG(seed, 1))}
}

func pick[T any](c corpus, from ...T) T { return from[c.IntN(len(from))] }

func (c corpus) chance(percent int) bool { return c.IntN(100) < percent }

// attributes puts some attributes of few keys and few values, so that selections find some.
func (c corpus) attributes(into pcommon.Map, most int) {
	for range c.IntN(most + 1) {
		key := pick(c, "http.route", "http.response.status_code", "service.name", "k8s.pod.name", "plain", "odd key.=&", "otel.status_code", "signal")
		kind := c.IntN(9)
		if c.simple {
			kind = pick(c, 0, 1, 8)
		}
		switch kind {
		case 0:
			into.PutEmpty(key)
		case 1:
			into.PutBool(key, c.chance(50))
		case 2:
			into.PutInt(key, pick[int64](c, 500, 200, -1, math.MaxInt64))
		case 3:
			into.PutDouble(key, pick(c, 500, 0.5, math.NaN(), math.Float64frombits(math.Float64bits(math.NaN())+1), math.Inf(1), 1e300, math.Copysign(0, -1)))
		case 4:
			into.PutEmptyBytes(key).FromRaw([]byte(pick(c, "", "abc")))
		case 5:
			into.PutEmptyMap(key).PutStr("a", pick(c, "b", "<c>"))
		case 6:
			into.PutEmptySlice(key).AppendEmpty().SetInt(1)
		default:
			into.PutStr(key, pick(c, "500", "/pay", "checkout", "true", "", "0.5", "x=y&z"))
		}
	}
}

func (c corpus) resource(into pcommon.Resource) {
	if c.chance(80) {
		into.Attributes().PutStr("service.name", pick(c, "checkout", "checkout-v2", "cart", "front/end", "çava"))
	} else if c.chance(20) && !c.simple {
		into.Attributes().PutInt("service.name", 7)
	}
	c.attributes(into.Attributes(), 3)
}

func (c corpus) scope(into pcommon.InstrumentationScope) {
	into.SetName(pick(c, "", "io.opentelemetry.jdbc"))
	c.attributes(into.Attributes(), 2)
}

func (c corpus) name() string {
	return pick(c, "", "GET /pay", "get /PAY", "payment.total", "Straße", "STRASSE", "\u212aelvin", "kelvin", "broken \xff utf8", "İstanbul")
}

func (c corpus) traceID() pcommon.TraceID {
	if c.chance(10) {
		return pcommon.TraceID{}
	}
	return pcommon.TraceID{0: 1, 8: pick(c, byte(0), 0xff), 9: byte(c.IntN(256)), 15: byte(c.IntN(3))}
}

func (c corpus) traces(resources int) ptrace.Traces {
	td := ptrace.NewTraces()
	for range resources {
		rs := td.ResourceSpans().AppendEmpty()
		c.resource(rs.Resource())
		for range c.IntN(3) {
			ss := rs.ScopeSpans().AppendEmpty()
			c.scope(ss.Scope())
			for range c.IntN(6) {
				c.span(ss.Spans().AppendEmpty())
			}
		}
	}
	return td
}

func (c corpus) span(s ptrace.Span) {
	s.SetName(c.name())
	s.SetTraceID(c.traceID())
	s.TraceState().FromRaw(pick(c, "", "", "ot=rv:ffffffffffffff", "a=b, ot=th:c;rv:00000000000001", "ot=rv:12", "ot=", "x"))
	s.SetStartTimestamp(1_000_000_000)
	s.SetEndTimestamp(pick[pcommon.Timestamp](c, 0, 1_000_000_000, 1_000_000_001, 1_100_000_000, 2_000_000_000, 9_000_000_000, math.MaxUint64))
	s.Status().SetCode(pick(c, ptrace.StatusCodeUnset, ptrace.StatusCodeOk, ptrace.StatusCodeError, ptrace.StatusCode(9)))
	c.attributes(s.Attributes(), 4)
	for range c.IntN(3) {
		s.Events().AppendEmpty().SetName(pick(c, "exception", "retry"))
	}
}

func (c corpus) logs(resources int) plog.Logs {
	ld := plog.NewLogs()
	for range resources {
		rl := ld.ResourceLogs().AppendEmpty()
		c.resource(rl.Resource())
		for range c.IntN(3) {
			sl := rl.ScopeLogs().AppendEmpty()
			c.scope(sl.Scope())
			for range c.IntN(6) {
				c.record(sl.LogRecords().AppendEmpty())
			}
		}
	}
	return ld
}

func (c corpus) record(r plog.LogRecord) {
	switch kind := c.IntN(5); {
	case c.simple:
		r.Body().SetStr(c.name())
	case kind == 0:
		r.Body().SetEmptyMap().PutStr("message", c.name())
	case kind == 1:
		r.Body().SetInt(500)
	case kind == 2:
	default:
		r.Body().SetStr(c.name())
	}
	if c.chance(30) {
		r.SetEventName(c.name())
	}
	r.SetTraceID(c.traceID())
	r.SetSeverityNumber(pick[plog.SeverityNumber](c, 0, 0, 1, 9, 13, 14, 17, 24, 99))
	r.SetSeverityText(pick(c, "", "WARN", "warning", "Error", "crit", "INFO2", "nonsense", "4"))
	c.attributes(r.Attributes(), 4)
}

func (c corpus) metrics(resources int) pmetric.Metrics {
	md := pmetric.NewMetrics()
	for range resources {
		rm := md.ResourceMetrics().AppendEmpty()
		c.resource(rm.Resource())
		for range c.IntN(3) {
			sm := rm.ScopeMetrics().AppendEmpty()
			c.scope(sm.Scope())
			for range c.IntN(4) {
				c.metric(sm.Metrics().AppendEmpty())
			}
		}
	}
	return md
}

func (c corpus) metric(m pmetric.Metric) {
	m.SetName(c.name())
	m.SetUnit(pick(c, "", "s"))
	points := c.IntN(4)
	switch c.IntN(6) {
	case 0:
		for s := m.SetEmptyGauge().DataPoints(); points > 0; points-- {
			p := s.AppendEmpty()
			p.SetDoubleValue(c.Float64())
			c.attributes(p.Attributes(), 3)
		}
	case 1:
		for s := m.SetEmptySum().DataPoints(); points > 0; points-- {
			p := s.AppendEmpty()
			p.SetIntValue(c.Int64N(10))
			c.attributes(p.Attributes(), 3)
		}
	case 2:
		for s := m.SetEmptyHistogram().DataPoints(); points > 0; points-- {
			c.attributes(s.AppendEmpty().Attributes(), 3)
		}
	case 3:
		for s := m.SetEmptyExponentialHistogram().DataPoints(); points > 0; points-- {
			c.attributes(s.AppendEmpty().Attributes(), 3)
		}
	case 4:
		for s := m.SetEmptySummary().DataPoints(); points > 0; points-- {
			c.attributes(s.AppendEmpty().Attributes(), 3)
		}
	default: // a metric without data
	}
}

func (c corpus) profiles(resources int) pprofile.Profiles {
	pd := pprofile.NewProfiles()
	for range resources {
		rp := pd.ResourceProfiles().AppendEmpty()
		c.resource(rp.Resource())
		for range c.IntN(3) {
			profile := rp.ScopeProfiles().AppendEmpty().Profiles().AppendEmpty()
			for range c.IntN(4) {
				profile.Samples().AppendEmpty()
			}
		}
	}
	return pd
}
