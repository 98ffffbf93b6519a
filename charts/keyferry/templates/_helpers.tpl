{{- define "keyferry.name" -}}
{{ .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- /* Prefix of all names: the name of the release, if it contains that of the chart. */}}
{{- define "keyferry.fullname" -}}
{{- $name := include "keyferry.name" . -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "keyferry.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "keyferry.fullname" .) }}
{{- else -}}
{{ required "serviceAccount.name is empty: name the ServiceAccount, or set serviceAccount.create to true" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "keyferry.leaseName" -}}
{{ include "keyferry.fullname" . }}-operator
{{- end }}

{{- define "keyferry.selectorLabels" -}}
app.kubernetes.io/name: {{ include "keyferry.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* Of the pods of large migrations: no selector of the Deployment matches them. */}}
{{- define "keyferry.workerLabels" -}}
app.kubernetes.io/name: {{ include "keyferry.name" . }}-worker
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "keyferry.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "keyferry.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "keyferry.keptWithCrds" -}}
{{- if .Values.crds.keep -}}
annotations:
  helm.sh/resource-policy: keep
{{- end }}
{{- end }}

{{- define "keyferry.image" -}}
{{- $registry := .Values.global.imageRegistry | default .Values.image.registry -}}
{{- with $registry }}{{ . }}/{{ end }}{{ .Values.image.repository }}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- /* Whose tokens the operator may request: none, names or cluster. */}}
{{- define "keyferry.tokens" -}}
{{- .Values.rbac.serviceAccountToken | default (eq .Values.rbac.scope "cluster" | ternary "cluster" "names") }}
{{- end }}

{{- /* Arguments of the operator: what follows from other values, and each flag in operator. */}}
{{- define "keyferry.args" -}}
- operator
- --lease-name={{ include "keyferry.leaseName" . }}
- --health-bind-address=[$(POD_IP)]:{{ .Values.healthPort }}
{{- if ne .Values.rbac.scope "cluster" }}
- --watch-namespaces={{ join "," .Values.rbac.namespaces }}
{{- end }}
{{- if eq .Values.rbac.scope "strict" }}
- --watch-secrets=false
{{- end }}
{{- if .Values.metrics.enabled }}
- --metrics-bind-address=[$(POD_IP)]:{{ .Values.metrics.port }}
{{- if .Values.metrics.secure }}
- --metrics-secure=true
- --metrics-cert-path=/etc/keyferry/metrics
{{- end }}
{{- end }}
{{- if .Values.workers.enabled }}
- --worker-template={{ include "keyferry.fullname" . }}-worker
{{- end }}
{{- range $name, $value := .Values.operator }}
{{- if kindIs "slice" $value }}
- {{ printf "--%s=%s" (kebabcase $name) (join "," $value) | quote }}
{{- else if kindIs "float64" $value }}
- {{ printf "--%s=%d" (kebabcase $name) (int64 $value) | quote }}
{{- else }}
- {{ printf "--%s=%v" (kebabcase $name) $value | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Where the pods may connect to. */}}
{{- define "keyferry.egress" }}
  {{- $policy := .Values.networkPolicy }}
  {{- if or $policy.egress.apiServer.cidrs $policy.egress.rules }}
  egress:
    {{- if $policy.egress.dns }}
    - ports:
        - port: 53
          protocol: UDP
        - port: 53
          protocol: TCP
    {{- end }}
    - to:
        {{- range $policy.egress.apiServer.cidrs }}
        - ipBlock:
            cidr: {{ . }}
        {{- end }}
      ports:
        {{- range $policy.egress.apiServer.ports }}
        - port: {{ . }}
        {{- end }}
    {{- with $policy.egress.rules }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
{{- end }}

{{- /* Values that contradict each other: each stops the installation and says what to set. */}}
{{- define "keyferry.validate" }}
{{- $rbac := .Values.rbac }}
{{- $isCluster := eq $rbac.scope "cluster" }}
{{- if and (not $isCluster) (empty $rbac.namespaces) }}
{{- fail (printf "rbac.namespaces is empty: list the namespaces for rbac.scope %s" $rbac.scope) }}
{{- end }}
{{- if and $isCluster $rbac.namespaces }}
{{- fail "rbac.namespaces is set, but rbac.scope is cluster: set rbac.scope to namespaces or strict" }}
{{- end }}
{{- if and $isCluster $rbac.secretNames }}
{{- fail "rbac.secretNames is set, but rbac.scope is cluster, which allows every Secret: set rbac.scope to strict" }}
{{- end }}
{{- $credentials := .Values.operator.clusterResourceNamespace | default .Release.Namespace }}
{{- range $namespace, $_ := $rbac.secretNames }}
{{- if not (has $namespace (append $rbac.namespaces $credentials)) }}
{{- fail (printf "rbac.secretNames names %s, which is not in rbac.namespaces: add it there" $namespace) }}
{{- end }}
{{- end }}
{{- if and $rbac.serviceAccountNames (ne (include "keyferry.tokens" .) "names") }}
{{- fail "rbac.serviceAccountNames is set, but rbac.serviceAccountToken is not names: set it to names" }}
{{- end }}
{{- $metrics := .Values.metrics }}
{{- if and $metrics.enabled $metrics.secure (empty $metrics.certSecret) }}
{{- fail "metrics.certSecret is empty: name a Secret of type kubernetes.io/tls, or set metrics.secure to false" }}
{{- end }}
{{- range $name := list "serviceMonitor" "podMonitor" }}
{{- if and (get $metrics $name).enabled (not $metrics.enabled) }}
{{- fail (printf "metrics.%s.enabled is true, but metrics.enabled is false: set it to true" $name) }}
{{- end }}
{{- end }}
{{- if and $metrics.podMonitor.enabled $metrics.secure }}
{{- fail "metrics.podMonitor cannot send the token that metrics.secure asks for: use metrics.serviceMonitor, or set metrics.secure to false" }}
{{- end }}
{{- $egress := .Values.networkPolicy.egress }}
{{- if and $egress.rules (empty $egress.apiServer.cidrs) }}
{{- fail "networkPolicy.egress.apiServer.cidrs is empty: with egress rules, the operator could not reach the API server" }}
{{- end }}
{{- end }}
