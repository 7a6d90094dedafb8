// Package kubetest is the part of a Kubernetes API server that forwards ports to pods, with as much
// around it as finding them takes, for tests. Its pods are addresses on this machine.
package kubetest

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Token is what the kubeconfig has clients send.
const Token = "kubernetes-token" //nolint:gosec // it opens nothing

// Test is what is needed of a testing.TB.
type Test interface {
	Helper()
	Cleanup(f func())
}

// Cluster is a running API server.
type Cluster struct {
	// set at construction

	server *httptest.Server

	// guarded by mu

	mu        sync.Mutex
	pods      []*Pod
	objects   []object            // workloads
	forbidden map[string]bool     // "VERB RESOURCE"
	onlySPDY  bool                // WebSockets are answered with 400
	upgrades  map[string]int      // port-forwards so far, by "websocket" and "spdy"
	open      map[*forward]string // port-forwards with their pod, NAMESPACE/NAME
}

// Pod is a pod.
type Pod struct {
	Namespace, Name string
	Labels          map[string]string
	// Address is where its ports lead, as HOST:PORT; "" if nothing listens.
	Address string
	// Port is the one that is listened on; others are refused.
	Port string
	// Waiting is why its container does not run; "" if it does.
	Waiting string
}

// object is a workload.
type object struct {
	namespace, resource, name string
	value                     any
}

// Start runs an API server until the test ends.
func Start(t Test) *Cluster {
	t.Helper()
	c := &Cluster{forbidden: map[string]bool{}, upgrades: map[string]int{}, open: map[*forward]string{}}
	c.server = httptest.NewTLSServer(c)
	t.Cleanup(func() {
		c.Cut("")
		c.server.Close()
	})
	return c
}

// Kubeconfig is a file with which clients reach the cluster.
func (c *Cluster) Kubeconfig() string {
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.server.Certificate().Raw})
	return fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: test
clusters: [{name: test, cluster: {server: %q, certificate-authority-data: %s}}]
users: [{name: engineer, user: {token: %s}}]
contexts: [{name: test, context: {cluster: test, user: engineer, namespace: monitoring}}]
`, c.server.URL, base64.StdEncoding.EncodeToString(authority), Token)
}

// Run adds a pod, or puts it in the place of the one with its name. Port-forwards to that break.
func (c *Cluster) Run(pod Pod) {
	c.Delete(pod.Namespace, pod.Name)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pods = append(c.pods, &pod)
}

// Delete removes a pod, and breaks the port-forwards to it.
func (c *Cluster) Delete(namespace, name string) {
	c.mu.Lock()
	c.pods = slices.DeleteFunc(c.pods, func(p *Pod) bool { return p.Namespace == namespace && p.Name == name })
	c.mu.Unlock()
	c.Cut(namespace + "/" + name)
}

// Add adds a workload, such as deployments, whose value is what the API answers.
func (c *Cluster) Add(namespace, resource, name string, value any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.objects = append(c.objects, object{namespace, resource, name, value})
}

// Forbid refuses a verb on a resource from now on: "list pods", "create pods/portforward".
func (c *Cluster) Forbid(permission string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forbidden[permission] = true
}

// OnlySPDY refuses WebSockets from now on, like versions before 1.30.
func (c *Cluster) OnlySPDY() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onlySPDY = true
}

// Upgrades is how many port-forwards there have been over "websocket" or "spdy".
func (c *Cluster) Upgrades(transport string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.upgrades[transport]
}

// ServeHTTP answers like the API server.
func (c *Cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+Token {
		fail(w, http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "Unauthorized")
		return
	}
	path := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/api/v1/"), "/apis/apps/v1/")
	parts := strings.Split(path, "/")
	var namespace string
	if parts[0] == "namespaces" && len(parts) > 2 {
		namespace, parts = parts[1], parts[2:]
	}
	resource, name := parts[0], strings.Join(parts[1:min(len(parts), 2)], "")
	verb := "list"
	if name != "" {
		verb = "get"
	}
	if len(parts) == 3 {
		verb, resource = "create", resource+"/"+parts[2]
	}
	c.mu.Lock()
	forbidden := c.forbidden[verb+" "+resource]
	c.mu.Unlock()
	switch {
	case forbidden:
		fail(w, http.StatusForbidden, metav1.StatusReasonForbidden,
			fmt.Sprintf("%s is forbidden: User \"engineer\" cannot %s resource %q in the namespace %q", resource, verb, resource, namespace))
	case verb == "create":
		c.servePortForward(w, r, namespace, name)
	case resource == "pods":
		c.servePods(w, namespace, name, r.URL.Query().Get("labelSelector"))
	case resource == "namespaces":
		c.serveNamespaces(w, name)
	default:
		c.serveObjects(w, namespace, resource, name)
	}
}

// servePods answers with a pod or a list.
func (c *Cluster) servePods(w http.ResponseWriter, namespace, name, selector string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}}
	matches, err := labels.Parse(selector)
	if err != nil {
		fail(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())
		return
	}
	for _, p := range c.pods {
		if (namespace == "" || p.Namespace == namespace) && (name == "" || p.Name == name) && matches.Matches(labels.Set(p.Labels)) {
			list.Items = append(list.Items, p.object())
		}
	}
	switch {
	case name == "":
		answer(w, &list)
	case len(list.Items) == 0:
		fail(w, http.StatusNotFound, metav1.StatusReasonNotFound, fmt.Sprintf("pods %q not found", name))
	default:
		answer(w, &list.Items[0])
	}
}

func (p *Pod) object() corev1.Pod {
	pod := corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}}
	pod.Namespace, pod.Name, pod.Labels = p.Namespace, p.Name, p.Labels
	pod.Status.Phase = corev1.PodRunning
	status := corev1.ContainerStatus{Name: "otelcol"}
	if p.Waiting != "" {
		status.State.Waiting = &corev1.ContainerStateWaiting{Reason: p.Waiting}
	} else {
		status.State.Running = &corev1.ContainerStateRunning{}
	}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{status}
	return pod
}

// serveNamespaces answers with those that have pods.
func (c *Cluster) serveNamespaces(w http.ResponseWriter, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := corev1.NamespaceList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "NamespaceList"}}
	seen := map[string]bool{}
	for _, p := range c.pods {
		if seen[p.Namespace] || name != "" && p.Namespace != name {
			continue
		}
		seen[p.Namespace] = true
		namespace := corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}}
		namespace.Name = p.Namespace
		list.Items = append(list.Items, namespace)
	}
	switch {
	case name == "":
		answer(w, &list)
	case len(list.Items) == 0:
		fail(w, http.StatusNotFound, metav1.StatusReasonNotFound, fmt.Sprintf("namespaces %q not found", name))
	default:
		answer(w, &list.Items[0])
	}
}

// serveObjects answers with a workload, or an empty list.
func (c *Cluster) serveObjects(w http.ResponseWriter, namespace, resource, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.objects {
		if o.namespace == namespace && o.resource == resource && o.name == name {
			answer(w, o.value)
			return
		}
	}
	fail(w, http.StatusNotFound, metav1.StatusReasonNotFound, fmt.Sprintf("%s %q not found", resource, name))
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) //nolint:errchkjson // a client that has left needs no answer
}

func fail(w http.ResponseWriter, code int, reason metav1.StatusReason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(metav1.Status{ //nolint:errchkjson // a client that has left needs no answer
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure, Code: int32(code), Reason: reason, Message: message,
	})
}
