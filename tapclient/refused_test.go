package tapclient_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

func TestTapThatIsRefusedForGoodEndsWithTheRefusal(t *testing.T) {
	for name, answer := range map[string]struct {
		err       error
		code      codes.Code
		message   string
		parameter string
		hint      string
	}{
		"a bad selection": {
			refusal(codes.InvalidArgument, &remotetapv1.Refusal{Error: "severity: loud is none", Parameter: "severity", Hint: "write warn"}),
			codes.InvalidArgument, "severity: loud is none", "severity", "write warn",
		},
		"a request that is too large": {
			refusal(codes.ResourceExhausted, &remotetapv1.Refusal{Error: "too large", Hint: "ask for less"}),
			codes.ResourceExhausted, "too large", "", "ask for less",
		},
		"no credentials":     {status.Error(codes.Unauthenticated, "who?"), codes.Unauthenticated, "who?", "", "give credentials, or check those that are given"},
		"a foreign page":     {status.Error(codes.PermissionDenied, "no"), codes.PermissionDenied, "no", "", "the credentials, or the name that the server is called by, are not enough"},
		"another service":    {status.Error(codes.Unimplemented, "unknown service"), codes.Unimplemented, "unknown service", "", "is this remote_tap's port, and does its version have gRPC? The service is remotetap.v1.TapService"},
		"not found by a way": {status.Error(codes.NotFound, "nothing"), codes.NotFound, "nothing", "", ""},
	} {
		for when, opens := range map[string]bool{"at once": false, "after its headers": true} {
			t.Run(name+", "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := newInternet(t)
					n.start(home, &service{play: func(tap *served) error {
						if opens {
							_ = tap.open()
						}
						return answer.err
					}})
					r := n.tap(home, tapclient.Selection{})
					end := next[*tapclient.End](r)
					assert.Equal(t, tapclient.EndRefused, end.Reason)
					assert.Zero(t, end.Totals.Connections)
					err := r.over()
					for _, err := range []error{end.Err, err} {
						var refused *tapclient.RefusedError
						require.ErrorAs(t, err, &refused)
						assert.Equal(t, answer.code, refused.Code)
						assert.Equal(t, answer.message, refused.Message)
						assert.Equal(t, answer.parameter, refused.Parameter)
						assert.Equal(t, answer.hint, refused.Hint)
						assert.Contains(t, err.Error(), answer.message)
						assert.Contains(t, err.Error(), answer.hint)
						assert.Equal(t, answer.code, status.Code(refused))
					}
					var at *tapclient.OriginError
					require.ErrorAs(t, err, &at)
					assert.Equal(t, end.Origin, at.Origin)
					assert.Equal(t, 1, n.attempts(home))
				})
			})
		}
	}
}

func TestRefusalNamesTheHoldersOfTheTaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		n.start(home, &service{play: func(*served) error {
			return refusal(codes.ResourceExhausted, &remotetapv1.Refusal{
				Error: "all 2 taps are taken", Hint: "wait",
				Taps: []*remotetapv1.Holder{{Remote: "10.0.0.9:4711", Since: timestamppb.New(time.Unix(1_700_000_000, 0))}, {Remote: "10.0.0.8:1"}},
			})
		}})
		r := n.tap(home, tapclient.Selection{}, tapclient.WithoutReconnect())
		next[*tapclient.End](r)
		err := r.over()
		var refused *tapclient.RefusedError
		require.ErrorAs(t, err, &refused)
		require.Len(t, refused.Taps, 2)
		require.Equal(t, "10.0.0.9:4711", refused.Taps[0].Remote)
		require.True(t, refused.Taps[0].Since.Equal(time.Unix(1_700_000_000, 0)))
		require.Contains(t, err.Error(), "held by 10.0.0.9:4711 since ")
		require.Contains(t, err.Error(), ", 10.0.0.8:1")
	})
}
