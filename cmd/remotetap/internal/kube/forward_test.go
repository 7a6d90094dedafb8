package kube_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/collectortest"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/kube"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/kube/kubetest"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// collectorLabels are those of the pods in these tests.
func collectorLabels() map[string]string { return map[string]string{"app": "otel-collector"} }

// pod is a pod that leads to an address.
func pod(name, address string) kubetest.Pod {
	return kubetest.Pod{Namespace: "monitoring", Name: name, Labels: collectorLabels(), Port: "12001", Address: address}
}

// settings are for a target in a cluster.
func settings(t *testing.T, cluster *kubetest.Cluster, target string) kube.Settings {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(file, []byte(cluster.Kubeconfig()), 0o600))
	return kube.Settings{Target: target, Kubeconfig: file, Port: "12001"}
}

// tap opens a tap at all pods of a target.
func tap(t *testing.T, cluster *kubetest.Cluster, target string, selection tapclient.Selection) (*kube.Pods, *tapclient.Stream) {
	t.Helper()
	pods, err := kube.Connect(t.Context(), settings(t, cluster, target))
	require.NoError(t, err)
	client, err := tapclient.Dial(t.Context(), pods.Endpoint(), pods.Options()...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	stream, err := client.Tap(t.Context(), selection)
	require.NoError(t, err)
	return pods, stream
}

// next waits for an event of a kind, and passes over others.
func next[E tapclient.Event](t *testing.T, stream *tapclient.Stream) E {
	t.Helper()
	for {
		event, err := stream.Next(t.Context())
		require.NoError(t, err)
		if e, ok := event.(E); ok {
			return e
		}
	}
}

func TestTelemetryComesThroughPortForwards(t *testing.T) {
	for name, transport := range map[string]string{
		"over WebSocket":                         "websocket",
		"over SPDY where WebSocket is not there": "spdy",
	} {
		t.Run(name, func(t *testing.T) {
			collector := collectortest.Start(t, collectortest.Default)
			cluster := kubetest.Start(t)
			if transport == "spdy" {
				cluster.OnlySPDY()
			}
			cluster.Run(pod("otel-0", collector.Tap()))
			_, stream := tap(t, cluster, "app=otel-collector", tapclient.Selection{Signal: []tapclient.Signal{tapclient.Traces}, Point: []string{"remote_tap"}})
			up := next[*tapclient.Up](t, stream)
			assert.Equal(t, "otel-0:12001", up.From().String(), "the pod is the origin")
			// More than one frame of SPDY, or of anything below it.
			require.NoError(t, collectortest.NewShop().Send(t.Context(), collector.OTLP(), 0, 2000))
			var items uint64
			for items < 8000 {
				items += next[*tapclient.Batch](t, stream).Items
			}
			assert.Equal(t, uint64(8000), items)
			assert.Equal(t, 1, cluster.Upgrades(transport))
		})
	}
}

func TestPodsThatComeAndGoAreFollowed(t *testing.T) {
	collector := collectortest.Start(t, collectortest.Default)
	cluster := kubetest.Start(t)
	cluster.Run(pod("otel-0", collector.Tap()))
	_, stream := tap(t, cluster, "app=otel-collector", tapclient.Selection{Signal: []tapclient.Signal{tapclient.Logs}})
	require.Equal(t, "otel-0:12001", next[*tapclient.Up](t, stream).From().String())

	cluster.Run(pod("otel-1", collector.Tap()))
	require.Equal(t, "otel-1:12001", next[*tapclient.Up](t, stream).From().String(), "one more")

	cluster.Run(pod("otel-0", collector.Tap()))
	require.Equal(t, "otel-0:12001", next[*tapclient.Down](t, stream).From().String(), "a restart under the same name")
	require.Equal(t, "otel-0:12001", next[*tapclient.Up](t, stream).From().String())
	require.Equal(t, "otel-0:12001", next[*tapclient.Missed](t, stream).From().String())

	cluster.Run(pod("otel-2", collector.Tap()))
	cluster.Delete("monitoring", "otel-1")
	end := next[*tapclient.End](t, stream)
	require.Equal(t, "otel-1:12001", end.From().String(), "a pod that has another in its place")
	require.Equal(t, tapclient.EndAddressGone, end.Reason)
	require.NoError(t, collectortest.NewShop().Send(t.Context(), collector.OTLP(), 0, 1, "logs"))
	next[*tapclient.Batch](t, stream)
}

func TestDiallingSaysWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*kubetest.Cluster)
		pod     string
		says    []string
		refused bool
	}{
		"nothing listens on the port": {
			func(c *kubetest.Cluster) { c.Run(pod("otel-0", "")) }, "otel-0",
			[]string{"nothing listens on port 12001 of pod otel-0", "--kube-port"},
			false,
		},
		"nothing listens on the port, over SPDY": {
			func(c *kubetest.Cluster) {
				c.Run(pod("otel-0", ""))
				c.OnlySPDY()
			}, "otel-0", []string{"nothing listens on port 12001 of pod otel-0"}, false,
		},
		"the user may not forward ports": {
			func(c *kubetest.Cluster) {
				c.Run(pod("otel-0", ""))
				c.Forbid("create pods/portforward")
			}, "otel-0", []string{"verb create on pods/portforward", "namespace monitoring"}, true,
		},
		"the pod is gone": {
			func(c *kubetest.Cluster) { c.Run(pod("otel-0", "")) }, "otel-9", []string{"pod otel-9 is gone"}, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := kubetest.Start(t)
			c.prepare(cluster)
			pods, err := kube.Connect(t.Context(), settings(t, cluster, "app=otel-collector"))
			require.NoError(t, err)
			conn, err := pods.Dial(t.Context(), "tcp", c.pod+":12001")
			if err == nil { // it came later than the grace
				_, err = io.ReadAll(conn)
				conn.Close()
			}
			require.Error(t, err)
			for _, text := range c.says {
				assert.ErrorContains(t, err, text)
			}
			assert.Equal(t, c.refused, errors.As(err, new(*kube.ForbiddenError)))
		})
	}
}

func TestDiallingEndsWithItsContext(t *testing.T) {
	cluster := kubetest.Start(t)
	cluster.Run(pod("otel-0", ""))
	pods, err := kube.Connect(t.Context(), settings(t, cluster, "app=otel-collector"))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = pods.Dial(ctx, "tcp", "otel-0:12001")
	require.ErrorIs(t, err, context.Canceled)
}
