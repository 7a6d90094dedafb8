// Package e2e tests remote_tap from outside: a real collector in this process, configured with
// YAML as users write it, fed over OTLP, and watched by clients that share no code with the
// product. It is a module of its own, so that what the tests need is no requirement of the
// product.
package e2e
