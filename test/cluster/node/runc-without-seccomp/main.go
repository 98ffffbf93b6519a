// Command runc-without-seccomp stands between containerd and a runc that was built without libseccomp. The kubelet asks
// for a seccomp profile for the sandbox of every pod, whatever the pod says, and such a runc refuses. This takes the
// profile from sandboxes, in which nothing but pause runs, and then becomes the `runc` beside it. A container that asks
// for a profile is still refused.
package main

import (
	"bytes"
	"encoding/json"
	"log"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

func main() {
	if bundle, creates := bundleToCreate(os.Args); creates {
		if err := unconfineSandbox(filepath.Join(bundle, "config.json")); err != nil {
			log.Fatal(err)
		}
	}
	runc := filepath.Join(filepath.Dir(os.Args[0]), "runc")
	log.Fatal(syscall.Exec(runc, append([]string{runc}, os.Args[1:]...), os.Environ()))
}

func bundleToCreate(args []string) (string, bool) {
	bundle := slices.Index(args, "--bundle")
	if !slices.Contains(args, "create") || bundle < 0 || bundle+1 == len(args) {
		return "", false
	}
	return args[bundle+1], true
}

// unconfineSandbox rewrites the OCI runtime configuration, of which only two fields matter here.
func unconfineSandbox(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var config map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // Some numbers do not fit a float64.
	if err := decoder.Decode(&config); err != nil {
		return err
	}
	annotations, _ := config["annotations"].(map[string]any)
	if annotations["io.kubernetes.cri.container-type"] != "sandbox" {
		return nil
	}
	linux, _ := config["linux"].(map[string]any)
	delete(linux, "seccomp")
	if text, err = json.Marshal(config); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}
