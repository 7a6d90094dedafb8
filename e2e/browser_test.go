package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// browserPatience is how long a browser may take for all that a page tries.
const browserPatience = 3 * time.Minute

// browse shows a URL in a headless Chromium until the test ends. To it evil.example.com and
// tap.internal are this machine, and nothing else is there; rules of the test's own come first.
func browse(t *testing.T, url string, rules ...string) {
	t.Helper()
	browser := newBrowser(t, rules, "--remote-debugging-port=0", url) // or it would end with the page
	require.NoError(t, browser.Start())
	t.Cleanup(func() {
		_ = browser.Cancel() // with all its children
		_ = browser.Wait()
	})
}

// newBrowser is a headless Chromium that does what the last arguments say.
func newBrowser(t *testing.T, rules []string, arguments ...string) *exec.Cmd {
	t.Helper()
	path := chromium(t)
	profile, err := os.MkdirTemp("", "remote-tap-browser-") //nolint:usetesting // the browser's children may write there for a moment longer
	require.NoError(t, err)
	rules = append(rules, "MAP evil.example.com 127.0.0.1", "MAP tap.internal 127.0.0.1",
		"MAP * ~NOTFOUND", "EXCLUDE localhost", "EXCLUDE 127.0.0.1")
	ctx, cancel := context.WithTimeout(context.Background(), browserPatience)
	t.Cleanup(func() {
		cancel()
		_ = os.RemoveAll(profile)
	})
	browser := exec.CommandContext(ctx, path, append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
		"--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--host-resolver-rules=" + strings.Join(rules, ","), "--user-data-dir=" + profile,
	}, arguments...)...)
	browser.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	browser.Cancel = func() error { return syscall.Kill(-browser.Process.Pid, syscall.SIGKILL) }
	return browser
}

// chromium finds the browser.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no Chromium is installed: what a browser does with the tap's answers is not tested")
	return ""
}

// tried is what one attempt of testdata/foreign.html has come to.
type tried struct{ How, Target, Read, Note string }

// site is a foreign web site on this machine.
type site struct {
	t       *testing.T
	port    string
	reports chan []tried
	rebind  func() // makes its name that of the tap
}

// newSite serves testdata/foreign.html.
func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, reports: make(chan []tried, 1), rebind: func() {}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "testdata/foreign.html") })
	mux.HandleFunc("POST /rebind", func(http.ResponseWriter, *http.Request) { s.rebind() })
	mux.HandleFunc("POST /report", func(_ http.ResponseWriter, r *http.Request) {
		var results []tried
		if assert.NoError(t, json.NewDecoder(r.Body).Decode(&results)) {
			s.reports <- results
		}
	})
	server := httptest.NewUnstartedServer(mux)
	server.Config.SetKeepAlivesEnabled(false) // each request asks anew who the name belongs to
	server.Start()
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	s.port = port
	return s
}

// page is the URL of the page on the site under a name and a port of its own.
func (s *site) page(host string, parameters url.Values) string {
	parameters.Set("report", "http://localhost:"+s.port+"/report")
	return "http://" + host + "/?" + parameters.Encode()
}

// attack shows the page under one of the site's names, lets it try everything on the targets while
// telemetry passes, and returns what it says.
func (s *site) attack(c *collector, name string, targets ...string) []tried {
	s.t.Helper()
	browse(s.t, s.page(name+":"+s.port, url.Values{"target": targets}))
	return s.await(c)
}

// await waits for the page's report, while telemetry passes.
func (s *site) await(c *collector) []tried {
	s.t.Helper()
	results := whilePassing(c, "planted", s.reports)
	require.Greater(s.t, len(results), 25)
	return results
}

// whilePassing waits for something, while log records with a text pass.
func whilePassing[T any](c *collector, text string, awaited <-chan T) T {
	c.t.Helper()
	late := time.After(browserPatience)
	pulse := time.NewTicker(50 * time.Millisecond)
	defer pulse.Stop()
	for {
		select {
		case it := <-awaited:
			return it
		case <-pulse.C:
			c.export(logs(), logs().generate(text, 1))
		case <-late:
			c.t.Fatal("the browser has nothing to say")
		}
	}
}

// requireNothingRead expects that no attempt has read anything, and that no tap was opened.
func requireNothingRead(t *testing.T, c *collector, results []tried) {
	t.Helper()
	for _, r := range results {
		assert.Empty(t, r.Read, "%s of %s (%s)", r.How, r.Target, r.Note)
	}
	require.Zero(t, c.countLogged("tap opened"))
}

// readers are the attempts that have read telemetry, or, if they ask for that, the points.
func readers(results []tried) []string {
	var read []string
	for _, r := range results {
		if strings.Contains(r.Read, "planted") || strings.Contains(r.Read, `"remote_tap"`) {
			read = append(read, r.How)
		}
	}
	return read
}

func TestPagesOfOtherSitesReadNothingAndOpenNoTap(t *testing.T) {
	for name, origin := range map[string]string{
		"another site":                 "evil.example.com",
		"another port of this machine": "localhost",
		"another port of its address":  "127.0.0.1",
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, fourPipelines)
			_, port, err := net.SplitHostPort(c.address())
			require.NoError(t, err)
			requireNothingRead(t, c, newSite(t).attack(c, origin, "http://localhost:"+port, "http://127.0.0.1:"+port))
		})
	}
}

// TestPagesOfAllowedOriginsReadOverEveryTransport also proves that the page's attempts work at all.
func TestPagesOfAllowedOriginsReadOverEveryTransport(t *testing.T) {
	s := newSite(t)
	for name, host := range map[string]string{"another site": "evil.example.com", "another port of this machine": "localhost"} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			c := start(t, fourPipelines, "processors: {remote_tap: {cors: {allowed_origins: ['http://"+host+":"+s.port+"']}}}")
			results := s.attack(c, host, c.url("http", ""))
			read := readers(results)
			for _, how := range []string{
				"fetch", "fetch of the points", "fetch with credentials", "fetch with an Authorization header", "XMLHttpRequest",
				"WebSocket", "WebSocket on /", "EventSource", "EventSource with credentials", "gRPC-Web", "Connect", "Connect with JSON",
			} {
				assert.Contains(t, read, how, "%+v", results)
			}
			// What the origin of the page is not known of, or that browsers ask for in its name without
			// showing it to the page, is refused as ever.
			for _, how := range []string{"sandboxed fetch", "sandboxed WebSocket", "img", "script", "iframe", "fetch without CORS"} {
				assert.NotContains(t, read, how)
			}
		})
	}
}

// TestPageWhoseNameIsReboundToTheTapIsRefused: to the browser the tap is then the page's own
// server, so it may read all answers. All that it gets are refusals.
func TestPageWhoseNameIsReboundToTheTapIsRefused(t *testing.T) {
	c := start(t, fourPipelines)
	results := rebind(t, c)
	require.Empty(t, readers(results))
	require.Zero(t, c.countLogged("tap opened"))
	refused := 0
	for _, r := range results {
		if strings.Contains(r.Read, "is not one that this server answers to") {
			refused++
		}
	}
	require.Greater(t, refused, 10, "%+v", results)
}

// TestNameThatIsAllowedMayBeRebound proves that the page of the test above would have read.
func TestNameThatIsAllowedMayBeRebound(t *testing.T) {
	c := start(t, fourPipelines, "processors: {remote_tap: {allowed_hosts: [evil.example.com]}}")
	results := rebind(t, c)
	read := readers(results)
	for _, how := range []string{"fetch", "fetch of the points", "WebSocket", "EventSource", "gRPC-Web", "Connect"} {
		require.Contains(t, read, how, "%+v", results)
	}
}

// rebind shows a page of evil.example.com, whose name then becomes the tap's, and lets it try
// everything there.
func rebind(t *testing.T, c *collector) []tried {
	t.Helper()
	s := newSite(t)
	tap := c.server().address
	var bound atomic.Bool
	name := forward(t, func() string {
		if bound.Load() {
			return tap
		}
		return "127.0.0.1:" + s.port
	})
	s.rebind = func() { bound.Store(true) }
	_, port, err := net.SplitHostPort(tap)
	require.NoError(t, err)
	// The port in the page's URL is the tap's; the resolver's rule stands for what DNS does.
	browse(t, s.page("evil.example.com:"+port, url.Values{"rebind": {"http://localhost:" + s.port + "/rebind"}}),
		"MAP evil.example.com:"+port+" "+name)
	return s.await(c)
}

// forward connects whoever connects to the returned address to where it is told at that moment.
func forward(t *testing.T, to func() string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				go pipe(conn, to())
			}
		}
	}()
	return listener.Addr().String()
}

// pipe copies between a connection and an address until either side has had enough.
func pipe(client net.Conn, address string) {
	defer client.Close()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	done := make(chan struct{}, 2)
	for _, ends := range [][2]net.Conn{{client, server}, {server, client}} {
		go func() {
			_, _ = io.Copy(ends[0], ends[1])
			done <- struct{}{}
		}()
	}
	<-done
}

// TestTapByNameWithoutTLSIsNotReadButMayBeOpened: to a server that is neither this machine nor
// speaks TLS, browsers do not say what caused a request (no Sec-Fetch-Site), and for an image they
// send no Origin. So a page can open a tap that it cannot read. docs/security.md says what that
// costs, and what keeps it out.
func TestTapByNameWithoutTLSIsNotReadButMayBeOpened(t *testing.T) {
	c := start(t, fourPipelines)
	_, port, err := net.SplitHostPort(c.address())
	require.NoError(t, err)
	results := newSite(t).attack(c, "evil.example.com", "http://tap.internal:"+port)
	for _, r := range results {
		assert.Empty(t, r.Read, "%s of %s (%s)", r.How, r.Target, r.Note)
	}
	for _, e := range c.journal.all() {
		if e.Message == "tap opened" {
			assert.True(t, slices.Contains([]any{"ndjson", "sse"}, e.fields["transport"]), "%v", e.fields)
		}
	}
	require.NotZero(t, c.countLogged("tap opened"), "if this has become impossible, docs/security.md can say so")
}

// TestMarkupInTelemetryStaysText: what somebody wrote into telemetry, a path or a User-Agent is text
// to the browser of an engineer who opens the tap's answers in it.
func TestMarkupInTelemetryStaysText(t *testing.T) {
	const markup = `<script>document.body.innerText = "it ran"</script><img src=x onerror="document.body.innerText = 'it ran'">`
	c := start(t, fourPipelines)
	c.watch(kindNamed(t, "lines"), "/v1/traces", "User-Agent", markup)
	for name, path := range map[string]string{
		"a stream":      "/v1/logs?format=text&count=1",
		"the points":    "/v1/points",
		"an error":      "/nowhere/" + url.PathEscape(markup),
		"a bad request": "/v1/tap?severity=" + url.QueryEscape(markup),
	} {
		t.Run(name, func(t *testing.T) {
			shown := make(chan string, 1)
			browser := newBrowser(t, nil, "--dump-dom", c.url("http", path))
			go func() {
				output, err := browser.Output()
				assert.NoError(t, err)
				shown <- string(output)
			}()
			dom := whilePassing(c, markup, shown)
			assert.NotContains(t, dom, "it ran</")
			assert.NotContains(t, dom, "<script")
			assert.NotContains(t, dom, "<img")
			assert.Contains(t, dom, "script")
		})
	}
}
