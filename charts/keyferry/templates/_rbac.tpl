{{- /* A role. root, name (its suffix), rules (name of the template), namespace (a Role) or none (a ClusterRole), labels. */}}
{{- define "keyferry.role" }}
{{- $kind := .namespace | empty | ternary "ClusterRole" "Role" }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
metadata:
  {{- include "keyferry.rbacMetadata" . | nindent 2 }}
  {{- range .aggregateTo }}
    rbac.authorization.k8s.io/aggregate-to-{{ . }}: 'true'
  {{- end }}
{{- include (printf "keyferry.config.%s.%s" $kind .name) .root }}
{{- end }}

{{- /* Binds a role to the operator. root, name, role (its kind), namespace (a RoleBinding) or none. */}}
{{- define "keyferry.binding" }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .namespace | empty | ternary "ClusterRoleBinding" "RoleBinding" }}
metadata:
  {{- include "keyferry.rbacMetadata" . | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .role }}
  name: {{ include "keyferry.fullname" .root }}-{{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "keyferry.serviceAccountName" .root }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}

{{- define "keyferry.rbacMetadata" -}}
name: {{ include "keyferry.fullname" .root }}-{{ .name }}
{{- with .namespace }}
namespace: {{ . }}
{{- end }}
labels:
  {{- include "keyferry.labels" .root | nindent 2 }}
{{- end }}
