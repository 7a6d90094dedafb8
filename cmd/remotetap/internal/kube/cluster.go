package kube

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/remotetap/remotetapprocessor/internal/nearest"
)

// cluster is an API server, and what the kubeconfig says about it.
type cluster struct {
	config    *rest.Config
	client    *kubernetes.Clientset
	namespace string // the default one
}

// openCluster reads the kubeconfig, like kubectl; without one it is the cluster that the command runs in,
// if it does. It does not connect.
func openCluster(s Settings) (*cluster, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath, rules.WarnIfAllMissing = s.Kubeconfig, false
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: s.Context})
	raw, err := loader.RawConfig()
	if err != nil {
		return nil, fmt.Errorf("cannot read the kubeconfig: %w", err)
	}
	if _, ok := raw.Contexts[s.Context]; s.Context != "" && !ok {
		return nil, noContext(s.Context, slices.Sorted(maps.Keys(raw.Contexts)))
	}
	config, err := loader.ClientConfig()
	if clientcmd.IsEmptyConfig(err) || errors.Is(err, rest.ErrNotInCluster) {
		return nil, &TargetError{fmt.Sprintf("--kube: there is no cluster: looked for a kubeconfig at %s; name one with --kubeconfig FILE or KUBECONFIG",
			strings.Join(rules.GetLoadingPrecedence(), ", "))}
	}
	if err != nil {
		return nil, fmt.Errorf("the kubeconfig names no cluster that can be used: %w", err)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, fmt.Errorf("the kubeconfig names no namespace: %w", err)
	}
	config.UserAgent, config.WarningHandler = "remotetap", rest.NoWarnings{}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("the kubeconfig names no cluster that can be used: %w", err)
	}
	return &cluster{config: config, client: client, namespace: namespace}, nil
}

func noContext(name string, names []string) error {
	text := fmt.Sprintf("--kube-context: the kubeconfig has no context %q", name)
	switch near := nearest.Name(name, names); {
	case near != "":
		text += fmt.Sprintf("; did you mean %s?", near)
	case len(names) > 0:
		text += "; it has " + some(names)
	default:
		text += ": it has none, or is not there; name one with --kubeconfig FILE or KUBECONFIG"
	}
	return &TargetError{text}
}

// some are the first few of many names.
func some(names []string) string {
	if len(names) <= maxShown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxShown], ", "), len(names)-maxShown)
}
