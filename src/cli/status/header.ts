import { readyOf } from '#src/controllers/conditions.ts';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { ageOf } from '../age.ts';
import { fieldsOf } from '../fields.ts';
import { printable, type Output } from '../output.ts';
import { isCurrent } from '../ready.ts';
import { paintedBy, type Surroundings } from './columns.ts';
import { barOf, progressText } from './pace.ts';

type Status = SecretMigration['status'];

/** What is known of the run besides the object. */
export interface Headed extends Pick<Surroundings, 'nowMs' | 'output'> {
  /** Keys a second, while work remains. */
  readonly perSecond?: number | undefined;
}

const BAR_COLUMNS = 30;

/** Everything about a migration but its keys. */
export function headerOf(migration: SecretMigration, { nowMs, output, perSecond }: Headed): string {
  const { metadata, spec, status } = migration;
  const since = (time: string | undefined): string | undefined =>
    time === undefined ? undefined : `${ageOf(time, nowMs)} ago (${time})`;
  return fieldsOf(
    [
      ['Name', metadata.name],
      ['Namespace', metadata.namespace],
      ['Ready', verdictOf(migration, output)],
      ['Message', printable(readyOf(migration.status)?.message ?? '')],
      ['Source', backendOf(migration, 'source')],
      ['Destination', backendOf(migration, 'destination')],
      ['Mode', modeOf(spec)],
      ['Policies', policiesOf(spec)],
      ['Keys', countsOf(status)],
      ['Plan', planOf(status)],
      ['Left out', leftOutOf(status)],
      ['Created', since(metadata.creationTimestamp)],
      ['Started', since(status.startTime)],
      ['Completed', since(status.completionTime)],
      ['Last sync', since(status.lastSyncTime)],
      ['Progress', progressOf(status, { output, perSecond })],
    ],
    output.columns,
  );
}

/** `False (ConflictsFound)`; says if the operator has not looked at this generation yet. */
function verdictOf(migration: SecretMigration, output: Output): string {
  const ready = readyOf(migration.status);
  if (ready === undefined) return 'Unknown: the operator has not looked at it yet';
  const text = paintedBy(ready, output, `${ready.status} (${printable(ready.reason)})`);
  return isCurrent(migration)
    ? text
    : `${text}, of an earlier spec: the operator has not looked at the change yet`;
}

/** The backend in use, else the one of the spec. */
function backendOf({ spec, status }: SecretMigration, side: 'source' | 'destination'): string {
  const named = spec[side].backendRef;
  const used = status.backends?.[side];
  return printable(used ?? (named === undefined ? 'the default backend' : `${named.kind}/${named.name}`));
}

function modeOf({ dryRun, mode, suspend, sync }: SecretMigration['spec']): string {
  const leads = mode === 'Sync' && sync?.authority !== undefined ? `, ${sync.authority} leads` : '';
  return `${mode}${leads}${dryRun ? ', dry run' : ''}${suspend ? ', suspended' : ''}`;
}

function policiesOf({ conflictPolicy, soakSeconds, sourcePolicy }: SecretMigration['spec']): string {
  const soak = soakSeconds > 0 ? ` after ${soakSeconds} s` : '';
  return `conflicts ${conflictPolicy}, sources ${sourcePolicy}${soak}`;
}

/** The most urgent first; what is zero is left out. */
const COUNTS = ['failed', 'conflict', 'pending', 'copied', 'skipped', 'verified', 'removed'] as const;

export function countsOf({ summary }: Status): string | undefined {
  if (summary === undefined) return undefined;
  const parts = COUNTS.filter((name) => summary[name] > 0).map((name) => `${summary[name]} ${name}`);
  return [`${summary.total} in all`, ...parts].join(', ');
}

/** Every number of the plan, also those that only another version knows. */
function planOf({ plan }: Status): string | undefined {
  if (plan === undefined) return undefined;
  const entries = Object.entries(plan).map(([name, value]) => `${name} ${String(value)}`);
  return printable(entries.join(', '));
}

/** Documents that the source lists and that have no row, by reason. */
export function leftOutOf({ inventory }: Status): string | undefined {
  const leftOut = inventory?.leftOut?.map(({ reason, documents }) => `${documents} ${reason}`);
  return leftOut === undefined || leftOut.length === 0 ? undefined : printable(leftOut.join(', '));
}

/** With a bar for a person who watches. */
export function progressOf(
  { progress, summary }: Status,
  { output, perSecond }: Pick<Headed, 'output' | 'perSecond'>,
): string | undefined {
  if (progress === undefined || summary === undefined) return undefined;
  const [done = 0, total = 0] = progress.split('/').map(Number);
  // While documents are listed, and without any.
  if (total === 0) return undefined;
  const text = progressText({ done, total, perSecond });
  if (!output.isTerminal) return text;
  return `${output.paint('green', barOf({ done, total }, BAR_COLUMNS))} ${text}`;
}
