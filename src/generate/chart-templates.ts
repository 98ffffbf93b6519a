import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/*
 * Rules, policies and CRDs of the chart: texts of config/ and crds/ as Helm templates. So a role has the same rules, however
 * it was installed.
 */

/** Files of config/ with what the chart takes from them: its roles, its policies, its default backend. */
const SOURCES = [
  'rbac/operator.yaml',
  'rbac/leader-election.yaml',
  'rbac/user-roles.yaml',
  'rbac/metrics-auth.yaml',
  'scopes/secrets/role.yaml',
  'in-use/role.yaml',
  'in-use/cluster.yaml',
  'shared-backends/rbac.yaml',
  'tokens/cluster/rbac.yaml',
  'workers/role.yaml',
  'rollouts/role/role.yaml',
  'rollouts/role/policy.yaml',
  'admission/backends.yaml',
  'admission/migrations.yaml',
  'default-backend/default-backend.yaml',
];
const LEASE = '- keyferry-operator';
const OPERATOR = 'system:serviceaccount:keyferry-system:keyferry';

/** `_config.tpl`: a template for the rules or the spec of each object of config/, `keyferry.config.<kind>.<name>`. */
export function configTemplates(root: string): string {
  const objects = SOURCES.flatMap((file) => readFileSync(join(root, 'config', file), 'utf8').split(/^---$/m));
  const templates = objects.flatMap((text) => {
    const kind = /^kind: (\S+)$/m.exec(text)?.[1] ?? '';
    const name = /^ {2}name: (\S+)$/m.exec(text)?.[1] ?? '';
    const [content] = /^(?:rules|spec):\n[^]*/m.exec(text) ?? [];
    if (content === undefined || kind.endsWith('Binding')) return [];
    const own = name.replace(/^keyferry-/, '');
    return [`{{- define "keyferry.config.${kind}.${own}" }}\n${asTemplate(content).trimEnd()}\n{{- end }}\n`];
  });
  return `{{- /* Generated from config/ by node src/generate/generate.ts; do not edit. */}}\n${templates.join('\n')}`;
}

/** Literal text as a template, in which the name of the Lease and that of the operator are values. */
function asTemplate(text: string): string {
  return escaped(text)
    .replaceAll(LEASE, '- {{ include "keyferry.leaseName" . }}')
    .replace('[keyferry-worker]', '[{{ include "keyferry.fullname" . }}-worker]')
    .replace(
      OPERATOR,
      'system:serviceaccount:{{ .Release.Namespace }}:{{ include "keyferry.serviceAccountName" . }}',
    );
}

function escaped(text: string): string {
  return text.replaceAll('{{', '{{ "{{" }}');
}

const METADATA = /^metadata:\n( {2}name: \S+\n)/m;
const WITH_LABELS = `metadata:
$1  labels:
    {{- include "keyferry.labels" . | nindent 4 }}
  {{- if .Values.crds.keep }}
  annotations:
    helm.sh/resource-policy: keep
  {{- end }}
`;

/** A CRD of crds/ as a template that `crds.enabled` and `crds.keep` decide about. */
export function crdTemplate(crd: string): string {
  return `{{- if .Values.crds.enabled }}\n${escaped(crd).replace(METADATA, WITH_LABELS)}{{- end }}\n`;
}
