package remotetapprocessor

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configauth"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer/consumertest"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

func TestPathsAndTheirSignals(t *testing.T) {
	tests := []struct {
		path    string
		signals []otlp.Signal
	}{
		{"/", []otlp.Signal{otlp.Traces, otlp.Metrics, otlp.Logs, otlp.Profiles}},
		{"/v1/tap", []otlp.Signal{otlp.Traces, otlp.Metrics, otlp.Logs, otlp.Profiles}},
		{"/v1/tap?signal=logs,traces", []otlp.Signal{otlp.Traces, otlp.Logs}},
		{"/v1/traces", []otlp.Signal{otlp.Traces}},
		{"/v1/traces?signal=traces", []otlp.Signal{otlp.Traces}},
		{"/v1/metrics", []otlp.Signal{otlp.Metrics}},
		{"/v1/logs", []otlp.Signal{otlp.Logs}},
		{"/v1/profiles", []otlp.Signal{otlp.Profiles}},
	}
	for _, tt := range tests {
		t.Run("a WebSocket on "+tt.path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				conn := o.webSocket(tt.path)
				passAll(t, o)
				for _, signal := range tt.signals {
					_, message, err := conn.ReadMessage()
					require.NoError(t, err)
					assert.Contains(t, topKeys(t, message), otlpKey(signal))
				}
				assertNothingPending(t, o)
			})
		})
		if tt.path == "/" {
			continue
		}
		t.Run("a stream on "+tt.path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				decoder := json.NewDecoder(o.stream(tt.path).Body)
				passAll(t, o)
				for _, signal := range tt.signals {
					var message json.RawMessage
					require.NoError(t, decoder.Decode(&message))
					assert.Contains(t, topKeys(t, message), otlpKey(signal))
				}
				assertNothingPending(t, o)
			})
		})
	}
}

// passAll sends one batch of each signal through the pipelines.
func passAll(t *testing.T, o *observed) {
	t.Helper()
	require.NoError(t, o.traces.ConsumeTraces(t.Context(), spans(1)))
	require.NoError(t, o.metrics.ConsumeMetrics(t.Context(), points(1)))
	require.NoError(t, o.collector.logs.ConsumeLogs(t.Context(), records(1)))
	require.NoError(t, o.profiles.ConsumeProfiles(t.Context(), samples(1)))
}

// assertNothingPending checks that a test has read all that there was.
func assertNothingPending(t *testing.T, o *observed) {
	t.Helper()
	synctest.Wait()
	final := o.s.broadcaster.snapshot().taps[0].ledger(time.Now())
	assert.Equal(t, final.matched, final.sent)
}

func otlpKey(signal otlp.Signal) string {
	return [...]string{otlp.Traces: "resourceSpans", otlp.Metrics: "resourceMetrics", otlp.Logs: "resourceLogs", otlp.Profiles: "resourceProfiles"}[signal]
}

func topKeys(t *testing.T, document []byte) map[string]json.RawMessage {
	t.Helper()
	var keys map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(document, &keys))
	return keys
}

func TestRefusedRequests(t *testing.T) {
	const (
		body   = `{"error":"a tap takes no request body","hint":"put what you want to see into the query string"}`
		format = `"hint":"write otlp_json, json, text, otlp_proto or none"}`
		known  = `"hint":"the parameters are point, signal, service, name, min_duration, error, severity, trace_id, otel.status_code, attr.KEY, sample, where, rate, count, duration, since, format, envelope, stats, max_message; an attribute is a key with a dot, such as http.route=/pay, or attr.KEY=VALUE"}`
		signal = `"hint":"write one or more of traces, metrics, logs, profiles, with commas between them"}`
		size   = `"hint":"write a number of bytes, or leave it out"}`
		paths  = `"hint":"the paths are /, /v1/tap, /v1/traces, /v1/metrics, /v1/logs, /v1/profiles and /v1/points; for gRPC /remotetap.v1.TapService/Tap and ListPoints"}`
		escape = `"hint":"escape special characters: %25 for %, %26 for &, %3B for ;"}`
		other  = `"hint":"leave the parameter out, or use /v1/tap"}`
	)
	tests := []struct {
		name   string
		say    string // the request line's method and target, then headers; a body after an empty line
		status int
		want   string
	}{
		{"an unknown path", "GET /v2/tap", 404, `{"error":"there is nothing at /v2/tap",` + paths},
		{"a known path with a slash", "GET /v1/traces/", 404, `{"error":"there is nothing at /v1/traces/",` + paths},
		{"a path with markup in it", "GET /%3Cscript%3E", 404, `{"error":"there is nothing at /\u003cscript\u003e",` + paths},
		{"an unknown path with another method", "POST /v2/tap\r\nContent-Length: 0", 404, `{"error":"there is nothing at /v2/tap",` + paths},

		{"POST", "POST /v1/tap\r\nContent-Length: 0", 405, `{"error":"POST is not allowed here","hint":"use GET"}`},
		{"POST with a body", "POST /v1/traces\r\nContent-Length: 2\r\n\r\n{}", 405, `{"error":"POST is not allowed here","hint":"use GET"}`},
		{"PUT to the help", "PUT /\r\nContent-Length: 0", 405, `{"error":"PUT is not allowed here","hint":"use GET"}`},
		{"DELETE of the points", "DELETE /v1/points", 405, `{"error":"DELETE is not allowed here","hint":"use GET"}`},
		{"OPTIONS", "OPTIONS /v1/tap", 405, `{"error":"OPTIONS is not allowed here","hint":"use GET"}`},
		{"a method that nobody knows", "BREW /v1/tap", 405, `{"error":"BREW is not allowed here","hint":"use GET"}`},

		{"a body on a GET", "GET /v1/tap\r\nContent-Length: 2\r\n\r\n{}", 400, body},
		{"a body in chunks on a GET", "GET /v1/tap\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400, body},
		{"a body on a WebSocket's handshake", "GET /v1/tap\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\n{}", 400, body},

		{"a parameter with a typo", "GET /v1/tap?signl=traces", 400, `{"error":"unknown parameter \"signl\"","parameter":"signl","hint":"did you mean signal?"}`},
		{"a parameter in another case", "GET /v1/tap?Format=otlp_json", 400, `{"error":"unknown parameter \"Format\"","parameter":"Format","hint":"did you mean format?"}`},
		{"a parameter like nothing", "GET /v1/tap?xyzzy=1", 400, `{"error":"unknown parameter \"xyzzy\"","parameter":"xyzzy",` + known},
		{"a parameter without a name", "GET /v1/tap?=1", 400, `{"error":"unknown parameter \"\"",` + known},
		{"a parameter given twice", "GET /v1/tap?format=otlp_json&format=otlp_json", 400, `{"error":"format: is given 2 times","parameter":"format","hint":"give it once"}`},
		{"the first wrong one of several, by name", "GET /v1/tap?zz=1&signal=x&format=y", 400, `{"error":"format: \"y\" is not one of otlp_json, json, text, otlp_proto, none","parameter":"format",` + format},
		{"a bad escape", "GET /v1/tap?signal=%zz", 400, `{"error":"the query string is malformed: invalid URL escape \"%zz\"",` + escape},
		{"a semicolon", "GET /v1/tap?signal=traces;format=x", 400, `{"error":"the query string is malformed: invalid semicolon separator in query",` + escape},

		{"a signal that is none", "GET /v1/tap?signal=spans", 400, `{"error":"signal: \"spans\" is no signal","parameter":"signal",` + signal},
		{"no signal at all", "GET /v1/tap?signal=", 400, `{"error":"signal: \"\" is no signal","parameter":"signal",` + signal},
		{"a comma too many", "GET /v1/tap?signal=traces,", 400, `{"error":"signal: \"\" is no signal","parameter":"signal",` + signal},
		{"a signal in another case", "GET /v1/tap?signal=Traces", 400, `{"error":"signal: \"Traces\" is no signal","parameter":"signal",` + signal},
		{"another signal than the path's", "GET /v1/logs?signal=traces", 400, `{"error":"signal: this path carries logs only","parameter":"signal",` + other},
		{"more signals than the path's", "GET /v1/logs?signal=logs,traces", 400, `{"error":"signal: this path carries logs only","parameter":"signal",` + other},

		{"a format that is none", "GET /v1/tap?format=xml", 400, `{"error":"format: \"xml\" is not one of otlp_json, json, text, otlp_proto, none","parameter":"format",` + format},
		{"no format", "GET /v1/tap?format", 400, `{"error":"format: \"\" is not one of otlp_json, json, text, otlp_proto, none","parameter":"format",` + format},
		{"no ledger where there is nothing else", "GET /v1/tap?format=none", 400, `{"error":"format: none delivers nothing without stats","parameter":"format","hint":"add stats=1s, or write another format"}`},
		{"protobuf as events", "GET /v1/tap?format=otlp_proto\r\nAccept: text/event-stream", 400, `{"error":"format: server-sent events are text, otlp_proto is not","parameter":"format","hint":"leave the Accept header out, or choose another format"}`},
		{"a count of nothing", "GET /v1/tap?format=none&stats=1s&count=1", 400, `{"error":"count: format=none delivers no items to count","parameter":"count","hint":"leave one of the two out"}`},
		{"a condition that is none", "GET /v1/tap?where=true", 400, `{"error":"where: the condition names no path, such as span.name, so no item can be asked","parameter":"where","hint":"write for example span.attributes[\"http.route\"] == \"/pay\" and resource.attributes[\"k8s.pod.name\"] != nil"}`},

		{"a size that is no number", "GET /v1/tap?max_message=64k", 400, `{"error":"max_message: \"64k\" is not a whole number from 1024 to 16777216","parameter":"max_message",` + size},
		{"a size that is not whole", "GET /v1/tap?max_message=1e5", 400, `{"error":"max_message: \"1e5\" is not a whole number from 1024 to 16777216","parameter":"max_message",` + size},
		{"a size that is too small", "GET /v1/tap?max_message=1023", 400, `{"error":"max_message: \"1023\" is not a whole number from 1024 to 16777216","parameter":"max_message",` + size},
		{"a size that is too large", "GET /v1/tap?max_message=16777217", 400, `{"error":"max_message: \"16777217\" is not a whole number from 1024 to 16777216","parameter":"max_message",` + size},
		{"a size that no integer holds", "GET /v1/tap?max_message=99999999999999999999", 400, `{"error":"max_message: \"99999999999999999999\" is not a whole number from 1024 to 16777216","parameter":"max_message",` + size},

		{"parameters on the help", "GET /?signal=traces", 400, `{"error":"the help takes no parameters","hint":"to tap, add them to /v1/tap: /v1/tap?signal=traces"}`},
		{"parameters on the points", "GET /v1/points?signal=traces", 400, `{"error":"/v1/points takes no parameters","hint":"leave the query string out"}`},

		{"a foreign origin", "GET /v1/tap\r\nOrigin: https://evil.com", 403, `{"error":"the Origin \"https://evil.com\" is not this server's own (the request's Host is \"localhost:12001\")","hint":"add the origin to cors::allowed_origins in the configuration of remote_tap if pages from there may read the data"}`},
		{"a foreign origin on the points", "GET /v1/points\r\nOrigin: null", 403, `{"error":"the Origin \"null\" is not this server's own (the request's Host is \"localhost:12001\")","hint":"add the origin to cors::allowed_origins in the configuration of remote_tap if pages from there may read the data"}`},
		{"another site", "GET /v1/tap\r\nSec-Fetch-Site: cross-site", 403, `{"error":"another web site caused this request (Sec-Fetch-Site: cross-site)","hint":"type the address into the browser instead of following a link, or add the site to cors::allowed_origins in the configuration of remote_tap if its pages may read the data"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				status, got := rawAnswer(t, o, request(tt.say))
				assert.Equal(t, tt.status, status)
				assert.JSONEq(t, tt.want, got)
				assert.Equal(t, 1, strings.Count(got, "\n"), "one line, and a newline")
				assertNoTap(t, o)
			})
		})
	}
}

// request completes a request: its first line to HTTP/1.1, and its header.
func request(say string) string {
	head, body, _ := strings.Cut(say, "\r\n\r\n")
	line, header, _ := strings.Cut(head, "\r\n")
	if header != "" {
		header += "\r\n"
	}
	return line + " HTTP/1.1\r\nHost: localhost:12001\r\n" + header + "\r\n" + body
}

func TestRefusalsAreJSONThatNobodyInterprets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		response, _ := o.answer(http.MethodGet, "/v1/tap?x=1")
		assert.Equal(t, "application/json; charset=utf-8", response.Header.Get("Content-Type"))
		assert.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"))
		response, _ = o.answer(http.MethodPost, "/v1/tap")
		assert.Equal(t, "GET, HEAD", response.Header.Get("Allow"))
	})
}

func TestHEADOfABadRequestSaysSo(t *testing.T) {
	tests := []struct {
		path   string
		status int
	}{
		{"/v1/tap", 200}, {"/v1/tap?x=1", 400}, {"/nowhere", 404}, {"/", 200}, {"/v1/points", 200},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				response, body := o.answer(http.MethodHead, tt.path)
				assert.Equal(t, tt.status, response.StatusCode)
				assert.Empty(t, body)
				assertNoTap(t, o)
			})
		})
	}
}

func TestWebSocketsAreRefusedBeforeTheUpgrade(t *testing.T) {
	tests := []struct {
		name   string
		path   string
		header []string
		status int
		want   string
	}{
		{"a bad selection", "/v1/tap?signal=x", nil, 400, "signal"},
		{"an unknown path", "/v1/nothing", nil, 404, ""},
		{"a foreign origin", "/v1/tap", []string{"Origin", "https://evil.com"}, 403, ""},
		{"another port of this machine", "/", []string{"Origin", "http://localhost:3000"}, 403, ""},
		{"a sandboxed page", "/", []string{"Origin", "null"}, 403, ""},
		{"another site", "/v1/tap", []string{"Sec-Fetch-Site", "cross-site"}, 403, ""},
		{"a host name that was rebound to this machine", "/v1/tap", []string{"Host", "rebound.example.com"}, 403, ""},
		{"such a host name with an origin to match", "/v1/tap", []string{"Host", "rebound.example.com", "Origin", "http://rebound.example.com"}, 403, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				_, response, err := o.handshake(tt.path, false, tt.header...)
				require.ErrorIs(t, err, websocket.ErrBadHandshake)
				assert.Equal(t, tt.status, response.StatusCode)
				var refused struct{ Error, Parameter, Hint string }
				require.NoError(t, json.NewDecoder(response.Body).Decode(&refused))
				assert.NotEmpty(t, refused.Error)
				assert.NotEmpty(t, refused.Hint)
				assert.Equal(t, tt.want, refused.Parameter)
				assertNoTap(t, o)
			})
		})
	}
}

func TestForeignPagesAreRefused(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		header []string
		status int
	}{
		{"no page at all, as curl", nil, nil, 200},
		{"our own page", nil, []string{"Origin", "http://localhost:12001", "Sec-Fetch-Site", "same-origin"}, 200},
		{"a foreign page", nil, []string{"Origin", "https://grafana.example.com"}, 403},
		{"a foreign page that is allowed", allowGrafana, []string{"Origin", "https://grafana.example.com", "Sec-Fetch-Site", "cross-site"}, 200},
		{"another foreign page than the one that is allowed", allowGrafana, []string{"Origin", "https://evil.com"}, 403},
		{"a name that was rebound to this machine", nil, []string{"Host", "rebound.example.com"}, 403},
		{"the same name, allowed", func(c *Config) { c.AllowedHosts = []string{"Rebound.example.com"} }, []string{"Host", "rebound.example.com"}, 200},
		{"a name inside a cluster", nil, []string{"Host", "otel.observability.svc.cluster.local:12001"}, 200},
		{"an address", nil, []string{"Host", "192.0.2.7:12001"}, 200},
	}
	for _, tt := range tests {
		for _, path := range []string{"/", "/v1/tap", "/v1/points", "/nowhere"} {
			t.Run(tt.name+" on "+path, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					if tt.change == nil {
						tt.change = func(*Config) {}
					}
					o := onMemory(t, tt.change)
					header := append([]string{"Host", "localhost:12001"}, tt.header...)
					if tt.header != nil && tt.header[0] == "Host" {
						header = tt.header
					}
					want := tt.status
					if path == "/nowhere" && want == http.StatusOK {
						want = http.StatusNotFound
					}
					assert.Equal(t, want, o.do(o.client, http.MethodGet, path, header...).StatusCode)
				})
			})
		}
	}
}

func allowGrafana(c *Config) {
	c.Server.CORS = configoptional.Some(confighttp.CORSConfig{AllowedOrigins: []string{"https://grafana.example.com"}})
}

func TestPreflightsAreForThoseWhoAreAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t, allowGrafana)
		response := o.do(o.client, http.MethodOptions, "/v1/tap", "Host", "localhost", "Origin", "https://grafana.example.com", "Access-Control-Request-Method", "GET")
		assert.Equal(t, "https://grafana.example.com", response.Header.Get("Access-Control-Allow-Origin"))
		response = o.do(o.client, http.MethodOptions, "/v1/tap", "Host", "localhost", "Origin", "https://evil.com", "Access-Control-Request-Method", "GET")
		assert.Equal(t, http.StatusForbidden, response.StatusCode)
		assert.Empty(t, response.Header.Get("Access-Control-Allow-Origin"))
	})
}

func TestCredentials(t *testing.T) {
	tests := []struct {
		name    string
		auth    string // the extension
		header  []string
		status  int
		scheme  string
		subject string
	}{
		{"none, where a name and a password are asked for", "basicauth", nil, 401, "Basic", ""},
		{"none, where a token is asked for", "oidc/corporate", nil, 401, "Bearer", ""},
		{"wrong ones", "basicauth", []string{"Authorization", "Basic d3Jvbmc6d3Jvbmc="}, 401, "Basic", ""},
		{"right ones with a user's name", "basicauth", []string{"Authorization", "username ada"}, 200, "", "ada"},
		{"right ones with a token's subject", "oidc/corporate", []string{"Authorization", "subject grace"}, 200, "", "grace"},
	}
	for _, tt := range tests {
		for _, path := range []string{"/", "/v1/tap", "/v1/points", "/nowhere"} {
			t.Run(tt.name+" on "+path, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := onMemory(t, withAuth(tt.auth))
					// With credentials any Host will do.
					response := o.do(o.client, http.MethodGet, path, append([]string{"Host", "tap.example.com"}, tt.header...)...)
					if tt.status == http.StatusUnauthorized {
						assert.Equal(t, http.StatusUnauthorized, response.StatusCode)
						assert.Equal(t, tt.scheme+` realm="remote_tap"`, response.Header.Get("WWW-Authenticate"))
						body, err := io.ReadAll(response.Body)
						require.NoError(t, err)
						assert.JSONEq(t, `{"error":"the request has no valid credentials","hint":"send them in an Authorization header (`+tt.scheme+`)"}`, string(body))
						return
					}
					assert.NotEqual(t, http.StatusUnauthorized, response.StatusCode)
					for _, line := range o.logs.FilterMessage("tap opened").All() {
						assert.Equal(t, tt.subject, line.ContextMap()["subject"])
					}
				})
			})
		}
	}
}

func TestRedirectsAreNotHTML(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		response, body := o.answer(http.MethodGet, "//v1/points")
		assert.Equal(t, "/v1/points", response.Header.Get("Location"))
		assert.Equal(t, "text/plain; charset=utf-8", response.Header.Get("Content-Type"))
		assert.Empty(t, body)
	})
}

func TestCredentialsAreNotInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t, withAuth("basicauth"))
		require.NoError(t, o.webSocket("/v1/tap", "Authorization", "username ada").Close())
		o.ended()
		o.do(o.client, http.MethodGet, "/v1/tap", "Authorization", "Basic d3Jvbmc6d3Jvbmc=")
		for _, line := range o.logs.All() {
			assert.NotContains(t, fmt.Sprint(line.Message, line.ContextMap()), "username")
			assert.NotContains(t, fmt.Sprint(line.Message, line.ContextMap()), "d3Jvbmc6d3Jvbmc=")
		}
	})
}

func TestForeignPagesDoNotGetAsFarAsCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t, withAuth("basicauth"))
		response := o.do(o.client, http.MethodGet, "/v1/tap", "Origin", "https://evil.com")
		assert.Equal(t, http.StatusForbidden, response.StatusCode)
	})
}

func withAuth(extension string) func(*Config) {
	return func(c *Config) {
		var id component.ID
		if err := id.UnmarshalText([]byte(extension)); err != nil {
			panic(err)
		}
		c.Server.Auth = configoptional.Some(confighttp.AuthConfig{Config: configauth.Config{AuthenticatorID: id}})
	}
}

func TestSubject(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	assert.Empty(t, subjectOf(r), "nobody in particular")
	r.TLS = &tls.ConnectionState{}
	assert.Empty(t, subjectOf(r), "TLS without a client certificate")
	r.TLS.PeerCertificates = []*x509.Certificate{{Subject: pkix.Name{CommonName: "ada", Organization: []string{"SRE"}}}}
	assert.Equal(t, "CN=ada,O=SRE", subjectOf(r))
}

func TestLimitReachedIs503AndFreesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t, func(c *Config) { c.Limit = 2 })
		opened := time.Now()
		first := o.webSocket("/v1/tap")
		<-time.After(30 * time.Second)
		second := o.stream("/v1/traces")

		response, body := o.answer(http.MethodGet, "/v1/logs")
		assert.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
		assert.Equal(t, "10", response.Header.Get("Retry-After"))
		assert.JSONEq(t, `{
			"error": "all 2 taps are taken",
			"hint": "wait until one ends, or raise `+"`limit`"+` in the remote_tap configuration",
			"taps": [
				{"remote": "127.0.0.1:50001", "since": "`+opened.UTC().Format(time.RFC3339Nano)+`"},
				{"remote": "127.0.0.1:50002", "since": "`+opened.Add(30*time.Second).UTC().Format(time.RFC3339Nano)+`"}
			]}`, body)
		_, response, err := o.handshake("/v1/tap", true)
		require.ErrorIs(t, err, websocket.ErrBadHandshake)
		assert.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
		assert.Equal(t, "10", response.Header.Get("Retry-After"))

		for _, leave := range []func() error{first.Close, second.Body.Close} {
			require.NoError(t, leave())
			assert.Equal(t, "client_closed", o.reason())
			o.webSocket("/v1/tap") // there is room again, for one
			_, _, err := o.handshake("/v1/tap", false)
			require.ErrorIs(t, err, websocket.ErrBadHandshake)
		}
	})
}

func TestWhatIsNoTapIsServedAtTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t, func(c *Config) { c.Limit = 1 })
		o.webSocket("/v1/tap")
		for _, path := range []string{"/", "/v1/points"} {
			response, _ := o.answer(http.MethodGet, path)
			assert.Equal(t, http.StatusOK, response.StatusCode, path)
		}
	})
}

func TestSignalThatNoPointCarriesIsRefused(t *testing.T) {
	c := newCollector(t)
	p, err := c.factory.CreateTraces(t.Context(), c.settings(), c.config, consumertest.NewNop())
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), nopHost()))
	defer func() { assert.NoError(t, p.Shutdown(t.Context())) }()
	s := c.server()
	recorder := httptest.NewRecorder()
	s.http.Handler.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/v1/tap?signal=metrics,logs", http.NoBody))
	assert.Equal(t, http.StatusBadRequest, recorder.Code)
	assert.JSONEq(t, `{"error":"no tap point carries metrics or logs","parameter":"signal","hint":"there are traces"}`, recorder.Body.String())
}

func TestClientsSayWhatTheyLike(t *testing.T) {
	tests := []struct{ name, say string }{
		{"not HTTP at all", "SSH-2.0-OpenSSH_9.6\r\n"},
		{"half a request", "GET /v1/tap HTTP/1.1\r\nHo"},
		{"a header that is too long", "GET /v1/tap HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 2*mib) + "\r\n\r\n"},
		{"the preface of HTTP/2 and then nonsense", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxxxxxxxxxxxxxxxxxxxxx"},
		{"an upgrade to something else", "GET /v1/points HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\n\r\n"},
		{"data right behind the handshake", handshakeHead + "\r\n" + string(frame(0x81, "hello"))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				healthy := o.webSocket("/v1/tap")
				go func() { // some of it is not read
					conn, err := o.connect(t.Context(), "tcp", "")
					if assert.NoError(t, err) {
						_, _ = conn.Write([]byte(tt.say))
						<-t.Context().Done()
						_ = conn.Close()
					}
				}()
				synctest.Wait()
				o.pass(3)
				assert.Equal(t, 3, nextSpans(t, healthy))
			})
		})
	}
}

func TestQueryStringOfAnyKindGetsAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		for _, value := range []string{"\x00", "\xff", strings.Repeat("x", 10_000), "ü", "\u2028", "\"'<>"} {
			response, body := o.answer(http.MethodGet, "/v1/tap?signal="+url.QueryEscape(value))
			assert.Equal(t, http.StatusBadRequest, response.StatusCode)
			assert.True(t, json.Valid([]byte(body)), body)
		}
	})
}
