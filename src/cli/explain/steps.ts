import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { KeyRow } from '#src/api/v1alpha1/key-rows.ts';
import { stepsFor } from '#src/api/v1alpha1/steps.ts';
import { isResolvable } from '#src/core/sync/resolution.ts';
import { documentation, type DocumentationPage } from '#src/errors/documentation.ts';
import { readyOf } from '#src/controllers/conditions.ts';
import { isKeptInStep } from '#src/engine/plan/sync-intent.ts';
import { commandLine, kubectlLine } from '../hint.ts';
import type { GlobalFlags } from '../invocation.ts';

/** What to do about a reason, for a terminal: links are addresses. */
export function plainSteps(reason: string): readonly string[] {
  return (stepsFor(reason) ?? []).map(plainOf);
}

/** Markdown of src/api/v1alpha1/next-steps.ts as plain text. */
function plainOf(markdown: string): string {
  return markdown
    .replaceAll(/\[([^\]]+)\]\(([^)]+)\)/g, (_link, text: string, page: string) =>
      isPage(page) ? `${text} (${documentation(page)})` : text,
    )
    .replaceAll('`', '')
    .replaceAll(/\\([<*_])/g, '$1');
}

function isPage(page: string): page is DocumentationPage {
  return /^[\w/-]+\.md(#[\w-]+)?$/.test(page);
}

/** Commands for a person to copy, the most likely first. */
export function commandsFor(migration: SecretMigration, row: KeyRow, flags: GlobalFlags): readonly string[] {
  const held = commandsOfHeld(migration, flags);
  if (held !== undefined) return held;
  const { name } = migration.metadata;
  if (row.state === 'Conflict' && isKeptInStep(migration) && isResolvable(row))
    return (['source', 'destination'] as const).map((side) =>
      commandLine(flags, 'resolve', name, row.name, '--keep', side),
    );
  const looks = looksFor(row, migration, flags);
  const needsRun = row.state === 'Failed' || row.state === 'Conflict';
  return needsRun ? [...looks, commandLine(flags, 'retry', name)] : looks;
}

/** What releases a migration that does nothing now; undefined if it is not held. */
export function commandsOfHeld(
  migration: SecretMigration,
  flags: GlobalFlags,
): readonly string[] | undefined {
  const { metadata, spec } = migration;
  const { name } = metadata;
  if (spec.suspend) return [commandLine(flags, 'resume', name)];
  if (readyOf(migration.status)?.reason === 'AwaitingApproval')
    return [commandLine(flags, 'plan', name), commandLine(flags, 'approve', name)];
  if (!spec.dryRun) return undefined;
  const start = ['--type=merge', '-p', JSON.stringify({ spec: { dryRun: false } })];
  return [commandLine(flags, 'plan', name), kubectlLine(flags, 'patch', 'secretmigration', name, ...start)];
}

/** Causes that are those of a backend: its own conditions say more. */
const OF_BACKENDS: ReadonlySet<string> = new Set([
  'AddressForbidden',
  'BackendNotReady',
  'BackendSealed',
  'BackendUnavailable',
  'CredentialsForbidden',
  'CredentialsMissing',
  'MountMissing',
  'PermissionDenied',
  'TLSFailed',
  'Timeout',
]);

function looksFor(
  { reason }: KeyRow,
  { status: { backends } }: SecretMigration,
  flags: GlobalFlags,
): readonly string[] {
  if (reason === undefined || !OF_BACKENDS.has(reason) || backends === undefined) return [];
  return [backends.source, backends.destination].map((backend) => {
    const [kind = '', name = ''] = backend.split('/');
    return kubectlLine(flags, 'describe', kind.toLowerCase(), name);
  });
}
