package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/vault/api"
)

// list is `vault kv list MOUNT/FOLDER` for version 2, which the demo shows: Vault's own client is part of the package that
// compiles everything. It prints what that prints, and is configured by the same VAULT_ADDR, VAULT_TOKEN and VAULT_CACERT.
func list(path string) error {
	client, err := api.NewClient(nil)
	if err != nil {
		return err
	}
	mount, folder, _ := strings.Cut(path, "/")
	reply, err := client.Logical().List(mount + "/metadata/" + folder)
	if err != nil {
		return err
	}
	if reply == nil {
		return fmt.Errorf("No value found at %s/metadata/%s", mount, folder)
	}
	keys, _ := reply.Data["keys"].([]interface{})
	names := make([]string, 0, len(keys))
	for _, key := range keys {
		names = append(names, fmt.Sprint(key))
	}
	slices.Sort(names)
	fmt.Println("Keys\n----")
	for _, name := range names {
		fmt.Println(name)
	}
	return nil
}
