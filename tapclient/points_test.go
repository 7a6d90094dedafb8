package tapclient_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

func TestPointsAreListedWithEverythingTheServerSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		n.start(home, &service{list: &remotetapv1.ListPointsResponse{
			Version: "1.2.3",
			Points: []*remotetapv1.Point{
				{Point: "remote_tap", Signals: []string{"traces", "logs"}, Rates: map[string]float64{"traces": 12.5}},
				{Point: "remote_tap/after", Signals: []string{"metrics"}},
			},
			Taps: []*remotetapv1.OpenTap{{
				Id: 7, Remote: "10.0.0.9:1", Subject: "CN=ada", UserAgent: "curl/8", Transport: "ndjson", Selection: "error=true", Ledger: account(3, 0, nil),
			}},
			Limits: &remotetapv1.Limits{Limit: 5, QueueMib: 16},
		}})
		list, err := n.client(home).ListPoints(t.Context())
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Equal(t, uint64(3), list[0].Taps[0].Ledger.Sent)
		list[0].Taps[0].Ledger = tapclient.Ledger{}
		require.Equal(t, tapclient.Listing{
			Origin:  tapclient.Origin{Endpoint: home, Address: home},
			Version: "1.2.3",
			Points: []tapclient.Point{
				{ID: "remote_tap", Signals: []tapclient.Signal{tapclient.Traces, tapclient.Logs}, Rates: map[tapclient.Signal]float64{tapclient.Traces: 12.5}},
				{ID: "remote_tap/after", Signals: []tapclient.Signal{tapclient.Metrics}, Rates: map[tapclient.Signal]float64{}},
			},
			Taps: []tapclient.OpenTap{{
				ID: 7, Remote: "10.0.0.9:1", Subject: "CN=ada", UserAgent: "curl/8", Transport: "ndjson", Selection: "error=true",
			}},
			Limits: tapclient.Limits{Taps: 5, QueueMiB: 16},
		}, list[0])
	})
}

func TestPointsAreListedForAllWhileSomeAreDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		for _, address := range []string{"a:1", "10.0.0.1:4000", "10.0.0.2:4000"} {
			n.start(address, &service{list: &remotetapv1.ListPointsResponse{Version: address}})
		}
		n.start("refuses:1", &service{})
		n.listen("silent:1")
		dns := &names{}
		dns.set("10.0.0.2", "10.0.0.3", "10.0.0.1", "10.0.0.2", "fd00::1")
		begin := time.Now()
		list, err := n.client("down:1,refuses:1,silent:1,a:1,"+pods, tapclient.WithResolver(dns), tapclient.WithConnectTimeout(3*time.Second)).ListPoints(t.Context())
		require.NoError(t, err)
		require.Equal(t, 3*time.Second, time.Since(begin))
		said := map[string]string{}
		var order []string
		for _, l := range list {
			order = append(order, l.String())
			said[l.String()] = l.Version
			if l.Err != nil {
				said[l.String()] = l.Err.Error()
			}
		}
		assert.Equal(t, []string{"down:1", "refuses:1", "silent:1", "a:1", "10.0.0.1:4000", "10.0.0.2:4000", "10.0.0.3:4000"}, order)
		assert.Equal(t, map[string]string{
			"down:1":        "cannot connect: dial tcp: connect to down:1: connection refused",
			"refuses:1":     "the collector is shutting down; connect again when it is back",
			"silent:1":      "no answer within 3s",
			"a:1":           "a:1",
			"10.0.0.1:4000": "10.0.0.1:4000",
			"10.0.0.2:4000": "10.0.0.2:4000",
			"10.0.0.3:4000": "cannot connect: dial tcp: connect to 10.0.0.3:4000: connection refused",
		}, said)
		var refused *tapclient.RefusedError
		require.ErrorAs(t, list[1].Err, &refused)
		require.Equal(t, codes.Unavailable, refused.Code)
	})
}

func TestListingFailsIfNobodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		dns := &names{}
		dns.fail(errors.New("no name server"))
		list, err := n.client("down:1,"+pods, tapclient.WithResolver(dns)).ListPoints(t.Context())
		require.Len(t, list, 2)
		require.EqualError(t, err, "down:1: cannot connect: dial tcp: connect to down:1: connection refused\n"+
			pods+": cannot look up collector.example: no name server")
		var at *tapclient.OriginError
		require.ErrorAs(t, err, &at)
	})
}

func TestListingObeysItsContextAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t)
		n.listen(home)
		c := n.client(home)
		go func() {
			<-time.After(time.Second)
			c.Close()
		}()
		begin := time.Now()
		_, err := c.ListPoints(t.Context())
		require.ErrorIs(t, err, tapclient.ErrClosed)
		require.Equal(t, time.Second, time.Since(begin))
	})
}
