package main

import (
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/collectortest"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/kube/kubetest"
)

// writeCertificates is the command `certificates`.
func writeCertificates(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(collectortest.WriteCertificates(ts.Getenv("WORK")))
}

// startCluster is the command `kubernetes`. The kubeconfig is where KUBECONFIG says.
func startCluster(ts *testscript.TestScript, _ bool, _ []string) {
	cluster := kubetest.Start(script{ts})
	stageOf(ts).cluster = cluster
	file := ts.MkAbs("kubeconfig")
	ts.Check(os.WriteFile(file, []byte(cluster.Kubeconfig()), 0o600))
	ts.Setenv("KUBECONFIG", file)
	ts.Setenv("REMOTETAP_ENDPOINT", "")
	cluster.Add("monitoring", "deployments", "otel", &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "otel"},
		Spec:       appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "otel"}}},
	})
}

// runPod is the command `pod`.
func runPod(ts *testscript.TestScript, _ bool, args []string) {
	pod := kubetest.Pod{Namespace: "monitoring", Name: args[0], Labels: map[string]string{"app": "otel"}, Port: "12001"}
	if len(args) > 1 {
		pod.Port = args[1]
	}
	pod.Address = running(ts).Tap()
	stageOf(ts).cluster.Run(pod)
}

// deletePod is the command `delete-pod`.
func deletePod(ts *testscript.TestScript, _ bool, args []string) {
	stageOf(ts).cluster.Delete("monitoring", args[0])
}

// forbid is the command `forbid`.
func forbid(ts *testscript.TestScript, _ bool, args []string) {
	stageOf(ts).cluster.Forbid(strings.Join(args, " "))
}
