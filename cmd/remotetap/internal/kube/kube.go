// Package kube finds the pods of a collector in Kubernetes and forwards a port to each, following
// restarts. It asks the API server for no more than `kubectl port-forward` does: get of the workload
// that is named, list of pods, and create of pods/portforward.
package kube

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"

	"github.com/remotetap/remotetapprocessor/tapclient"
)

const (
	// callTimeout is how long the API server may take for one answer.
	callTimeout = 10 * time.Second
	// maxPods is how many pods of a target are watched at once.
	maxPods = 100
	// maxShown is how many names or labels an error shows.
	maxShown = 10
)

// Settings say which pods of which cluster.
type Settings struct {
	// Target is [NAMESPACE/]SELECTOR, such as "monitoring/app=otel-collector", or
	// [NAMESPACE/]deploy/NAME (also daemonset, statefulset, replicaset, service and pod).
	Target string
	// Kubeconfig is the file to use instead of $KUBECONFIG and ~/.kube/config; may be "".
	Kubeconfig string
	// Context is the one of the kubeconfig to use; "" for its current one.
	Context string
	// Port is the port of the tap in each pod.
	Port string
	// Warn is told, once, if not all pods are watched. It may be nil.
	Warn func(string)
}

// Pods are the pods that a target means, as they come and go. Its methods may be called from many
// goroutines.
type Pods struct {
	// set at construction

	client   kubernetes.Interface
	forward  *forwarder
	target   target
	selector labels.Selector // nil if the target is a single pod
	warn     func(string)
	warned   sync.Once
}

// Connect finds the cluster and the target. It talks to the API server, until ctx is done, to see that
// the target exists and that a pod of it runs. The error says what there is instead; it is a
// *TargetError if what was written cannot be a target, and a *ForbiddenError if the cluster refuses.
func Connect(ctx context.Context, s Settings) (*Pods, error) {
	t, err := parseTarget(s.Target)
	if err != nil {
		return nil, err
	}
	if port, err := strconv.ParseUint(s.Port, 10, 16); err != nil || port == 0 {
		return nil, &TargetError{fmt.Sprintf("--kube-port %q: write a number from 1 to 65535, the port of the tap in the pods", s.Port)}
	}
	cluster, err := openCluster(s)
	if err != nil {
		return nil, err
	}
	if t.namespace == "" {
		t.namespace = cluster.namespace
	}
	return find(ctx, cluster.client, &forwarder{
		config: cluster.config, rest: cluster.client.CoreV1().RESTClient(), namespace: t.namespace, port: s.Port,
	}, t, s.Warn)
}

// find sees that the target exists and that a pod of it runs.
func find(ctx context.Context, client kubernetes.Interface, forward *forwarder, t target, warn func(string)) (*Pods, error) {
	p := &Pods{client: client, forward: forward, target: t, warn: warn}
	var err error
	if p.selector, err = p.selectorOf(ctx); err != nil {
		return nil, err
	}
	all, err := p.list(ctx)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, p.nothingMatches(ctx)
	}
	if len(running(all)) == 0 {
		return nil, fmt.Errorf("no pod of %s is running: %s", t, states(all))
	}
	return p, nil
}

// Endpoint is what tapclient.Dial is given for all of the pods.
func (p *Pods) Endpoint() string {
	return "dns:///" + net.JoinHostPort(p.target.hostName(), p.forward.port)
}

// Options make tapclient.Dial find the pods, and reach each through a port-forward.
func (p *Pods) Options() []tapclient.Option {
	return []tapclient.Option{tapclient.WithResolver(p), tapclient.WithDialer(p.Dial)}
}

// String is the target, with its namespace.
func (p *Pods) String() string { return p.target.String() }
