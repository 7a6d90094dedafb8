package remotetapprocessor

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// numError is an error that quotes what it was given, as errors do.
func numError() error {
	_, err := strconv.Atoi("a secret of a customer")
	return err
}

func TestPanicsAreLoggedWithoutTheirValue(t *testing.T) {
	tests := []struct {
		name    string
		panics  func()
		problem string // "" for nothing in the log
	}{
		{"with a text", func() { panic("a secret of a customer") }, "a panic with string"},
		{"with an error", func() { panic(numError()) }, "a panic with *strconv.NumError"},
		{"with data", func() { panic([]byte("a secret of a customer")) }, "a panic with []uint8"},
		{"of the runtime", func() { var none []int; _ = none[len(none)+7] }, "runtime error: index out of range [7] with length 0"},
		{"that only ends the response", func() { panic(http.ErrAbortHandler) }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				handler := o.s.guarded(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { tt.panics() }))
				request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/", http.NoBody)
				assert.PanicsWithValue(t, http.ErrAbortHandler, func() { handler.ServeHTTP(httptest.NewRecorder(), request) })
				lines := o.logs.FilterMessageSnippet("bug").All()
				if tt.problem == "" {
					assert.Empty(t, lines)
					return
				}
				require.Len(t, lines, 1)
				assert.Equal(t, tt.problem, lines[0].ContextMap()["problem"])
				assert.Contains(t, lines[0].ContextMap()["stack"], "bug_test.go")
				assert.NotContains(t, fmt.Sprint(o.logs.All()), "secret")
			})
		})
	}
}

func TestPanicOnThePipelineIsLoggedWithoutItsValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		o.webSocket("/v1/traces")
		ops := traceOps()
		ops.marshal = func(ptrace.Traces) ([]byte, error) { panic(errors.New("a secret of a customer")) }
		for _, s := range o.s.broadcaster.snapshot().sources {
			if views := s.views.Load(); views != nil {
				publish(s, *views, ops, spans(3))
			}
		}
		assert.Equal(t, "internal_error", o.reason())
		lines := o.logs.FilterMessageSnippet("bug").All()
		require.Len(t, lines, 1)
		assert.Equal(t, "a panic with *errors.errorString", lines[0].ContextMap()["problem"])
		assert.NotContains(t, fmt.Sprint(o.logs.All()), "secret")
	})
}
