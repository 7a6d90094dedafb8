package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// ForbiddenError says that the cluster does not let the user do something.
type ForbiddenError struct {
	text  string
	cause error
}

// Error says which permission is missing.
func (e *ForbiddenError) Error() string { return e.text }

// Unwrap returns what the API server said.
func (e *ForbiddenError) Unwrap() error { return e.cause }

// selectorOf finds the labels by which the target's pods are known; nil if it is a pod.
func (p *Pods) selectorOf(ctx context.Context) (labels.Selector, error) {
	t := p.target
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var selector *metav1.LabelSelector
	var err error
	switch t.kind {
	case "":
		return labels.Parse(t.selector)
	case kindPod:
		return nil, nil
	case kindService:
		return p.selectorOfService(ctx)
	case kindDeployment:
		o, failed := p.client.AppsV1().Deployments(t.namespace).Get(ctx, t.name, metav1.GetOptions{})
		if err = failed; err == nil {
			selector = o.Spec.Selector
		}
	case kindDaemonSet:
		o, failed := p.client.AppsV1().DaemonSets(t.namespace).Get(ctx, t.name, metav1.GetOptions{})
		if err = failed; err == nil {
			selector = o.Spec.Selector
		}
	case kindStatefulSet:
		o, failed := p.client.AppsV1().StatefulSets(t.namespace).Get(ctx, t.name, metav1.GetOptions{})
		if err = failed; err == nil {
			selector = o.Spec.Selector
		}
	case kindReplicaSet:
		o, failed := p.client.AppsV1().ReplicaSets(t.namespace).Get(ctx, t.name, metav1.GetOptions{})
		if err = failed; err == nil {
			selector = o.Spec.Selector
		}
	}
	if err != nil {
		return nil, p.explain(ctx, err, "get", t.kind.resource())
	}
	return metav1.LabelSelectorAsSelector(selector)
}

// selectorOfService is that of a service, which may have none.
func (p *Pods) selectorOfService(ctx context.Context) (labels.Selector, error) {
	service, err := p.client.CoreV1().Services(p.target.namespace).Get(ctx, p.target.name, metav1.GetOptions{})
	if err != nil {
		return nil, p.explain(ctx, err, "get", "services")
	}
	if len(service.Spec.Selector) == 0 {
		return nil, fmt.Errorf("service %s selects no pods: name its workload, as in deploy/NAME, or the pods' labels", p.target)
	}
	return labels.SelectorFromSet(service.Spec.Selector), nil
}

// list returns all pods of the target, in the order of their names. A pod that is not there is no error.
func (p *Pods) list(ctx context.Context) ([]corev1.Pod, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	pods := p.client.CoreV1().Pods(p.target.namespace)
	if p.selector == nil {
		pod, err := pods.Get(ctx, p.target.name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return nil, nil
		case err != nil:
			return nil, p.explain(ctx, err, "get", "pods")
		}
		return []corev1.Pod{*pod}, nil
	}
	// From the API server's cache, which is cheap for it and a moment old at most.
	found, err := pods.List(ctx, metav1.ListOptions{LabelSelector: p.selector.String(), ResourceVersion: "0"})
	if err != nil {
		return nil, p.explain(ctx, err, "list", "pods")
	}
	slices.SortFunc(found.Items, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	return found.Items, nil
}

// LookupHost returns the names of the pods that a port can be forwarded to now. It makes Pods a
// tapclient.Resolver; there is one name to look up, so host only appears in errors.
func (p *Pods) LookupHost(ctx context.Context, host string) ([]string, error) {
	all, err := p.list(ctx)
	if err != nil {
		return nil, err
	}
	names := running(all)
	if len(names) == 0 {
		text := "no pod is running"
		if len(all) > 0 {
			text += ": " + states(all)
		}
		return nil, &net.DNSError{Err: text, Name: host, IsNotFound: true}
	}
	if len(names) > maxPods {
		p.warned.Do(func() {
			if p.warn != nil {
				p.warn(fmt.Sprintf("%s has %d running pods: the first %d are watched; name fewer with a selector", p.target, len(names), maxPods))
			}
		})
		names = names[:maxPods]
	}
	return names, nil
}

// running are the names of the pods that a port can be forwarded to: they are not being deleted, and a
// container of theirs runs. Whether they are ready does not matter: a collector that is not is worth
// looking at.
func running(pods []corev1.Pod) []string {
	var names []string
	for i := range pods {
		if isRunning(&pods[i]) {
			names = append(names, pods[i].Name)
		}
	}
	return names
}

func isRunning(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && pod.Status.Phase == corev1.PodRunning &&
		(len(pod.Status.ContainerStatuses) == 0 || slices.ContainsFunc(pod.Status.ContainerStatuses,
			func(s corev1.ContainerStatus) bool { return s.State.Running != nil }))
}

// states says why pods are not running.
func states(pods []corev1.Pod) string {
	var texts []string
	for i := range pods {
		texts = append(texts, pods[i].Name+" is "+state(&pods[i]))
	}
	return some(texts)
}

// state is the word that kubectl shows.
func state(pod *corev1.Pod) string {
	if pod.DeletionTimestamp != nil {
		return "Terminating"
	}
	for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if s.State.Waiting != nil && s.State.Waiting.Reason != "" {
			return s.State.Waiting.Reason
		}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason != "" {
			return c.Reason
		}
	}
	return cmp.Or(pod.Status.Reason, string(pod.Status.Phase), "Pending")
}

// explain makes an error of what the API server said to a call.
func (p *Pods) explain(ctx context.Context, err error, verb, resource string) error {
	switch {
	case apierrors.IsForbidden(err):
		return &ForbiddenError{fmt.Sprintf("the cluster does not let you %s %s in namespace %s: ask for a role with the verb %s on %s there (%v)",
			verb, resource, p.target.namespace, verb, resource, err), err}
	case apierrors.IsUnauthorized(err):
		return &ForbiddenError{fmt.Sprintf("the cluster does not accept who you are: log in to it again, as for kubectl (%v)", err), err}
	case apierrors.IsNotFound(err):
		return p.noObject(ctx)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the cluster has not answered within %s: is it reachable, and is it the right --kube-context? (%w)", callTimeout, err)
	case errors.As(err, new(*apierrors.StatusError)):
		return fmt.Errorf("the cluster cannot %s %s in namespace %s: %w", verb, resource, p.target.namespace, err)
	default:
		return fmt.Errorf("cannot ask the cluster for %s: %w", resource, err)
	}
}
