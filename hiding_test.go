package remotetapprocessor

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// What hiddenBy hides, wherever it is, and what it does not.
const (
	secret     = "hunter2"
	cardNumber = "4111111111111111"
)

func hiddenBy(mode string) func(*Config) {
	return func(c *Config) {
		c.Redact = RedactConfig{Keys: []string{"*password*", "customer.*"}, Values: []string{"[0-9]{13,16}"}, Mode: mode}
	}
}

// confidential are batches of each signal with secrets in places of all kinds.
func confidential() (ptrace.Traces, pmetric.Metrics, plog.Logs, pprofile.Profiles) {
	traces := spans(2)
	resource := traces.ResourceSpans().At(0)
	resource.Resource().Attributes().PutStr("db.password", secret)
	span := resource.ScopeSpans().At(0).Spans().At(0)
	span.SetName("pay with " + cardNumber)
	span.Attributes().PutStr("user.PASSWORD", secret)
	span.Attributes().PutEmptyMap("form").PutStr("password", secret)
	span.Status().SetMessage("declined: " + cardNumber)
	span.Events().AppendEmpty().Attributes().PutEmptyBytes("customer.key").FromRaw([]byte(secret))
	span.Links().AppendEmpty().Attributes().PutStr("note", cardNumber)

	metrics := points(2)
	metric := metrics.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0)
	point := metric.SetEmptyGauge().DataPoints().AppendEmpty()
	point.Attributes().PutStr("customer.name", secret)
	point.Exemplars().AppendEmpty().FilteredAttributes().PutStr("password", secret)

	logs := records(2)
	record := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	record.Body().SetEmptyMap().PutStr("password", secret)
	record.Attributes().PutEmptySlice("cards").AppendEmpty().SetStr(cardNumber)

	profiles := samples(2)
	profiles.ResourceProfiles().At(0).Resource().Attributes().PutStr("db.password", secret)
	return traces, metrics, logs, profiles
}

// passConfidential sends confidential batches and checks that the next consumers get them as they were.
func (o *observed) passConfidential() {
	o.t.Helper()
	traces, metrics, logs, profiles := confidential()
	require.NoError(o.t, o.traces.ConsumeTraces(context.Background(), traces))
	require.NoError(o.t, o.metrics.ConsumeMetrics(context.Background(), metrics))
	require.NoError(o.t, o.collector.logs.ConsumeLogs(context.Background(), logs))
	require.NoError(o.t, o.profiles.ConsumeProfiles(context.Background(), profiles))
	wantTraces, wantMetrics, wantLogs, wantProfiles := confidential()
	assert.Equal(o.t, wantTraces, traces, "the pipeline's data is untouched")
	assert.Equal(o.t, wantMetrics, metrics)
	assert.Equal(o.t, wantLogs, logs)
	assert.Equal(o.t, wantProfiles, profiles)
}

// seen is all that a tap gets while confidential batches pass.
func (o *observed) seen(path string) string {
	o.t.Helper()
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	stream := o.stream(path + separator + "duration=10s&max_message=16777216")
	o.passConfidential()
	body, err := io.ReadAll(stream.Body)
	require.NoError(o.t, err)
	return string(body)
}

func TestHiddenValuesReachNoViewer(t *testing.T) {
	for _, mode := range []string{"mask", "hash", "drop"} {
		for _, format := range []string{"otlp_json", "json", "text", "otlp_proto"} {
			for _, selection := range []string{"", "&name=pay", "&where=" + url.QueryEscape("span.attributes[\"form\"] != nil")} {
				t.Run(fmt.Sprint(mode, " ", format, selection), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						o := onMemory(t, hiddenBy(mode))
						got := o.seen("/v1/tap?format=" + format + selection)
						if mode == "drop" && selection == "&name=pay" {
							assert.Empty(t, got, "the name is gone")
							return
						}
						require.NotEmpty(t, got)
						for _, hidden := range []string{secret, cardNumber, base64.StdEncoding.EncodeToString([]byte(secret))} {
							assert.NotContains(t, got, hidden)
						}
						switch mode {
						case "mask":
							assert.Contains(t, got, "****")
						case "hash":
							assert.Contains(t, got, "hmac:")
						}
						assert.Equal(t, "duration_reached", o.reason())
					})
				})
			}
		}
	}
}

func TestWithoutRedactionEverythingIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		got := o.seen("/v1/tap")
		assert.Contains(t, got, secret)
		assert.Contains(t, got, cardNumber)
	})
}

func TestHiddenAttributesCannotBeSearchedFor(t *testing.T) {
	tests := []struct{ name, query, parameter string }{
		{"a hidden key", "db.password=x", "db.password"},
		{"in another case", "DB.Password=x", "DB.Password"},
		{"without a dot", "attr.password=x", "attr.password"},
		{"negated", "customer.name!=x", "customer.name"},
		{"among others", "name=pay&customer.name=x", "customer.name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t, hiddenBy("mask"))
				response, body := o.answer(http.MethodGet, "/v1/traces?"+tt.query)
				assert.Equal(t, http.StatusBadRequest, response.StatusCode)
				var refused map[string]string
				require.NoError(t, json.Unmarshal([]byte(body), &refused))
				assert.Equal(t, map[string]string{
					"error":     tt.parameter + ": remote_tap hides this attribute (redact), so nothing can be searched by it",
					"parameter": tt.parameter,
					"hint":      "leave it out, or choose other points with point=",
				}, refused)
			})
		})
	}
	t.Run("the service's name, if it is hidden", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			o := onMemory(t, func(c *Config) { c.Redact.Keys = []string{"service.name"} })
			response, _ := o.answer(http.MethodGet, "/v1/traces?service=x")
			assert.Equal(t, http.StatusBadRequest, response.StatusCode)
		})
	})
}

// Whoever may not see a text does not find it, whatever criterion looks at it.
func TestHiddenTextsAreNotFound(t *testing.T) {
	tests := []struct {
		name  string
		path  string
		query string
		want  int // spans, records and points
	}{
		{"a name that is partly hidden, by what is shown of it", "/v1/traces", "name=pay with", 1},
		{"a name by what is hidden of it", "/v1/traces", "name=" + cardNumber, 0},
		{"a body by a hidden value", "/v1/logs", "name=" + secret, 0},
		{"an attribute by a hidden value", "/v1/logs", `cards.all=["` + cardNumber + `"]`, 0},
		{"a map by a hidden value in it", "/v1/traces", `attr.form={"password":"` + secret + `"}`, 0},
		{"a map as it is shown", "/v1/traces", `attr.form={"password":"****"}`, 1},
		{"a condition on a hidden value", "/v1/traces", `where=span.attributes["user.PASSWORD"] == "` + secret + `"`, 0},
		{"a condition on the mask", "/v1/traces", `where=span.attributes["user.PASSWORD"] == "****"`, 1},
		{"a condition on a hidden text", "/v1/traces", `where=IsMatch(span.name, "4111")`, 0},
		{"a condition on a hidden resource attribute", "/v1/metrics", `where=resource.attributes["db.password"] == "` + secret + `"`, 0},
		{"a condition on nothing hidden", "/v1/traces", `where=span.name != nil`, 2},
		{"what redaction cannot change", "/v1/traces", `error=false`, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t, hiddenBy("mask"))
				key, value, _ := strings.Cut(tt.query, "=")
				got := o.seen(tt.path + "?format=json&" + key + "=" + url.QueryEscape(value))
				assert.Equal(t, tt.want, strings.Count(got, "\n"), got)
			})
		})
	}
}

func TestHintsAndErrorsQuoteNothingHidden(t *testing.T) {
	for _, query := range []string{
		"name=nowhere", "service=nowhere", "note.x=1",
		"where=" + url.QueryEscape(`Int(span.attributes["user.PASSWORD"]) > 1`),
	} {
		t.Run(query, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t, hiddenBy("mask"))
				stream := o.stream("/v1/tap?stats=1s&duration=20s&" + query)
				for range 15 {
					o.passConfidential()
					advance(time.Second)
				}
				body, err := io.ReadAll(stream.Body)
				require.NoError(t, err)
				assert.NotContains(t, string(body), secret)
				assert.NotContains(t, string(body), cardNumber)
				for _, entry := range o.logs.All() {
					assert.NotContains(t, fmt.Sprint(entry.Message, entry.ContextMap()), secret)
				}
			})
		})
	}
}

func TestLargeBatchIsSearchedInParts(t *testing.T) {
	for _, n := range []int{1, partItems, partItems + 1, 3*partItems + 7} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t, hiddenBy("mask"))
				stream := o.stream("/v1/traces?format=json&name=wanted&duration=10s")
				traces := spans(n)
				wanted := 0
				for i, span := range traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
					if i%3 == 0 || i == n-1 {
						span.SetName(fmt.Sprint("wanted ", cardNumber, " ", i))
						wanted++
					}
				}
				require.NoError(t, o.traces.ConsumeTraces(context.Background(), traces))
				body, err := io.ReadAll(stream.Body)
				require.NoError(t, err)
				assert.Equal(t, wanted, strings.Count(string(body), `"wanted **** `))
				assert.Equal(t, wanted, bytes.Count(body, []byte("\n")))
			})
		})
	}
}

func TestPointsHideEachTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		o.s.broadcaster.mu.Lock()
		hidden := &RedactConfig{Keys: []string{"db.password"}}
		rules, err := hidden.rules(nil)
		require.NoError(t, err)
		o.s.broadcaster.sources = append(o.s.broadcaster.sources, newSource(component.MustNewIDWithName("remote_tap", "hiding"), 0, rules))
		o.s.broadcaster.mu.Unlock()
		response, _ := o.answer(http.MethodGet, "/v1/traces?db.password=x")
		assert.Equal(t, http.StatusBadRequest, response.StatusCode, "one of the points hides it")
		response, _ = o.answer(http.MethodHead, "/v1/traces?db.password=x&point=remote_tap")
		assert.Equal(t, http.StatusOK, response.StatusCode)
		stream := o.stream("/v1/traces?db.password=" + secret + "&point=remote_tap&duration=1s")
		o.passConfidential()
		body, err := io.ReadAll(stream.Body)
		require.NoError(t, err)
		assert.Contains(t, string(body), secret, "this point hides nothing")
	})
}
