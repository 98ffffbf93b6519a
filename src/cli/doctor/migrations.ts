import { parseSecretMigration, type SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { titleOf } from '#src/controllers/backend/names.ts';
import { readyOf } from '#src/controllers/conditions.ts';
import { listObjects } from '../backend/stored.ts';
import { durationText } from '../age.ts';
import { printable } from '../output.ts';
import { listedBackends, titlesOf } from './backends.ts';
import type { Examined, Finding, Level } from './finding.ts';

const CHECK = 'migrations';
/** A migration that is suspended for longer was probably forgotten. */
const LONG_SUSPENDED_MS = 7 * 24 * 3_600_000;

/** Migrations that stand still, wait for a person, or name what does not exist. */
export async function checkMigrations(examined: Examined): Promise<readonly Finding[]> {
  const { cluster } = examined;
  const objects =
    (await listObjects(cluster, 'SecretMigration', undefined)) ??
    (await listObjects(cluster, 'SecretMigration', cluster.namespace));
  if (objects === undefined)
    return [
      {
        level: 'skipped',
        check: CHECK,
        found: 'You may not list secretmigrations, so they were not checked.',
      },
    ];
  const listed = await listedBackends(examined);
  const known = { titles: titlesOf(listed), shared: listed.shared !== undefined };
  const findings = objects.flatMap((object) => {
    const parsed = parseSecretMigration(object);
    return parsed.ok ? findingsOf(parsed.value, known, examined.clock.now()) : [];
  });
  if (findings.length > 0) return findings;
  const found =
    objects.length === 0 ? 'There is no migration.' : `None of ${objects.length} migrations needs a person.`;
  return [{ level: 'ok', check: CHECK, found }];
}

interface KnownBackends {
  readonly titles: ReadonlySet<string>;
  /** Whether ClusterSecretBackends are among them. */
  readonly shared: boolean;
}

/** At most one finding for each thing that a person must do for this migration. */
export function findingsOf(
  migration: SecretMigration,
  known: KnownBackends,
  nowMs: number,
): readonly Finding[] {
  const { name, namespace } = migration.metadata;
  const about = `SecretMigration ${namespace}/${name}`;
  const at = `${name} -n ${namespace}`;
  const say = (level: Level, found: string, fix: string): Finding => ({
    level,
    check: CHECK,
    found: printable(`${about} ${found}`),
    fix,
  });
  const missing = missingBackend(migration, known);
  if (missing !== undefined)
    return [say('problem', `names ${missing}, which does not exist.`, 'keyferry backend create --help')];
  return [
    ...standing(migration).map((found) => say('problem', found, `keyferry status ${at}`)),
    ...(isAwaiting(migration)
      ? [say('warning', 'waits for the approval of its plan.', `keyferry approve ${at}`)]
      : []),
    ...conflictsOf(migration).map((found) => say('warning', found, `keyferry status ${at}`)),
    ...(migration.status.reports?.lost === undefined
      ? []
      : [say('problem', 'lost reports of its table.', `keyferry retry ${at}`)]),
    ...suspended(migration, nowMs).map((found) => say('warning', found, `keyferry resume ${at}`)),
  ];
}

function missingBackend(
  { metadata, spec }: SecretMigration,
  { titles, shared }: KnownBackends,
): string | undefined {
  return [spec.source.backendRef, spec.destination.backendRef]
    .filter((ref) => ref !== undefined && (shared || ref.kind === 'SecretBackend'))
    .map((ref) => ref && titleOf({ ...ref, namespace: metadata.namespace }))
    .find((title) => title !== undefined && !titles.has(title));
}

function standing({ status }: SecretMigration): readonly string[] {
  const stalled = status.conditions?.find(({ type }) => type === 'Stalled');
  if (stalled?.status !== 'True') return [];
  return [`does not proceed without a change: ${stalled.reason}: ${stalled.message}`];
}

function isAwaiting({ status }: SecretMigration): boolean {
  return String(readyOf(status)?.reason) === 'AwaitingApproval';
}

function conflictsOf({ status }: SecretMigration): readonly string[] {
  const count = status.summary?.conflict ?? 0;
  if (count === 0) return [];
  return [
    `has ${count === 1 ? 'a conflict' : `${count} conflicts`}: the destination differs, and nothing was overwritten.`,
  ];
}

function suspended({ status }: SecretMigration, nowMs: number): readonly string[] {
  const condition = status.conditions?.find(({ type }) => type === 'Suspended');
  if (condition?.status !== 'True') return [];
  const forMs = nowMs - Date.parse(condition.lastTransitionTime);
  return forMs > LONG_SUSPENDED_MS ? [`is suspended for ${durationText(forMs)}.`] : [];
}
