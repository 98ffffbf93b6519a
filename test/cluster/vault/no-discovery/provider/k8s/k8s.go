// Package k8s stands in for the provider that needs a client of Kubernetes.
package k8s

// Provider is never called.
type Provider struct{}
