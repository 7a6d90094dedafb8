package kube

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/remotetap/remotetapprocessor/internal/nearest"
)

// maxLooked bounds what is looked at to say what there is instead.
const maxLooked = 500

// nothingMatches says that the target has no pods, and what there is instead, as far as the user may see
// it.
func (p *Pods) nothingMatches(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	t := p.target
	if err := p.noNamespace(ctx); err != nil {
		return err
	}
	if t.kind == kindPod {
		return p.noObject(ctx)
	}
	text := fmt.Sprintf("no pod of %s is there", t)
	if t.kind != "" {
		return fmt.Errorf("%s: it has no pods now, or has been scaled to 0", text)
	}
	if elsewhere := p.elsewhere(ctx); elsewhere != "" {
		return fmt.Errorf("%s; %s", text, elsewhere)
	}
	if workload := p.workloadNamed(ctx, t.selector); workload != "" {
		return fmt.Errorf("%s; did you mean %s/%s?", text, t.namespace, workload)
	}
	pods, err := p.client.CoreV1().Pods(t.namespace).List(ctx, metav1.ListOptions{Limit: maxLooked})
	if err != nil || len(pods.Items) == 0 {
		return fmt.Errorf("%s; there are no pods in namespace %s", text, t.namespace)
	}
	return fmt.Errorf("%s; %s", text, nearLabels(p.selector, pods.Items))
}

// noNamespace returns an error if the namespace is not there, as far as the user may see that.
func (p *Pods) noNamespace(ctx context.Context) error {
	name := p.target.namespace
	if _, err := p.client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		return nil
	}
	var names []string
	if all, err := p.client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{Limit: maxLooked}); err == nil {
		for i := range all.Items {
			names = append(names, all.Items[i].Name)
		}
	}
	return fmt.Errorf("there is no namespace %q%s", name, instead(name, names))
}

// instead is the end of a sentence that says that a name is not there.
func instead(name string, names []string) string {
	slices.Sort(names)
	switch near := nearest.Name(name, names); {
	case near != "":
		return fmt.Sprintf("; did you mean %s?", near)
	case len(names) > 0:
		return "; there are " + some(names)
	default:
		return ""
	}
}

// noObject says that the object of a target is not there, and which are.
func (p *Pods) noObject(ctx context.Context) error {
	t := p.target
	if err := p.noNamespace(ctx); err != nil {
		return err
	}
	text := fmt.Sprintf("there is no %s/%s in namespace %s", t.kind, t.name, t.namespace)
	names, err := p.names(ctx, t.kind, t.namespace)
	if err != nil {
		return fmt.Errorf("%s", text)
	}
	if near := instead(t.name, slices.Clone(names)); strings.Contains(near, "did you mean") {
		return fmt.Errorf("%s%s", text, near)
	}
	if workload := p.workloadNamed(ctx, t.name); workload != "" {
		return fmt.Errorf("%s; did you mean %s/%s?", text, t.namespace, workload)
	}
	return fmt.Errorf("%s%s", text, instead(t.name, names))
}

// workloadNamed finds an object with pods by its name, whatever its kind; "" if there is none.
func (p *Pods) workloadNamed(ctx context.Context, name string) string {
	for _, k := range []kind{kindDeployment, kindDaemonSet, kindStatefulSet, kindService, kindPod} {
		if names, err := p.names(ctx, k, p.target.namespace); err == nil && slices.Contains(names, name) {
			return string(k) + "/" + name
		}
	}
	return ""
}

// names are the names of all objects of a kind.
func (p *Pods) names(ctx context.Context, k kind, namespace string) ([]string, error) {
	options := metav1.ListOptions{Limit: maxLooked}
	switch k {
	case kindPod:
		list, err := p.client.CoreV1().Pods(namespace).List(ctx, options)
		return namesOf(list, err)
	case kindService:
		list, err := p.client.CoreV1().Services(namespace).List(ctx, options)
		return namesOf(list, err)
	case kindDeployment:
		list, err := p.client.AppsV1().Deployments(namespace).List(ctx, options)
		return namesOf(list, err)
	case kindDaemonSet:
		list, err := p.client.AppsV1().DaemonSets(namespace).List(ctx, options)
		return namesOf(list, err)
	case kindStatefulSet:
		list, err := p.client.AppsV1().StatefulSets(namespace).List(ctx, options)
		return namesOf(list, err)
	default:
		list, err := p.client.AppsV1().ReplicaSets(namespace).List(ctx, options)
		return namesOf(list, err)
	}
}

// elsewhere says in which other namespaces pods match; "" if in none, or the user may not see that.
func (p *Pods) elsewhere(ctx context.Context) string {
	pods, err := p.client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{LabelSelector: p.selector.String(), Limit: maxLooked})
	if err != nil || len(pods.Items) == 0 {
		return ""
	}
	namespaces := map[string]bool{}
	for i := range pods.Items {
		namespaces[pods.Items[i].Namespace] = true
	}
	var targets []string
	for _, namespace := range slices.Sorted(maps.Keys(namespaces)) {
		targets = append(targets, namespace+"/"+p.target.selector)
	}
	return "did you mean " + strings.Join(targets[:min(len(targets), maxShown)], " or ") + "?"
}

// nearLabels says which requirement of a selector no pod meets, and which labels there are.
func nearLabels(selector labels.Selector, pods []corev1.Pod) string {
	requirements, _ := selector.Requirements()
	for _, r := range requirements {
		if slices.ContainsFunc(pods, func(pod corev1.Pod) bool { return r.Matches(labels.Set(pod.Labels)) }) {
			continue
		}
		values, keys := map[string]bool{}, map[string]bool{}
		for i := range pods {
			for key, value := range pods[i].Labels {
				keys[key] = true
				if key == r.Key() {
					values[key+"="+value] = true
				}
			}
		}
		if len(values) == 0 {
			return fmt.Sprintf("no pod there has the label %s%s", r.Key(), instead(r.Key(), slices.Collect(maps.Keys(keys))))
		}
		return fmt.Sprintf("no pod there has %s%s", r.String(), instead(r.String(), slices.Collect(maps.Keys(values))))
	}
	return "each of its conditions holds for some pods there, all of them for none"
}

// namesOf are the names of a list's objects.
func namesOf(list runtime.Object, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	var names []string
	err = meta.EachListItem(list, func(o runtime.Object) error {
		accessor, err := meta.Accessor(o)
		if err == nil {
			names = append(names, accessor.GetName())
		}
		return err
	})
	return names, err
}
