// Package discover stands in for github.com/hashicorp/go-discover, with which Vault looks for the members of a cluster in eighteen
// clouds. The server of the tests is a cluster of one, and compiling the clients of those clouds takes longer than Vault.
package discover

import (
	"errors"
	"log"
)

// Provider is never called.
type Provider any

// Providers is empty: no cloud is known.
var Providers map[string]Provider

// Discover finds nothing.
type Discover struct{}

// Option changes nothing.
type Option func(*Discover) error

// New returns a Discover.
func New(...Option) (*Discover, error) { return &Discover{}, nil }

// WithProviders ignores the providers.
func WithProviders(map[string]Provider) Option { return nil }

// Addrs always fails: the configuration of the tests has no auto-join.
func (*Discover) Addrs(string, *log.Logger) ([]string, error) {
	return nil, errors.New("this server was built without discovery in clouds")
}
