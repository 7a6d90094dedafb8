package remotetapprocessor

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/remotetap/remotetapprocessor/internal/selection"
)

func TestRefusalsTeach(t *testing.T) {
	since := time.Date(2026, 11, 20, 21, 19, 0, 0, time.UTC)
	tests := []struct {
		name    string
		refusal *refusal
		status  int
		reason  string
		json    string
		text    string
	}{
		{
			"a wrong value names its parameter", badParameter("format", `"x" is no format`, "write otlp_json"), 400, "bad_request",
			`{"error":"format: \"x\" is no format","parameter":"format","hint":"write otlp_json"}`,
			`format: "x" is no format; write otlp_json`,
		},
		{
			"a message that begins with its parameter does not name it twice", badParameter("format", "format none needs stats", ""), 400, "bad_request",
			`{"error":"format none needs stats","parameter":"format"}`,
			"format none needs stats",
		},
		{
			"a selection that cannot be served", asRefusal(&selection.Error{Parameter: "servce", Message: "unknown parameter", Hint: "did you mean service?"}), 400, "bad_request",
			`{"error":"unknown parameter","parameter":"servce","hint":"did you mean service?"}`,
			"unknown parameter; did you mean service?",
		},
		{
			"a limit says who holds the taps", limitReached(1, []holder{{Remote: "192.0.2.1:5", Since: since}}), 503, "limit_reached",
			`{"error":"all 1 taps are taken","hint":"wait until one ends, or raise ` + "`limit`" + ` in the remote_tap configuration",
			  "taps":[{"remote":"192.0.2.1:5","since":"2026-11-20T21:19:00Z"}]}`,
			"all 1 taps are taken; wait until one ends, or raise `limit` in the remote_tap configuration",
		},
		{
			"a shutdown", shuttingDown(), 503, "shutting_down",
			`{"error":"the collector is shutting down","hint":"connect again when it is back"}`,
			"the collector is shutting down; connect again when it is back",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			recorder := httptest.NewRecorder()
			tt.refusal.write(recorder)
			assert.Equal(t, tt.status, recorder.Code)
			assert.JSONEq(t, tt.json, recorder.Body.String())
			assert.Equal(t, tt.status == http.StatusServiceUnavailable, recorder.Header().Get("Retry-After") == "10")
			assert.Equal(t, tt.reason, tt.refusal.reason.String())
			assert.EqualError(t, tt.refusal, tt.text)
		})
	}
}
