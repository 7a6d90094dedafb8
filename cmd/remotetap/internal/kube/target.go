package kube

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/remotetap/remotetapprocessor/internal/nearest"
)

// target is which pods are meant: those of a workload (kind and name), or of a selector.
type target struct {
	namespace string // "" until the kubeconfig has been read, if the user named none
	kind      kind   // "" for a selector
	name      string
	selector  string
}

// kind is a kind of object that has pods, in the short form that kubectl's users write.
type kind string

const (
	kindPod         kind = "pod"
	kindDeployment  kind = "deploy"
	kindDaemonSet   kind = "ds"
	kindStatefulSet kind = "sts"
	kindReplicaSet  kind = "rs"
	kindService     kind = "svc"
)

// kinds are all spellings.
func kinds() map[string]kind {
	return map[string]kind{
		"pod": kindPod, "pods": kindPod, "po": kindPod,
		"deploy": kindDeployment, "deployment": kindDeployment, "deployments": kindDeployment,
		"ds": kindDaemonSet, "daemonset": kindDaemonSet, "daemonsets": kindDaemonSet,
		"sts": kindStatefulSet, "statefulset": kindStatefulSet, "statefulsets": kindStatefulSet,
		"rs": kindReplicaSet, "replicaset": kindReplicaSet, "replicasets": kindReplicaSet,
		"svc": kindService, "service": kindService, "services": kindService,
	}
}

// resource is the kind's name in the API, which permissions are about.
func (k kind) resource() string {
	return map[kind]string{
		kindPod: "pods", kindDeployment: "deployments", kindDaemonSet: "daemonsets",
		kindStatefulSet: "statefulsets", kindReplicaSet: "replicasets", kindService: "services",
	}[k]
}

// TargetError says that what was written cannot be a target.
type TargetError struct{ text string }

// Error says what to write instead.
func (e *TargetError) Error() string { return e.text }

// parseTarget reads [NAMESPACE/]KIND/NAME or [NAMESPACE/]SELECTOR. Keys of labels may have a slash too,
// behind a domain: what has a dot is no namespace.
func parseTarget(text string) (target, error) {
	var t target
	rest := strings.TrimSpace(text)
	first, behind, found := strings.Cut(rest, "/")
	_, isKind := kinds()[first]
	if near := nearKind(first); found && !isKind && near != "" && !strings.ContainsAny(behind, "=!,()/") {
		return t, &TargetError{fmt.Sprintf("--kube %q: there is no kind %q; did you mean %s/%s?", text, first, near, behind)}
	}
	if found && !isKind && len(validation.IsDNS1123Label(first)) == 0 {
		t.namespace, rest = first, behind
		first, behind, found = strings.Cut(rest, "/")
	}
	if k, isKind := kinds()[first]; found && isKind {
		t.kind, t.name = k, behind
		if problems := validation.IsDNS1123Subdomain(behind); len(problems) > 0 {
			return t, &TargetError{fmt.Sprintf("--kube %q: %q is no name of an object: write %s/NAME", text, behind, first)}
		}
		return t, nil
	}
	if _, err := labels.Parse(rest); err != nil || rest == "" {
		return t, &TargetError{fmt.Sprintf("--kube %q: write [NAMESPACE/]KEY=VALUE for the pods with a label, or [NAMESPACE/]deploy/NAME (also daemonset, statefulset, replicaset, service and pod)", text)}
	}
	t.selector = rest
	return t, nil
}

// nearKind is the kind that a word was probably meant for; "" if none.
func nearKind(word string) string {
	if len(word) < 4 {
		return ""
	}
	var names []string
	for name := range kinds() {
		if len(name) > 4 {
			names = append(names, name)
		}
	}
	return nearest.Name(word, names)
}

// String is the target as it can be written.
func (t target) String() string {
	text := t.selector
	if t.kind != "" {
		text = string(t.kind) + "/" + t.name
	}
	if t.namespace == "" {
		return text
	}
	return t.namespace + "/" + text
}

// hostName is what the pods together are called in an endpoint: NAME.NAMESPACE.svc for a service, which
// is what certificates inside a cluster are for, else a name that nobody has. It is one that servers
// answer to without being told.
func (t target) hostName() string {
	if t.kind == kindService {
		return t.name + "." + t.namespace + ".svc"
	}
	name := t.name
	if t.kind == "" {
		name = strings.Trim(strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
				return r
			}
			return '-'
		}, strings.ToLower(t.selector)), "-")
		name = strings.Trim(name[:min(len(name), 63)], "-")
	}
	return name + "." + t.namespace + ".pods"
}
