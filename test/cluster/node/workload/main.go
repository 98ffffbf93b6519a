// Command workload shows what a pod resolves from Secrets. It prints one line of JSON with every variable named KF_* and
// every file below /etc/kf, values in base64, and waits for SIGTERM; with the argument "print" it only prints.
package main

import (
	"encoding/json"
	"io/fs"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

const root = "/etc/kf"

type content struct {
	Env   map[string][]byte `json:"env"`
	Files map[string][]byte `json:"files"`
}

func main() {
	// Before printing: whoever has read the line may stop the pod.
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	files, err := readFiles()
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(content{Env: readEnv(), Files: files}); err != nil {
		log.Fatal(err)
	}
	if len(os.Args) > 1 && os.Args[1] == "print" {
		return
	}
	<-stop
}

func readEnv() map[string][]byte {
	env := map[string][]byte{}
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "KF_") {
			env[name] = []byte(value)
		}
	}
	return env
}

// readFiles returns path below root → bytes. The kubelet publishes a volume as links into a hidden folder (..data),
// which it swaps at once: the links are followed and the hidden folders are not walked.
func readFiles() (map[string][]byte, error) {
	files := map[string][]byte{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			if os.IsNotExist(err) {
				return nil
			}
			return err
		}
		if strings.HasPrefix(entry.Name(), "..") {
			if entry.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if entry.IsDir() {
			return nil
		}
		bytes, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		files[name] = bytes
		return err
	})
	return files, err
}
