// Package kube finds the pods of a collector in Kubernetes and forwards a port to each, following
// restarts.
package kube

import (
	"context"
	"errors"

	"github.com/remotetap/remotetapprocessor/tapclient"
)

// Settings say which pods of which cluster.
type Settings struct {
	// Target is NAMESPACE/SELECTOR, such as "monitoring/app=otel-collector", or
	// [NAMESPACE/]deploy/NAME (also daemonset, statefulset, service and pod).
	Target string
	// Kubeconfig is the file to use instead of $KUBECONFIG and ~/.kube/config; may be "".
	Kubeconfig string
	// Context is the one of the kubeconfig to use; "" for its current one.
	Context string
	// Port is the port of the tap in each pod.
	Port string
}

// Connect finds the cluster, and returns the endpoint and the options with which tapclient.Dial
// reaches all of the target's pods. It talks to the API server, until ctx is done, to see that the
// target exists.
func Connect(context.Context, Settings) (endpoint string, options []tapclient.Option, err error) {
	return "", nil, errors.New("--kube: is not built yet")
}
