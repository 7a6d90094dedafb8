package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
)

// planted is what a test puts wherever a secret could be, and looks for in the log.
const planted = "hunter2-4815162342"

// requireNothingLogged expects no trace of what was planted.
func (c *collector) requireNothingLogged() {
	c.t.Helper()
	for _, e := range c.journal.all() {
		require.NotContains(c.t, fmt.Sprint(e.Message, e.fields, e.Stack), planted)
	}
}

// secretHeaders are headers that clients keep secrets in.
func secretHeaders() []string {
	return []string{
		"Authorization", "Bearer " + planted, "Cookie", "session=" + planted, "X-Api-Key", planted,
		"Proxy-Authorization", "Basic " + planted, "Baggage", "key=" + planted, "X-Forwarded-For", planted, "Referer", "https://example.com/" + planted,
	}
}

const debugLogs = "service: {telemetry: {logs: {level: debug}}}"

func TestNoPayloadAndNoHeaderIsLogged(t *testing.T) {
	c := start(t, fourPipelines, debugLogs)
	var clients []*client
	for _, s := range []signal{traces(), metrics(), logs()} {
		clients = append(clients, c.watchAll("/v1/"+s.name, secretHeaders()...)...)
	}
	for _, format := range []string{"json", "text", "otlp_proto", "none&stats=1s"} {
		stream, err := c.ask("GET /v1/tap?format=" + format + " HTTP/1.1\r\nHost: localhost\r\nCookie: " + planted + "\r\n\r\n")
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, stream.answer.StatusCode)
	}
	// An expression that fails on each item, with an error that quotes it.
	failing := c.watch(kindNamed(t, "lines"), "/v1/logs?stats=100ms&where="+url.QueryEscape(`ParseJSON(log.attributes["label"])["a"] == 1`))
	for i, s := range allSignals() {
		c.export(s, s.generate(planted, 5))
		if s.name == "profiles" {
			continue
		}
		for _, w := range clients[i*len(everyKind()) : (i+1)*len(everyKind())] {
			w.collect(s, 5)
		}
	}
	account := failing.readTo(`"seen":5`)
	require.NotContains(t, string(account[len(account)-1]), `"eval_errors":0`)
	for _, w := range append(clients, failing) {
		w.leave()
	}
	c.awaitEnded(len(clients) + 1)
	c.requireNothingLogged()
}

func TestNothingOfARefusedRequestIsLogged(t *testing.T) {
	for name, config := range map[string]string{
		"without credentials": "",
		"with credentials":    authConfig("bearertokenauth", "{token: the-right-one}", ""),
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, fourPipelines, debugLogs, config)
			refuseEverything(t, c)
			if config != "" {
				refuseEverything(t, c, "Authorization", "Bearer the-right-one")
				require.NotContains(t, c.journal.String(), "the-right-one")
			}
			c.requireNothingLogged()
			require.Zero(t, c.countLogged("tap opened"))
		})
	}
}

// refuseEverything sends requests with secrets in all places, none of which opens a tap.
func refuseEverything(t *testing.T, c *collector, header ...string) {
	t.Helper()
	for _, query := range []string{
		planted, planted + "=1", "service=" + planted + "&" + planted + "=1", "min_duration=" + planted, "trace_id=" + planted,
		"count=" + planted, "sample=" + planted, "since=" + planted, "format=" + planted, "severity=" + planted, "point=" + planted,
		"where=" + planted, "where=" + url.QueryEscape(`span.attributes["password"] == "`+planted), "where=" + url.QueryEscape(planted+`("x") == true`),
		"where=" + url.QueryEscape(`IsMatch(span.name, "`+planted+`(")`), "attr." + planted + "=" + planted + "&rate=-1", "password.hash=" + planted + "&rate=x", "%zz" + planted,
	} {
		for _, k := range kinds() {
			_, err := k.open(c, "/v1/traces?"+query, headerOf(header))
			require.Error(t, err, query)
		}
	}
	for _, request := range [][]string{
		{http.MethodGet, "/" + planted},
		{http.MethodPost, "/v1/" + planted},
		{planted, "/v1/tap"},
		{http.MethodGet, "/?" + planted},
		{http.MethodGet, "/v1/points?" + planted},
		{http.MethodGet, "/v1/tap", "Origin", "https://" + planted + ".example.com"},
		{http.MethodGet, "/nowhere", "Host", planted + ".example.com"},
		{http.MethodGet, "/v1/tap", "Content-Encoding", planted},
		{http.MethodPost, tapMethod, "Content-Type", planted},
		{http.MethodPost, "/" + planted + "/Tap", "Content-Type", "application/grpc"},
	} {
		for _, version := range []int{1, 2} {
			answer := c.request(version, request[0], request[1], append(request[2:], header...)...)
			assert.GreaterOrEqual(t, answer.status, 200, request) // gRPC's refusals are 200
		}
	}
	name := protowire.AppendString(protowire.AppendTag(nil, 8, protowire.BytesType), planted)     // a duration that is none
	unknown := protowire.AppendString(protowire.AppendTag(nil, 99, protowire.BytesType), planted) // a field that there is not
	for _, p := range protocols() {
		for _, message := range [][]byte{[]byte(planted), name, unknown} {
			call, err := c.call(p, tapMethod, message, headerOf(header))
			require.NoError(t, err)
			_, err = call.next()
			require.Error(t, err)
			call.hangUp()
		}
	}
}

func TestNothingOfWhatIsNoRequestIsLogged(t *testing.T) {
	for _, secure := range []bool{false, true} {
		var c *collector
		if secure {
			var a *authority
			c, a = startTLS(t, debugLogs, "processors: {remote_tap: {tls: {client_ca_file: ''}}}")
			c.tls = a.client()
		} else {
			c = start(t, fourPipelines, debugLogs)
		}
		for _, text := range []string{
			planted, planted + "\r\n\r\n", "GET /" + planted + "\r\n\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\n" + planted + "\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + planted + "\r\n\r\n",
			"GET /v1/tap HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: " + planted + "\r\n\r\n",
			"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + strings.Repeat(planted, 10),
		} {
			for _, to := range []*collector{c, {t: c.t, dialTo: c.server()}} { // the other one speaks no TLS
				conn, err := to.dial(context.Background(), "http/1.1")
				require.NoError(t, err)
				_, err = io.WriteString(conn, text)
				require.NoError(t, err)
				if half, ok := conn.(interface{ CloseWrite() error }); ok {
					require.NoError(t, half.CloseWrite())
				}
				_, _ = io.Copy(io.Discard, conn) // until the server has had enough
				conn.Close()
			}
		}
		c.requireNothingLogged()
	}
}

func TestNothingThatAClientSaysInATapIsLogged(t *testing.T) {
	c := start(t, fourPipelines, debugLogs)
	handshake := strings.Replace(webSocketHandshake, "\r\n\r\n", "\r\nSec-WebSocket-Protocol: "+planted+"\r\nCookie: "+planted+"\r\n\r\n", 1)
	for i, frames := range [][]byte{
		maskedFrame(0x81, []byte(planted)), maskedFrame(0x89, []byte(planted)), maskedFrame(0x83, []byte(planted)),
		maskedFrame(0x88, append([]byte{3, 232}, planted...)), []byte(planted),
	} {
		r, err := c.ask(handshake)
		require.NoError(t, err)
		require.Equal(t, http.StatusSwitchingProtocols, r.answer.StatusCode)
		_, err = r.conn.Write(frames)
		require.NoError(t, err)
		r.conn.Close()
		c.awaitEnded(i + 1)
	}
	c.requireNothingLogged()
}

// TestLogHasTheSelectionAndTheUserAgentAsTheyWereWritten: the audit log is there to tell what
// somebody looked for. So a secret that is searched for is in the log: docs/security.md says so.
func TestLogHasTheSelectionAndTheUserAgentAsTheyWereWritten(t *testing.T) {
	c := start(t, fourPipelines)
	c.watch(kindNamed(t, "lines"), "/v1/traces?db.password="+planted+"&where="+url.QueryEscape(`span.name == "a\nb"`),
		"User-Agent", "curl/8 "+strings.Repeat("x", 500)).leave()
	c.awaitEnded(1)
	selection, err := url.ParseQuery(c.logged("tap opened", "selection"))
	require.NoError(t, err)
	require.Equal(t, planted, selection.Get("db.password"))
	require.Equal(t, `span.name == "a\nb"`, selection.Get("where"))
	require.Len(t, c.logged("tap opened", "user_agent"), 200)
}
