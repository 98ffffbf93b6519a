import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { Driver } from '#src/backends/driver.ts';
import { ranged } from '#src/backends/layers/ranged.ts';
import { shaped, storedNameOf } from '#src/backends/layers/shaped.ts';
import type { Address, Version } from '#src/core/document.ts';
import type { Journal } from '#src/core/journal.ts';
import type { Range } from '#src/core/ranges.ts';
import type { BySide, Side } from '#src/core/sync/observed.ts';
import type { ApplyInputs, RunResult } from '#src/engine/apply/inputs.ts';
import {
  clockGate,
  credentialGate,
  crossingGate,
  knownTrustRootGate,
  listedTrustRootGate,
  trustRootGate,
  type Asked,
  type RemovalCandidate,
  type RemovalGate,
} from '#src/engine/gates.ts';
import { toIntent } from '#src/engine/plan/compile.ts';
import { maintain, runMigration, undoMigration } from '#src/engine/run.ts';
import { inUseGate, ownedElsewhereGate, propagationGate, type AskUse } from '#src/engine/uses.ts';
import type { MigrationJournal } from '#src/journal/journal.ts';
import type { ServerTime } from '#src/ports.ts';
import { objectKey } from '#src/runtime/store.ts';
import type { BackendPair } from '../backend/lookup.ts';
import { shortNameOf } from '../backend/names.ts';
import type { DriverLease } from '../backend/pool.ts';
import type { ChangedSecret } from '../rollout/windows.ts';
import type { UseQuery } from '../uses/secret-uses.ts';
import { trustRootsIn, unlistedBackendsIn, unparsedBackendIn } from '../backend/trust-root.ts';
import { approvalFor, type Approval } from './approval.ts';
import { permitOf, type Attempt } from './attempt.ts';
import { changesIn, hasJudgedRows, type Processed } from './changes.ts';
import { claimOf, isStaleClaim } from './claims.ts';
import { referenceTo } from './removals.ts';
import type { MigrationStatus } from './status.ts';
import { restOf } from './rest.ts';
import { storeReports } from './store-reports.ts';
import { paceOf } from './verdict.ts';

/** Both backends of a migration with their drivers, and its journal. */
export interface Gathered {
  readonly backends: BackendPair;
  readonly source: DriverLease;
  readonly destination: DriverLease;
  /** The stores that keep what a write replaces. */
  readonly keepsVersions: BySide<boolean>;
  readonly journal: MigrationJournal;
}

/** What the engine did, and for which documents. */
export interface Done extends Omit<Processed, 'outcomes'> {
  readonly result: RunResult;
  /** What the run was allowed to do. */
  readonly approval: Approval;
}

/**
 * Runs a task with the engine, on the whole selection or on the documents that may have changed. Failures of documents are in
 * the journal, the failure of a backend is in the result; throws `SPEC_INVALID`, `NAME_RESERVED` and what the journal throws.
 */
export async function carryOut(attempt: Attempt, gathered: Gathered): Promise<Done> {
  const { followed, status, task } = attempt;
  const { backends, source, destination, journal } = gathered;
  const approval = approvalFor(attempt.migration, gathered);
  const inputs = inputsOf(attempt, gathered, approval);
  const changes = await changesIn(attempt, journal, inputs.source);
  const { intent } = inputs;
  status.setPace(() => paceOf([source, destination]));
  const work = { ...inputs, only: changes?.only };
  const result = await ENGINE[task.kind === 'maintain' || task.kind === 'undo' ? task.kind : 'run'](work);
  // Versions that cannot be listed are a failure of the backend, also if the documents could be read.
  const problem: unknown = result.problem ?? followed?.problem;
  const seen = problem === undefined ? {} : { problem };
  return { approval, backends, changes, intent, result: { ...result, ...seen } };
}

const ENGINE = { maintain, run: runMigration, undo: undoMigration } as const;

function inputsOf(attempt: Attempt, gathered: Gathered, { approved, isPlan }: Approval): ApplyInputs {
  const { parts, migration, status, stop, context } = attempt;
  const { backends, source, destination, keepsVersions, journal } = gathered;
  const crossings = parts.live.of(objectKey(migration.metadata));
  const ends = { source: source.driver.traits, destination: destination.driver.traits };
  const intent = { ...toIntent(migration, ends), dryRun: isPlan };
  const { mapping } = migration.spec;
  const { holderOf, gates } = gatesAt(attempt, gathered, 'source');
  const shown = withProgress(journal, status);
  const recordedSources = (): readonly Address[] =>
    [...journal.prior.keys()].map((name) => intent.route.sourceOf(name));
  return {
    generation: migration.metadata.generation,
    intent,
    source: selected(parts.range, shaped(source.driver, mapping, intent.selection), recordedSources),
    destination: destination.driver,
    keepsVersions,
    trustsVersions: hasJudgedRows(migration),
    destinationName: shortNameOf(backends.destination),
    journal: shown,
    prior: journal.prior,
    approved,
    clock: parts.clock,
    logger: context.logger,
    concurrency: parts.concurrentDocuments,
    permit: permitOf(attempt),
    signal: stop.signal,
    locks: parts.live.locks,
    sweeps: parts.live.sweeps,
    claimedAs: claimOf(attempt),
    isStaleClaim: (by) => isStaleClaim(attempt, by),
    isFirstRun: migration.status.startTime === undefined && journal.prior.size === 0,
    crossings,
    shouldStop: () => stop.because !== undefined,
    rest: restOf(attempt, shown),
    onFallback: () => journal.countFallback(),
    onChanged: ({ side, address, version }) => {
      const isSecret = gathered[side].driver.kind === 'kubernetes';
      if (isSecret && migration.spec.rollout?.restart === true)
        parts.rollouts.secretChanged(changedSecret(migration, address, version));
    },
    onRemoved: () => {
      attempt.removed.count += 1;
    },
    gates,
    destinationGates: gatesAt(attempt, gathered, 'destination').gates,
    copyGate: credentialGate(holderOf),
    expiryGate: clockGate(() => differingServer(attempt, gathered)),
  };
}

/** In the pod of one range: the source without the names of the other ranges in its listings. */
function selected(range: Range | undefined, source: Driver, recorded: () => readonly Address[]): Driver {
  return range === undefined ? source : ranged(source, range, recorded);
}

function changedSecret({ metadata }: SecretMigration, name: Address, { revision }: Version): ChangedSecret {
  return { namespace: metadata.namespace, name, revision, migration: referenceTo(metadata) };
}

/** What holds the removal of a document at this side, and the backends that read their credentials from a Secret there. */
function gatesAt(
  attempt: Attempt,
  gathered: Gathered,
  side: Side,
): { readonly gates: readonly RemovalGate[]; readonly holderOf: (name: string) => string | undefined } {
  const { migration, parts } = attempt;
  const { namespace } = migration.metadata;
  const { driver } = gathered[side];
  const isKubernetes = driver.kind === 'kubernetes';
  const crossings = parts.live.of(objectKey(migration.metadata));
  const { mapping } = migration.spec;
  const holderOf = (name: string): string | undefined => {
    const secret = side === 'source' ? storedNameOf(mapping, name) : name;
    return isKubernetes ? trustRootsIn(parts.references, namespace).get(secret) : undefined;
  };
  const gates = [
    trustRootGate(holderOf, side),
    knownTrustRootGate(
      () => (isKubernetes ? unparsedBackendIn(parts.references, namespace) : undefined),
      side,
    ),
    listedTrustRootGate(
      () => (isKubernetes ? unlistedBackendsIn(parts.references, namespace) : undefined),
      side,
    ),
    crossingGate((address) => crossings.writeTo(driver.locationOf(address))),
    clockGate(() => differingServer(attempt, gathered)),
    ...(isKubernetes ? useGates(attempt, side) : []),
  ];
  return { gates, holderOf };
}

/** What holds the removal of a Secret because others depend on it. Last: they ask the API server. */
function useGates({ migration, parts }: Attempt, side: Side): readonly RemovalGate[] {
  const { namespace } = migration.metadata;
  const { mapping, removal = {} } = migration.spec;
  const { references } = removal;
  const since = parts.clock.monotonic();
  const query = ({ name }: RemovalCandidate, asked: Asked): UseQuery => {
    const secret = side === 'source' ? storedNameOf(mapping, name) : name;
    return { namespace, secret, asked, since };
  };
  const pushers: AskUse = async (document, asked) => parts.uses.pushersOf(query(document, asked));
  const users: AskUse = async (document, asked) =>
    parts.uses.usersOf(query(document, asked), {
      references,
      suppliesCa: document.ties?.suppliesCa === true,
    });
  return [
    ...(removal.owned === 'Remove' ? [] : [ownedElsewhereGate(side)]),
    propagationGate(pushers, side),
    ...(removal.inUse === 'Ignore' ? [] : [inUseGate([users, pushers], side)]),
  ];
}

/** The servers whose time counts for a migration. The API server stands first: every migration has it. */
function differingServer(
  { parts }: Attempt,
  { backends, source, destination }: Gathered,
): string | undefined {
  const servers: readonly (readonly [string, ServerTime | undefined])[] = [
    ['the Kubernetes API server', parts.serverTime],
    [shortNameOf(backends.source), source.driver.serverTime],
    [shortNameOf(backends.destination), destination.driver.serverTime],
  ];
  return servers.find(([, time]) => time?.differs() === true)?.[0];
}

/**
 * The journal for the engine: each outcome is recorded and then shown in the status; `flush` makes everything durable in
 * reports and in the status.
 */
export function withProgress(journal: MigrationJournal, status: MigrationStatus): Journal {
  return {
    prior: journal.prior,
    expect: (outcomes) => journal.expect(outcomes),
    record: async (outcome) => {
      await journal.record(outcome);
      await status.showProgress(journal);
    },
    forget: async (name) => {
      journal.forget(name);
      await status.showProgress(journal);
    },
    flush: async () => {
      await storeReports(journal, status);
      await status.storeProgress(journal);
    },
  };
}
