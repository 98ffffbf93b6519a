// The KV server of the tests: Vault's own core, HTTP handler and raft storage, with only the auth methods and the secrets engine
// that Keyferry uses. Vault's main package compiles every cloud's client beside them.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	aeadwrapper "github.com/hashicorp/go-kms-wrapping/wrappers/aead/v2"
	jwt "github.com/hashicorp/vault-plugin-auth-jwt"
	kubernetes "github.com/hashicorp/vault-plugin-auth-kubernetes"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/audit"
	"github.com/hashicorp/vault/builtin/audit/file"
	"github.com/hashicorp/vault/builtin/credential/approle"
	"github.com/hashicorp/vault/builtin/credential/cert"
	"github.com/hashicorp/vault/command/server"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/physical/raft"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical"
	"github.com/hashicorp/vault/vault"
	"github.com/hashicorp/vault/vault/seal"
	"github.com/hashicorp/vault/version"
)

var auths = map[string]logical.Factory{
	"approle": approle.Factory, "cert": cert.Factory, "jwt": jwt.Factory, "kubernetes": kubernetes.Factory,
}

var engines = map[string]logical.Factory{"kv": kv.Factory}

// builtins is the catalogue of plugins that vault.NewCore asks for.
type builtins struct{}

func (builtins) factories(kind consts.PluginType) map[string]logical.Factory {
	switch kind {
	case consts.PluginTypeCredential:
		return auths
	case consts.PluginTypeSecrets:
		return engines
	}
	return nil
}

func (b builtins) Contains(name string, kind consts.PluginType) bool {
	return b.factories(kind)[name] != nil
}

func (b builtins) Get(name string, kind consts.PluginType) (func() (interface{}, error), bool) {
	factory, ok := b.factories(kind)[name]
	return func() (interface{}, error) { return factory, nil }, ok
}

func (b builtins) Keys(kind consts.PluginType) (names []string) {
	for name := range b.factories(kind) {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (b builtins) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, b.Contains(name, kind)
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 1 && args[0] == "version" {
		fmt.Println(version.GetVersion().FullVersionNumber(true))
		return nil
	}
	if len(args) == 3 && args[0] == "kv" && args[1] == "list" {
		return list(args[2])
	}
	if len(args) != 2 || args[0] != "server" || !strings.HasPrefix(args[1], "-config=") {
		return fmt.Errorf("usage: version | server -config=FILE | kv list MOUNT/FOLDER; this is the server of the tests, not all of Vault")
	}
	config, err := server.LoadConfigFile(strings.TrimPrefix(args[1], "-config="))
	if err != nil {
		return err
	}
	logger := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.LevelFromString(config.LogLevel)})
	core, err := newCore(config, logger)
	if err != nil {
		return err
	}
	return serve(core, config, logger)
}

func newCore(config *server.Config, logger hclog.InterceptLogger) (*vault.Core, error) {
	storage, err := raft.NewRaftBackend(config.Storage.Config, logger.Named("storage.raft"))
	if err != nil {
		return nil, err
	}
	shamir := vault.NewDefaultSeal(&seal.Access{Wrapper: aeadwrapper.NewShamirWrapper()})
	core, err := vault.NewCore(&vault.CoreConfig{
		RawConfig:          config,
		Physical:           storage,
		HAPhysical:         storage.(physical.HABackend),
		StorageType:        config.Storage.Type,
		RedirectAddr:       config.Storage.RedirectAddr,
		ClusterAddr:        config.Storage.ClusterAddr,
		Seal:               shamir,
		AuditBackends:      map[string]audit.Factory{"file": file.Factory},
		CredentialBackends: auths,
		LogicalBackends:    engines,
		BuiltinRegistry:    builtins{},
		Logger:             logger,
		DisableMlock:       config.DisableMlock,
	})
	if err != nil && vault.IsFatalError(err) {
		return nil, err
	}
	return core, nil
}

func serve(core *vault.Core, config *server.Config, logger hclog.Logger) error {
	for _, listenerConfig := range config.Listeners {
		listener, _, _, err := server.NewListener(listenerConfig, os.Stderr, nil)
		if err != nil {
			return err
		}
		cluster, err := net.ResolveTCPAddr("tcp", listenerConfig.ClusterAddress)
		if err != nil {
			return err
		}
		handler := vaulthttp.Handler.Handler(&vault.HandlerProperties{Core: core, ListenerConfig: listenerConfig})
		core.SetClusterListenerAddrs([]*net.TCPAddr{cluster})
		core.SetClusterHandler(handler)
		// The limits of Vault's own server command.
		web := &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: 10 * time.Second,
			ReadTimeout:       30 * time.Second,
			IdleTimeout:       5 * time.Minute,
			ErrorLog:          logger.StandardLogger(nil),
		}
		go web.Serve(listener)
	}
	stopped, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	<-stopped.Done()
	return core.Shutdown()
}
