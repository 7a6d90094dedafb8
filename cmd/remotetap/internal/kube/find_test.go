package kube

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"
)

// pods are running pods with a label.
func runningPod(namespace, name string, labels map[string]string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}
}

func waitingPod(name, reason string) *corev1.Pod {
	pod := runningPod("monitoring", name, map[string]string{"app": "broken"})
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}}}
	return pod
}

func deletedPod(name string) *corev1.Pod {
	pod := runningPod("monitoring", name, map[string]string{"app": "collector"})
	pod.DeletionTimestamp = &metav1.Time{}
	return pod
}

// objects are what a cluster has in these tests.
func objects() []runtime.Object {
	collector := map[string]string{"app": "collector"}
	meta := metav1.ObjectMeta{Namespace: "monitoring", Name: "otel"}
	selector := &metav1.LabelSelector{MatchLabels: collector}
	return []runtime.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "monitoring"}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "default"}},
		runningPod("monitoring", "otel-b", collector),
		runningPod("monitoring", "otel-a", collector),
		deletedPod("otel-c"),
		runningPod("monitoring", "agent-0", map[string]string{"app.kubernetes.io/name": "agent"}),
		waitingPod("broken-0", "CrashLoopBackOff"),
		&appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Selector: selector}},
		&appsv1.DaemonSet{ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Selector: selector}},
		&appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Selector: selector}},
		&appsv1.ReplicaSet{ObjectMeta: meta, Spec: appsv1.ReplicaSetSpec{Selector: selector}},
		&appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "empty"},
			Spec:       appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "empty"}}},
		},
		&corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Selector: collector}},
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "external"}},
	}
}

// finding finds a target in the cluster of these tests; its default namespace is monitoring.
func finding(t *testing.T, client *fake.Clientset, text string) (*Pods, error) {
	t.Helper()
	target, err := parseTarget(text)
	if err != nil {
		return nil, err
	}
	if target.namespace == "" {
		target.namespace = "monitoring"
	}
	return find(t.Context(), client, &forwarder{port: "12001"}, target, nil)
}

func TestTargetsAreFound(t *testing.T) {
	collectors := []string{"otel-a", "otel-b"}
	for name, c := range map[string]struct {
		target   string
		pods     []string
		endpoint string
	}{
		"a label":                        {"app=collector", collectors, "dns:///app-collector.monitoring.pods:12001"},
		"a label in a namespace":         {"monitoring/app=collector", collectors, "dns:///app-collector.monitoring.pods:12001"},
		"a label with a domain":          {"app.kubernetes.io/name=agent", []string{"agent-0"}, "dns:///app-kubernetes-io-name-agent.monitoring.pods:12001"},
		"both":                           {"monitoring/app.kubernetes.io/name in (agent,x)", []string{"agent-0"}, "dns:///app-kubernetes-io-name-in--agent-x.monitoring.pods:12001"},
		"a deployment":                   {"deploy/otel", collectors, "dns:///otel.monitoring.pods:12001"},
		"a deployment, written out":      {"monitoring/deployment/otel", collectors, "dns:///otel.monitoring.pods:12001"},
		"a daemon set":                   {"ds/otel", collectors, "dns:///otel.monitoring.pods:12001"},
		"a stateful set":                 {"sts/otel", collectors, "dns:///otel.monitoring.pods:12001"},
		"a replica set":                  {"replicaset/otel", collectors, "dns:///otel.monitoring.pods:12001"},
		"a service, as its certificates": {"svc/otel", collectors, "dns:///otel.monitoring.svc:12001"},
		"a pod":                          {"pod/otel-b", []string{"otel-b"}, "dns:///otel-b.monitoring.pods:12001"},
	} {
		t.Run(name, func(t *testing.T) {
			pods, err := finding(t, fake.NewClientset(objects()...), c.target)
			require.NoError(t, err)
			names, err := pods.LookupHost(t.Context(), "")
			require.NoError(t, err)
			assert.Equal(t, c.pods, names)
			assert.Equal(t, c.endpoint, pods.Endpoint())
		})
	}
}

func TestWhatIsNotThereIsExplained(t *testing.T) {
	for name, c := range map[string]struct{ target, says string }{
		"a namespace with a typo":            {"monitorng/app=collector", `there is no namespace "monitorng"; did you mean monitoring?`},
		"a namespace that is far off":        {"prod/deploy/otel", `there is no namespace "prod"; there are default, monitoring`},
		"a deployment with a typo":           {"deploy/otle", "there is no deploy/otle in namespace monitoring; did you mean otel?"},
		"a kind that the name is not of":     {"deploy/agent-0", "did you mean monitoring/pod/agent-0?"},
		"a pod that is not there":            {"pod/otel-z", "there is no pod/otel-z in namespace monitoring; did you mean otel-"},
		"a name instead of a kind and name":  {"otel", "no pod of monitoring/otel is there; did you mean monitoring/deploy/otel?"},
		"a value with a typo":                {"app=colector", "no pod there has app=colector; did you mean app=collector?"},
		"a value that is far off":            {"app=shop", "no pod there has app=shop; there are app=broken, app=collector"},
		"a key that no pod has":              {"tier=front", "no pod there has the label tier; there are app, app.kubernetes.io/name"},
		"the right labels elsewhere":         {"default/app=collector", "no pod of default/app=collector is there; did you mean monitoring/app=collector?"},
		"a namespace without pods":           {"default/tier=x", "there are no pods in namespace default"},
		"a deployment without pods":          {"deploy/empty", "it has no pods now, or has been scaled to 0"},
		"a service without a selector":       {"svc/external", "service monitoring/svc/external selects no pods"},
		"pods that do not run":               {"app=broken", "no pod of monitoring/app=broken is running: broken-0 is CrashLoopBackOff"},
		"conditions that exclude each other": {"app=collector,app.kubernetes.io/name=agent", "all of them for none"},
		"a kind with a typo":                 {"deploymet/otel", `there is no kind "deploymet"; did you mean deployment/otel?`},
		"no selector":                        {"a=b=c", "write [NAMESPACE/]KEY=VALUE"},
		"nothing":                            {"", "write [NAMESPACE/]KEY=VALUE"},
		"a namespace alone":                  {"monitoring/", "write [NAMESPACE/]KEY=VALUE"},
		"no name":                            {"deploy/", "write deploy/NAME"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := finding(t, fake.NewClientset(objects()...), c.target)
			assert.ErrorContains(t, err, c.says)
		})
	}
}

func TestMissingPermissionsAreNamed(t *testing.T) {
	for name, c := range map[string]struct {
		verb, resource, target, says string
		err                          func(schema.GroupResource) error
	}{
		"list pods": {"list", "pods", "app=collector", "a role with the verb list on pods there", func(r schema.GroupResource) error {
			return apierrors.NewForbidden(r, "", errors.New("no"))
		}},
		"get deployments": {"get", "deployments", "deploy/otel", "a role with the verb get on deployments there", func(r schema.GroupResource) error {
			return apierrors.NewForbidden(r, "", errors.New("no"))
		}},
		"not logged in": {"list", "pods", "app=collector", "log in to it again", func(schema.GroupResource) error {
			return apierrors.NewUnauthorized("expired")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset(objects()...)
			client.PrependReactor(c.verb, c.resource, func(action ktesting.Action) (bool, runtime.Object, error) {
				return true, nil, c.err(action.GetResource().GroupResource())
			})
			_, err := finding(t, client, c.target)
			assert.ErrorContains(t, err, c.says)
			assert.ErrorAs(t, err, new(*ForbiddenError))
		})
	}
}

func TestNoMorePodsThanTheLimitAreWatchedAndItIsSaid(t *testing.T) {
	client := fake.NewClientset()
	for i := range maxPods + 1 {
		require.NoError(t, client.Tracker().Add(runningPod("monitoring", fmt.Sprintf("otel-%03d", i), map[string]string{"app": "many"})))
	}
	var warnings []string
	target, err := parseTarget("monitoring/app=many")
	require.NoError(t, err)
	pods, err := find(t.Context(), client, &forwarder{port: "12001"}, target, func(text string) { warnings = append(warnings, text) })
	require.NoError(t, err)
	for range 2 {
		names, err := pods.LookupHost(t.Context(), "")
		require.NoError(t, err)
		require.Len(t, names, maxPods)
	}
	require.Equal(t, []string{"monitoring/app=many has 101 running pods: the first 100 are watched; name fewer with a selector"}, warnings)
}
