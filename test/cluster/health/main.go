// Command health judges Kubernetes objects as Flux, Helm and Argo CD do. It reads a JSON list of cases from standard input,
// each an object and the text of an Argo CD health script, and prints the list of verdicts:
// kstatus from the library that Flux and Helm link, and the script in the Lua of Argo CD with the libraries that Argo CD opens
// (util/lua/lua.go: package, base, table; no string, no io).
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kubejson "k8s.io/apimachinery/pkg/util/json"
)

type question struct {
	Object json.RawMessage `json:"object"`
	Script string          `json:"script"`
}

type verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

type answer struct {
	Kstatus verdict `json:"kstatus"`
	ArgoCD  verdict `json:"argoCD"`
}

func main() {
	var questions []question
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		log.Fatal(err)
	}
	answers := make([]answer, 0, len(questions))
	for _, each := range questions {
		// Whole numbers become int64, as in every client of Kubernetes.
		var object map[string]any
		if err := kubejson.Unmarshal(each.Object, &object); err != nil {
			log.Fatal(err)
		}
		answers = append(answers, answer{Kstatus: kstatus(object), ArgoCD: argoCD(object, each.Script)})
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		log.Fatal(err)
	}
}

func kstatus(object map[string]any) verdict {
	result, err := status.Compute(&unstructured.Unstructured{Object: object})
	if err != nil {
		return verdict{Status: "Error", Message: err.Error()}
	}
	return verdict{Status: result.Status.String(), Message: result.Message}
}

// argoCD runs the script as Argo CD does: one second, the object as the global `obj`, the result a table.
func argoCD(object map[string]any, script string) verdict {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}} {
		call := lua.P{Fn: state.NewFunction(library.open), Protect: true}
		if err := state.CallByParam(call, lua.LString(library.name)); err != nil {
			return verdict{Status: "Error", Message: err.Error()}
		}
	}
	limit, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(limit)
	state.SetGlobal("obj", valueOf(state, object))
	if err := state.DoString(script); err != nil {
		return verdict{Status: "Error", Message: err.Error()}
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return verdict{Status: "Error", Message: fmt.Sprintf("the script returned %s", state.Get(-1).Type())}
	}
	return verdict{Status: textOf(table, "status"), Message: textOf(table, "message")}
}

// textOf is empty for a member that is absent, as in Argo CD.
func textOf(table *lua.LTable, name string) string {
	if text, ok := table.RawGetString(name).(lua.LString); ok {
		return string(text)
	}
	return ""
}

func valueOf(state *lua.LState, value any) lua.LValue {
	switch typed := value.(type) {
	case bool:
		return lua.LBool(typed)
	case int64:
		return lua.LNumber(typed)
	case float64:
		return lua.LNumber(typed)
	case string:
		return lua.LString(typed)
	case []any:
		table := state.CreateTable(len(typed), 0)
		for _, item := range typed {
			table.Append(valueOf(state, item))
		}
		return table
	case map[string]any:
		table := state.CreateTable(0, len(typed))
		for key, item := range typed {
			table.RawSetString(key, valueOf(state, item))
		}
		return table
	default:
		return lua.LNil
	}
}
