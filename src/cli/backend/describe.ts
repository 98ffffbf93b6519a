import { CONDITION_REASONS, isConditionReason } from '#src/api/v1alpha1/conditions.ts';
import { asksToBeDefault, type Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { CAPABILITIES } from '#src/backends/capabilities.ts';
import { BACKEND_KINDS } from '#src/backends/kinds.ts';
import { secretReferencesOf } from '#src/backends/spec.ts';
import { namespaceOf } from '#src/controllers/backend/names.ts';
import type { Condition } from '#src/schema/meta.ts';
import { UserCluster } from '../cluster.ts';
import { ageOf } from '../age.ts';
import type { Invocation } from '../invocation.ts';
import { printable } from '../output.ts';
import { isSet, type TypedFlags } from '../typed-flags.ts';
import { loginOf } from './login.ts';
import { printObject } from './print.ts';
import { findBackend } from './stored.ts';
import { usageOf, type Usage } from './usage.ts';

/** `backend describe NAME`: what it is, whether it works, what it reads, and what uses it. */
export async function describeBackend(
  invocation: Invocation,
  name: string,
  flags: TypedFlags,
): Promise<number> {
  await using cluster = await UserCluster.open(invocation);
  const { object, backend } = await findBackend(cluster, name, isSet(flags, 'cluster'));
  const { output, clock } = invocation;
  if (backend === undefined) {
    output.note('This version of keyferry cannot read the backend; it is shown as it is stored.');
    await printObject(output, object, 'yaml');
    return 0;
  }
  const usage = await usageOf(cluster, backend);
  for (const line of descriptionOf(backend, usage, clock.now())) output.line(line);
  return 0;
}

/** The lines of a description; nothing in them is obeyed by a terminal. */
export function descriptionOf(backend: Backend, usage: Usage, nowMs: number): readonly string[] {
  const { kind, metadata, spec, status } = backend;
  const namespace = namespaceOf(backend);
  const entries: (readonly [string, string | undefined])[] = [
    ['Name', metadata.name],
    ['Namespace', namespace],
    ['Kind', kind],
    ['Type', spec.type],
    ['Default', kind === 'ClusterSecretBackend' ? (asksToBeDefault(backend) ? 'yes' : 'no') : undefined],
    ...placeEntries(backend),
    ['Allowed namespaces', allowedIn(backend)],
    ['Age', ageOf(metadata.creationTimestamp, nowMs)],
    ['Server', status.server && `${status.server.product} ${status.server.version}`],
    ['Identity', status.identity],
  ];
  return [
    ...inColumns(entries.flatMap(([title, text]) => (text ? [[`${title}:`, text] as const] : []))),
    ...section('Conditions', conditionLines(status.conditions ?? [], nowMs)),
    ...section('Capabilities', inColumns(capabilitiesIn(status.capabilities ?? []))),
    ...section('Reads Secrets', secretLines(backend)),
    ...section('Used by migrations', usageLines(usage)),
  ].map(printable);
}

function placeEntries({ spec }: Backend): readonly (readonly [string, string | undefined])[] {
  const { openbao, directory } = spec;
  if (directory !== undefined) return [['Folder', directory.path ?? 'the root of the namespace']];
  if (openbao === undefined) return [];
  return [
    ['Address', openbao.address],
    ['OpenBao namespace', openbao.namespace],
    ['Mount', `${openbao.mount} (KV version ${openbao.kvVersion})`],
    ['Path prefix', openbao.pathPrefix],
    ['Login', loginOf(openbao.auth)],
  ];
}

function allowedIn(backend: Backend): string | undefined {
  if (backend.kind === 'SecretBackend') return undefined;
  const { allowedNamespaces } = backend.spec;
  if (allowedNamespaces.includes('*')) return 'all';
  return allowedNamespaces.length === 0 ? 'none' : allowedNamespaces.join(', ');
}

function conditionLines(conditions: readonly Condition[], nowMs: number): readonly string[] {
  if (conditions.length === 0) return ['none: the operator has not probed the backend yet'];
  return conditions.flatMap(({ type, status, reason, message, lastTransitionTime }) => [
    `${type} is ${status} since ${ageOf(lastTransitionTime, nowMs)}: ${reason}`,
    ...(isConditionReason(reason) ? [`  ${CONDITION_REASONS[reason]}`] : []),
    ...(message === '' ? [] : [`  ${message}`]),
  ]);
}

function capabilitiesIn(names: readonly string[]): readonly (readonly [string, string])[] {
  const meanings = new Map<string, string>(Object.entries(CAPABILITIES));
  return names.map((name) => [
    name,
    meanings.get(name) ?? 'Another version of keyferry knows what it means.',
  ]);
}

function secretLines(backend: Backend): readonly string[] {
  const where = namespaceOf(backend) ?? 'the namespace of --cluster-resource-namespace';
  return [...new Set(secretReferencesOf(backend.spec, BACKEND_KINDS))].map((name) => `${name} in ${where}`);
}

function usageLines({ uses, isComplete }: Usage): readonly string[] {
  const lines = uses.map(({ namespace, name, as }) => `${namespace}/${name} as ${as.join(' and ')}`);
  const rest = isComplete ? [] : ['You may not list the migrations of all namespaces: there can be more.'];
  return [...(lines.length === 0 && isComplete ? ['none'] : lines), ...rest];
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`${title}:`, ...lines.map((line) => `  ${line}`)];
}

function inColumns(entries: readonly (readonly [string, string])[]): readonly string[] {
  const width = Math.max(0, ...entries.map(([title]) => title.length));
  return entries.map(([title, text]) => `${title.padEnd(width)}  ${text}`);
}
