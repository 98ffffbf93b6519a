import type { Refusal } from '#src/backends/refusal.ts';
import {
  tiesOf,
  type Expectation,
  type ReadResult,
  type StoredDocument,
  type Version,
} from '#src/core/document.ts';
import { recordedVersion, type Outcome, type RecordedVersion, type Base } from '#src/core/outcome.ts';
import { recordedBase } from '#src/core/sync/base.ts';
import { BOTH_GONE } from '#src/core/sync/said.ts';
import { otherSide, type BySide } from '#src/core/sync/observed.ts';
import type { RemoveStep, RestoreStep, SyncStep, WriteStep } from '#src/core/sync/three-way.ts';
import type { SyncReason } from '#src/errors/reasons.ts';
import { OperatorError } from '#src/errors.ts';
import type { ApplyInputs } from '../apply/inputs.ts';
import type { Copied } from '../apply/proof.ts';
import { SOURCE_UNFINISHED } from '../plan/decide.ts';
import type { PlannedDocument } from '../plan/plan.ts';
import { documentIn } from './observe.ts';

/** What one round of a document found. */
export interface Seen {
  readonly reads: BySide<ReadResult>;
  /** Undefined: they were never proven equal. */
  readonly base: Base | undefined;
}

/** The rows of one document that is kept in step. Every row that is not Verified has the base. */
export class Rows {
  readonly #inputs: Pick<ApplyInputs, 'intent' | 'prior'>;
  readonly #document: PlannedDocument;

  constructor(inputs: Pick<ApplyInputs, 'intent' | 'prior'>, document: PlannedDocument) {
    this.#inputs = inputs;
    this.#document = document;
  }

  /** What an earlier run recorded, without its state. */
  unchanged(): Omit<Outcome, 'state'> {
    const { name, destination: path } = this.#document;
    const { keys = [], destination, source } = this.#inputs.prior.get(name) ?? {};
    return {
      name,
      keys,
      destination: destination?.path === path ? destination : { path },
      ...(source === undefined ? {} : { source }),
      ...this.#withBase(recordedBase(this.#inputs.prior.get(name), path, source?.path)),
    };
  }

  sourceUnfinished(): Outcome {
    return { ...this.unchanged(), ...SOURCE_UNFINISHED };
  }

  /** Both sides are equal: as they were, or in other versions. `copiedNow`: a write of this run made them so. */
  equal({ reads }: Seen, copiedNow: boolean): Copied | undefined {
    const source = documentIn(reads.source);
    const destination = documentIn(reads.destination);
    if (source === undefined || destination === undefined) return undefined;
    const { reason } = this.#inputs.prior.get(this.#document.name) ?? {};
    const how = { reason: this.#standing(reason), copiedNow, ...this.#kept(destination.version) };
    return this.#proven({ source, destination }, how);
  }

  /** The versions of a write and of what it copied. */
  baseOf({ copies, to }: WriteStep, version: Version): Base {
    return { [to]: recordedVersion(version), [otherSide(to)]: recordedVersion(copies) };
  }

  /** The row of a write that was read back. */
  written(
    { reads }: Seen,
    { expect, kind, reason, to }: WriteStep,
    { backup, stored }: { readonly stored: StoredDocument; readonly backup: string | undefined },
  ): Copied {
    const from = documentIn(reads[otherSide(to)]);
    if (from === undefined)
      throw new OperatorError('INVARIANT', { op: 'engine.sync', target: stored.address });
    const sides =
      to === 'source' ? { source: stored, destination: from } : { source: from, destination: stored };
    const priorVersion = kind === 'restore' && to === 'destination' ? revisionOf(expect) : undefined;
    return this.#proven(sides, { reason, copiedNow: true, priorVersion, backup });
  }

  /** Nothing was written: a conflict, or what the policy keeps. */
  left(seen: Seen, { kind, message, reason }: Extract<SyncStep, { kind: 'conflict' | 'keep' }>): Outcome {
    return { ...this.#observed(seen), state: kind === 'keep' ? 'Skipped' : 'Conflict', reason, message };
  }

  /** Both sides are gone, and what is known of them stays. */
  gone(seen: Seen): Outcome {
    return { ...this.#observed(seen), state: 'Skipped', ...BOTH_GONE };
  }

  /** Before a removal, which is not certain yet. */
  toRemove(seen: Seen, { message, reason }: RemoveStep): Outcome {
    return { ...this.#observed(seen), state: 'Pending', reason, message, retry: 'soon' };
  }

  refused(seen: Seen, refusal: Refusal): Outcome {
    return { ...this.#observed(seen), state: 'Failed', ...refusal, retry: 'later' };
  }

  /** The row that names what a restore will overwrite, before it does. */
  announcing(seen: Seen, { expect, to }: RestoreStep, backup: string | undefined): Outcome {
    const row = this.#observed(seen);
    const { path } = row.destination ?? { path: this.#document.destination };
    return {
      ...row,
      state: 'Pending',
      reason: 'WillOverwrite',
      ...(to === 'destination'
        ? { destination: { ...row.destination, path, priorVersion: expect.revision } }
        : {}),
      ...(backup === undefined ? {} : { backup }),
      retry: 'soon',
    };
  }

  /** Both sides as they were read, and the base. */
  #observed({ reads, base }: Seen): Omit<Outcome, 'state'> {
    const { keys, ...row } = this.unchanged();
    const source = documentIn(reads.source);
    return {
      ...row,
      keys: source === undefined ? keys : keysOf(source),
      destination: { path: this.#document.destination, ...versionIn(reads.destination) },
      source: this.#atSource(versionIn(reads.source)),
      ...this.#withBase(base),
    };
  }

  #proven(
    { source, destination }: BySide<StoredDocument>,
    how: {
      readonly reason: Outcome['reason'];
      readonly copiedNow: boolean;
      readonly priorVersion?: string | undefined;
      readonly backup?: string | undefined;
    },
  ): Copied {
    const { backup, copiedNow, priorVersion, reason } = how;
    const document = this.#document;
    const { name } = document;
    const isProjected = this.#inputs.intent.policyOf(name).sourcePolicy === 'Project';
    const pair = {
      name,
      source: document.source,
      sourceVersion: source.version,
      ties: tiesOf(source),
      destination: document.destination,
      destinationVersion: destination.version,
    };
    return {
      outcome: {
        name,
        keys: keysOf(source),
        state: 'Verified',
        ...(reason === undefined ? {} : { reason }),
        destination: {
          path: document.destination,
          ...recordedVersion(destination.version),
          ...(priorVersion === undefined ? {} : { priorVersion }),
        },
        source: this.#atSource(recordedVersion(source.version)),
        ...(backup === undefined ? {} : { backup }),
        ...(copiedNow ? { copiedNow } : {}),
      },
      ...(isProjected && reason !== 'Projected' ? { pair } : {}),
    };
  }

  /** What an earlier write replaced stays on record while its result is there, or if the run was killed before its row. */
  #kept({ revision }: Version): {
    readonly priorVersion?: string | undefined;
    readonly backup?: string | undefined;
  } {
    const { backup, destination, reason, state } = this.#inputs.prior.get(this.#document.name) ?? {};
    if (state === 'Verified')
      return destination?.version === revision
        ? { priorVersion: destination.priorVersion, backup }
        : { backup };
    return reason === 'WillOverwrite' ? { priorVersion: destination?.priorVersion, backup } : {};
  }

  /** Who led the last change stays in the row; why it was in another state does not. */
  #standing(reason: Outcome['reason']): Outcome['reason'] {
    const isVerified = this.#inputs.prior.get(this.#document.name)?.state === 'Verified';
    return isVerified && reason !== undefined && STANDING.has(reason) ? reason : undefined;
  }

  #atSource(version: RecordedVersion): NonNullable<Outcome['source']> {
    const { isAtOldSource, source: path } = this.#document;
    return isAtOldSource === true ? { path, ...version } : version;
  }

  #withBase(base: Base | undefined): Pick<Outcome, 'base'> {
    return base === undefined ? {} : { base };
  }
}

const STANDING: ReadonlySet<string> = new Set<SyncReason | 'Projected'>([
  'FollowedDestination',
  'FollowedSource',
  'DestinationWon',
  'RestoredDestination',
  'RestoredSource',
  'SourceWon',
  'Projected',
]);

function keysOf({ fields }: StoredDocument): readonly string[] {
  return [...fields.keys()].toSorted();
}

function revisionOf(expect: Expectation): string | undefined {
  return expect === 'absent' ? undefined : expect.revision;
}

function versionIn(read: ReadResult): RecordedVersion {
  if (read.state === 'absent') return {};
  return recordedVersion(read.state === 'deleted' ? read.version : read.document.version);
}
