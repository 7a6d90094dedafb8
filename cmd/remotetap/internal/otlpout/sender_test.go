package otlpout

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/otlpout/receivertest"
	"github.com/remotetap/remotetapprocessor/internal/format"
	"github.com/remotetap/remotetapprocessor/internal/otlp"
	"github.com/remotetap/remotetapprocessor/internal/shop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// spans is a batch of 4 spans for each order.
func spans(t *testing.T, orders int) []byte {
	t.Helper()
	proto, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(shop.New().Traces(0, orders))
	require.NoError(t, err)
	return proto
}

// sender makes a sender with flags, and what it says.
func sender(t *testing.T, args ...string) (*Sender, *[]string) {
	t.Helper()
	var said []string
	s, err := settingsOf(t, args...).New("remotetap/test", func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) })
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s, &said
}

func TestAllSignalsArriveOverGRPC(t *testing.T) {
	receiver := receivertest.Start(t)
	s, said := sender(t, "--to", receiver.GRPC, "--to-header", "X-Tenant: a")
	send := func(signal otlp.Signal, proto []byte, err error, items uint64) {
		require.NoError(t, err)
		require.NoError(t, s.Send(t.Context(), signal, proto, items))
	}
	of := shop.New()
	metrics, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(of.Metrics(0, 5))
	send(otlp.Metrics, metrics, err, 10)
	logs, err := (&plog.ProtoMarshaler{}).MarshalLogs(of.Logs(0, 5))
	send(otlp.Logs, logs, err, 5)
	send(otlp.Traces, spans(t, 5), nil, 20)
	pd := pprofile.NewProfiles()
	pd.ResourceProfiles().AppendEmpty().ScopeProfiles().AppendEmpty().Profiles().AppendEmpty().Samples().AppendEmpty()
	profiles, err := (&pprofile.ProtoMarshaler{}).MarshalProfiles(pd)
	send(otlp.Profiles, profiles, err, 1)

	assert.Equal(t, of.Traces(0, 5), receiver.Traces())
	assert.Equal(t, of.Metrics(0, 5), receiver.Metrics())
	assert.Equal(t, of.Logs(0, 5), receiver.Logs())
	assert.Equal(t, 36, receiver.Items())
	assert.Equal(t, "taken 36, not taken 0", s.Account.Count().String())
	assert.Empty(t, *said)
	assert.Equal(t, []string{"a"}, receiver.Headers()[0].Get("x-tenant"))
	assert.Contains(t, receiver.Headers()[0].Get("user-agent")[0], "remotetap/test")
}

func TestSpansArriveOverHTTPAndWhatItDoesNotTakeIsSaidOnce(t *testing.T) {
	receiver := receivertest.Start(t)
	s, said := sender(t, "--to", receiver.URL, "--to-header", "X-Tenant: a")
	require.NoError(t, s.Send(t.Context(), otlp.Traces, spans(t, 5), 20))
	require.NoError(t, s.Send(t.Context(), otlp.Logs, []byte{0xff}, 5))
	require.NoError(t, s.Send(t.Context(), otlp.Traces, spans(t, 5), 20))
	logs, err := (&plog.ProtoMarshaler{}).MarshalLogs(shop.New().Logs(0, 5))
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, s.Send(t.Context(), otlp.Logs, logs, 5))
	}
	assert.Equal(t, 40, receiver.Traces().SpanCount())
	assert.Equal(t, "taken 40, not taken 15: unsupported 10, refused 5", s.Account.Count().String())
	assert.Len(t, *said, 2)
	assert.Contains(t, (*said)[0], "a batch of logs is malformed, and not sent")
	assert.Contains(t, (*said)[1], "takes no logs: HTTP 404")
	assert.Equal(t, []string{"a"}, receiver.Headers()[0].Get("x-tenant"))
	assert.Equal(t, []string{"application/x-protobuf"}, receiver.Headers()[0].Get("content-type"))
}

func TestPartialSuccessAndRefusalsAreCounted(t *testing.T) {
	receiver := receivertest.Start(t)
	receiver.Answer = func(request int) (int64, string, error) {
		switch request {
		case 0:
			return 3, "too old", nil
		case 1:
			return 0, "slow down", nil
		case 2:
			return 99, "", nil
		default:
			return 0, "", status.Error(codes.InvalidArgument, "no such tenant")
		}
	}
	s, said := sender(t, "--to", receiver.GRPC)
	for range 5 {
		require.NoError(t, s.Send(t.Context(), otlp.Traces, spans(t, 5), 20))
	}
	assert.Equal(t, "taken 37, not taken 63: refused 40, rejected 23", s.Account.Count().String())
	assert.Equal(t, []string{
		receiver.GRPC + " rejects items: too old",
		receiver.GRPC + " warns: slow down",
		receiver.GRPC + " rejects items: it does not say why",
		receiver.GRPC + " refuses traces: no such tenant (InvalidArgument)",
	}, *said)
}

func TestWhatIsAskedForAgainIsSentAgain(t *testing.T) {
	for name, to := range map[string]func(*receivertest.Receiver) string{
		"gRPC": func(r *receivertest.Receiver) string { return r.GRPC },
		"HTTP": func(r *receivertest.Receiver) string { return r.URL },
	} {
		t.Run(name, func(t *testing.T) {
			receiver := receivertest.Start(t)
			receiver.Answer = func(request int) (int64, string, error) {
				switch {
				case request == 0 && name == "gRPC":
					asked, err := status.New(codes.ResourceExhausted, "busy").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Millisecond)})
					require.NoError(t, err)
					return 0, "", asked.Err()
				case request == 0:
					return 0, "", status.Error(http.StatusTooManyRequests, "busy")
				}
				return 0, "", nil
			}
			s, said := sender(t, "--to", to(receiver))
			require.NoError(t, s.Send(t.Context(), otlp.Traces, spans(t, 5), 20))
			assert.Equal(t, "taken 20, not taken 0", s.Account.Count().String())
			assert.Equal(t, 2, receiver.Requests())
			require.Len(t, *said, 2)
			assert.Contains(t, (*said)[0], "busy")
			assert.Contains(t, (*said)[0], "trying again")
			assert.Contains(t, (*said)[1], "it takes telemetry again")
		})
	}
}

func TestWrongCredentialsEndTheSending(t *testing.T) {
	receiver := receivertest.Start(t)
	for to, code := range map[string]codes.Code{receiver.GRPC: codes.Unauthenticated, receiver.URL: http.StatusUnauthorized} {
		receiver.Answer = func(int) (int64, string, error) { return 0, "", status.Error(code, "who are you?") }
		s, _ := sender(t, "--to", to)
		err := s.Send(t.Context(), otlp.Traces, spans(t, 5), 20)
		require.ErrorContains(t, err, "who are you?")
		require.ErrorContains(t, err, "--to-header @FILE")
		assert.Equal(t, app.CodeRefused, app.CodeOf(err))
		assert.Equal(t, "taken 0, not taken 20: refused 20", s.Account.Count().String())
	}
}

func TestTheWrongProtocolIsSaid(t *testing.T) {
	receiver := receivertest.Start(t)
	for says, to := range map[string]string{
		"this port speaks HTTP, not gRPC":   strings.TrimPrefix(receiver.URL, "http://"),
		"this port does not speak HTTP; if": "http://" + receiver.GRPC,
	} {
		s, _ := sender(t, "--to", to)
		err := s.Send(t.Context(), otlp.Traces, spans(t, 5), 20)
		require.ErrorContains(t, err, says)
		assert.Equal(t, app.CodeUsage, app.CodeOf(err))
		assert.EqualValues(t, 20, s.Account.Count().Lost())
	}
}

func TestLargeBatchesAreSplit(t *testing.T) {
	receiver := receivertest.Start(t)
	s, _ := sender(t, "--to", receiver.GRPC)
	proto := spans(t, 8000)
	require.Greater(t, len(proto), 2*maxRequest)
	require.NoError(t, s.Send(t.Context(), otlp.Traces, proto, 32000))
	assert.Equal(t, 32000, receiver.Items())
	assert.GreaterOrEqual(t, receiver.Requests(), 3)
	assert.Equal(t, "taken 32,000, not taken 0", s.Account.Count().String())
}

func TestTLSIsCheckedAgainstTheGivenAuthority(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/v1/traces", r.URL.Path)
		w.WriteHeader(http.StatusOK)
	}))
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(ca, block, 0o600))
	s, _ := sender(t, "--to", server.URL, "--to-cacert", ca)
	require.NoError(t, s.Send(t.Context(), otlp.Traces, spans(t, 1), 4))
	assert.Equal(t, "taken 4, not taken 0", s.Account.Count().String())

	s, said := sender(t, "--to", server.URL, "--to-retry", "0s")
	require.NoError(t, s.Send(t.Context(), otlp.Traces, spans(t, 1), 4))
	assert.Equal(t, "taken 0, not taken 4: unavailable 4", s.Account.Count().String())
	assert.Contains(t, strings.Join(*said, "\n"), "certificate")

	s, said = sender(t, "--to", strings.Replace(server.URL, "https", "http", 1), "--to-retry", "0s")
	require.NoError(t, s.Send(t.Context(), otlp.Traces, spans(t, 1), 4))
	assert.EqualValues(t, 4, s.Account.Count().Lost())
	assert.NotEmpty(t, *said)
}

func TestErrorsOfConnectionsAreWords(t *testing.T) {
	assert.Contains(t, plain(tls.RecordHeaderError{}).Error(), "write http://")
	assert.Equal(t, "no answer within --to-timeout", ofConnection(context.DeadlineExceeded).Error())
}

// receivers that answer by a function, without a network.
type fake func(ctx context.Context) (answer, *failure)

func (f fake) export(ctx context.Context, _ otlp.Signal, _ []byte) (answer, *failure) { return f(ctx) }
func (fake) close() error                                                             { return nil }

func newFake(f fake, retry time.Duration) (*Sender, *[]string) {
	var said []string
	return &Sender{
		Account: &Account{}, to: "x", exporter: f, timeout: 10 * time.Second, retry: retry, said: map[string]bool{},
		say:      func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) },
		renderer: format.New(format.OTLPProto, format.Options{MaxMessage: maxRequest}),
	}, &said
}

func TestAttemptsEndWhenTheTimeForThemIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		s, said := newFake(func(context.Context) (answer, *failure) {
			attempts++
			return answer{}, &failure{err: errors.New("connection refused"), again: true}
		}, time.Minute)
		begin := time.Now()
		require.NoError(t, s.Send(t.Context(), otlp.Traces, spans(t, 5), 20))
		assert.Equal(t, "taken 0, not taken 20: unavailable 20", s.Account.Count().String())
		took := time.Since(begin)
		assert.LessOrEqual(t, took, time.Minute)
		assert.Greater(t, took, 50*time.Second)
		assert.Greater(t, attempts, 10)
		assert.Less(t, attempts, 40, "the waits grow")
		s.EndsWhenUnavailable = true
		require.EqualError(t, s.Send(t.Context(), otlp.Traces, spans(t, 8000), 32000), "x: connection refused; given up after 1m0s (--to-retry)")
		assert.EqualValues(t, 32020, s.Account.Count().Lost())
		assert.NotZero(t, s.Account.Count().NotTaken[Interrupted], "the requests behind it were not tried")
		assert.Equal(t, []string{"x: connection refused; trying again", "x: connection refused; given up after 1m0s (--to-retry)"}, *said)
	})
}

func TestTheReceiverSaysHowLongToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		s, _ := newFake(func(context.Context) (answer, *failure) {
			if attempts++; attempts == 1 {
				return answer{}, &failure{err: errors.New("busy"), again: true, after: 30 * time.Second}
			}
			return answer{}, nil
		}, time.Minute)
		begin := time.Now()
		require.NoError(t, s.Send(t.Context(), otlp.Traces, spans(t, 5), 20))
		assert.Equal(t, 30*time.Second, time.Since(begin))
		assert.EqualValues(t, 20, s.Account.Count().Taken)

		attempts, s.retry, begin = 0, 20*time.Second, time.Now()
		require.NoError(t, s.Send(t.Context(), otlp.Traces, spans(t, 5), 20))
		assert.Zero(t, time.Since(begin), "longer than is waited at most")
		assert.EqualValues(t, 20, s.Account.Count().NotTaken[Unavailable])
	})
}

func TestAnInterruptionIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(func(ctx context.Context) (answer, *failure) {
			<-ctx.Done()
			return answer{}, ofConnection(ctx.Err())
		}, time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
		defer cancel()
		begin := time.Now()
		require.NoError(t, s.Send(ctx, otlp.Traces, spans(t, 5), 20))
		assert.Equal(t, 25*time.Second, time.Since(begin), "two requests that took too long, and a third")
		assert.Equal(t, "taken 0, not taken 20: interrupted 20", s.Account.Count().String())
	})
}

func TestRetryAfterIsSecondsOrADate(t *testing.T) {
	now := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-7": 0, "soon": 0,
		"Fri, 02 Jan 2026 15:04:15 GMT": 10 * time.Second, "Fri, 02 Jan 2026 15:04:00 GMT": 0,
	} {
		assert.Equal(t, want, retryAfter(text, now), text)
	}
}

func TestWhichAnswersAreFinal(t *testing.T) {
	again := map[codes.Code]bool{
		codes.Canceled: true, codes.DeadlineExceeded: true, codes.Aborted: true, codes.OutOfRange: true, codes.Unavailable: true, codes.DataLoss: true,
	}
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		assert.Equal(t, again[code], ofGRPC(status.Error(code, "")).again, code)
	}
	for code := 100; code < 600; code++ {
		f := ofHTTP(&http.Response{StatusCode: code, Header: http.Header{}}, "", time.Now())
		if code/100 == 2 {
			assert.Nil(t, f)
			continue
		}
		assert.Equal(t, code == 429 || code == 502 || code == 503 || code == 504, f.again, code)
	}
}
