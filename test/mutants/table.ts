/** One mutation of the sources that would break a promise of Keyferry. */
export interface Mutant {
  /** What the mutated operator does wrong. */
  readonly title: string;
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly replace: string;
  readonly by: string;
  /** Unit tests of which at least one must fail. */
  readonly killedBy: readonly string[];
}

const CHECKS = 'src/core/checks.ts';
const RETIRE = 'src/engine/apply/retire.ts';
const TARGETS = 'src/engine/plan/targets.ts';

const SECOND_PROOF = ['src/engine/second-proof.test.ts'];
const REMOVING = ['src/engine/removing.test.ts'];
const IN_USE = ['src/engine/in-use.test.ts'];

/** Nothing is lost: what a removal must check and hold. */
const REMOVALS: readonly Mutant[] = [
  {
    title: 'the second proof reads both sides and compares nothing',
    file: RETIRE,
    replace:
      'const equal = sameFields(desired, destination.document) && keepsAttributes(desired, destination.document);',
    by: 'const equal = desired !== undefined;',
    killedBy: SECOND_PROOF,
  },
  {
    title: 'the second proof ignores type, labels and expiry',
    file: RETIRE,
    replace: ' && keepsAttributes(desired, destination.document)',
    by: '',
    killedBy: SECOND_PROOF,
  },
  {
    title: 'a source is removed although the destination has another version',
    file: RETIRE,
    replace: 'if (!stillVerified(destination, pair.destinationVersion))',
    by: "if (destination.state !== 'present')",
    killedBy: SECOND_PROOF,
  },
  {
    title: 'a removal starts before the record of its proof is durable',
    file: 'src/engine/apply/removals.ts',
    replace: '  await journal.flush();\n',
    by: '',
    killedBy: SECOND_PROOF,
  },
  {
    title: 'a removal locks its source only',
    file: RETIRE,
    replace: 'const locations = [source.locationOf(pair.source), destination.locationOf(pair.destination)];',
    by: 'const locations = [source.locationOf(pair.source)];',
    killedBy: REMOVING,
  },
  {
    title: 'a lock lets everybody in',
    file: 'src/io/keyed-lock.ts',
    replace: '      await (signal === undefined ? before : orAborted(before, signal));\n',
    by: '',
    killedBy: REMOVING,
  },
  {
    title: 'no source is claimed',
    file: RETIRE,
    replace:
      'if (source.claims === undefined || !removesSource({ sourcePolicy })) return pair.sourceVersion;',
    by: 'if (sourcePolicy !== undefined) return pair.sourceVersion;',
    killedBy: REMOVING,
  },
  {
    title: 'a run leaves the claims of earlier runs',
    file: 'src/engine/run.ts',
    replace:
      '  if (canHaveClaims(inputs)) await releaseClaims({ ...inputs, claimed: async () => claimable(inputs) });\n',
    by: '',
    killedBy: REMOVING,
  },
  {
    title: 'a removal that did not happen leaves its claim',
    file: 'src/engine/apply/removals.ts',
    replace: 'if (keptSome)',
    by: 'if (keptSome && due.length === 0)',
    killedBy: REMOVING,
  },
  {
    title: 'a removal relies on a proof of any age',
    file: RETIRE,
    replace: 'if (clock.monotonic() - startedAt <= MAX_PROOF_AGE_MS) return;',
    by: 'if (clock.monotonic() >= startedAt) return;',
    killedBy: REMOVING,
  },
  {
    title: 'a removal does not ask whether this process still leads',
    file: RETIRE,
    replace: '      removal.require();\n',
    by: '',
    killedBy: REMOVING,
  },
  {
    title: 'a lost lease is the failure of one document',
    file: 'src/errors.ts',
    replace: "thrown.code === 'LEASE_LOST') return true;",
    by: "thrown.code === 'LEASE_LOST') return signal.aborted;",
    killedBy: REMOVING,
  },
  {
    title: 'a source is Removed as soon as the server accepts the removal',
    file: RETIRE,
    replace: "if (found.state !== 'present') return { ...base, state: 'Removed' };",
    by: "if (found !== undefined) return { ...base, state: 'Removed' };",
    killedBy: REMOVING,
  },
  {
    title: 'no gate holds a removal',
    file: RETIRE,
    replace: "held === undefined ? undefined : { ...base, state: 'Verified', ...held }",
    by: 'undefined',
    killedBy: ['src/engine/retiring.test.ts'],
  },
  {
    title: 'a migration that writes the source of another one is not noticed',
    file: TARGETS,
    replace: 'crossings.removalOf(to) ??\n',
    by: '',
    killedBy: REMOVING,
  },
  {
    title: 'a migration that removes the destination of another one is not noticed',
    file: 'src/engine/gates.ts',
    replace:
      "return message === undefined ? undefined : { reason: 'CrossingMigrations', message, retry: 'later' };",
    by: 'return undefined;',
    killedBy: REMOVING,
  },
];

/** What is no proof, and what proves a copy. */
const PROOFS: readonly Mutant[] = [
  {
    title: 'a destination that is being deleted is a proof',
    file: CHECKS,
    replace: 'if (isLeaving === true) {',
    by: 'if (isLeaving === undefined && owner === undefined) return undefined;\n  if (owner !== undefined && sourcePolicy === undefined) {',
    killedBy: REMOVING,
  },
  {
    title: 'a destination that goes with its owner is a proof',
    file: CHECKS,
    replace: "if (owner === undefined || sourcePolicy === 'Keep') return undefined;",
    by: 'if (owner === undefined || sourcePolicy !== undefined) return undefined;',
    killedBy: REMOVING,
  },
  {
    title: 'a namespace that is being deleted is a destination',
    file: RETIRE,
    replace: "if (await to.isLeaving(signal)) return failedOutcome(base, leaving(), 'Verified');",
    by: '',
    killedBy: REMOVING,
  },
  {
    title: 'read-back accepts any version',
    file: 'src/engine/apply/verify.ts',
    replace: 'if (found?.version.revision !== version.revision)',
    by: 'if (found === undefined)',
    killedBy: ['src/engine/read-back.test.ts'],
  },
  {
    title: 'read-back asks for no version',
    file: 'src/engine/apply/verify.ts',
    replace: 'reader.read(address, signal, version.revision)',
    by: 'reader.read(address, signal)',
    killedBy: ['src/engine/read-back.test.ts'],
  },
  {
    title: 'read-back compares no bytes',
    file: 'src/engine/apply/verify.ts',
    replace: '!sameFields(desired, found) || ',
    by: '',
    killedBy: ['src/engine/read-back.test.ts'],
  },
  {
    title: 'a destination with more keys is equal',
    file: 'src/core/document.ts',
    replace: '  if (left.fields.size !== right.fields.size) return false;\n',
    by: '',
    killedBy: ['src/core/checks.test.ts'],
  },
  {
    title: 'a copy may outlive a source that expires',
    file: CHECKS,
    replace: 'if (outlives(copy, observation.desired)) {',
    by: 'if (outlives(copy, observation.desired) && policy.sourcePolicy === undefined) {',
    killedBy: ['src/core/checks.test.ts'],
  },
];

/** Nothing is silently overwritten. */
const WRITES: readonly Mutant[] = [
  {
    title: 'a document is overwritten before its version is on record',
    file: 'src/engine/apply/copy.ts',
    replace:
      "  if (step.kind === 'overwrite' && step.destination.version?.revision !== announced) return undefined;\n",
    by: '',
    killedBy: ['src/engine/overwriting.test.ts'],
  },
  {
    title: 'what this migration moved is moved again',
    file: TARGETS,
    replace: 'if (wasWritten) return',
    by: "if (wasWritten && name === '') return",
    killedBy: ['src/engine/one-store.test.ts'],
  },
  {
    title: 'a change is repeated after a failure',
    file: 'src/backends/layers/guard.ts',
    replace: 'isRepeatable(call.operation) ? calls.retried(call, next) : calls.once(call, next)',
    by: 'calls.retried(call, next)',
    killedBy: ['src/backends/layers/guard.test.ts'],
  },
  {
    title: 'a name that is reserved for another tenant can be read',
    file: 'src/backends/layers/gate.ts',
    replace: '      requirePassed(operation, addresses);\n      return next(signal);',
    by: '      return next(signal);',
    killedBy: ['src/backends/layers/gate.test.ts'],
  },
  {
    title: 'files are not flushed to the disk',
    file: 'src/backends/directory/prepare.ts',
    replace: '    await handle.writeFile(bytes);\n    await handle.sync();\n',
    by: '    await handle.writeFile(bytes);\n',
    killedBy: ['src/backends/directory/durability.test.ts'],
  },
];

/** Time, and what is counted with it. */
const TIMES: readonly Mutant[] = [
  {
    title: 'a removal that waited for its lock does not ask the gates again',
    file: RETIRE,
    replace: 'const held = removesSource(task) ? await heldOutcome(inputs, pair, task.base) : undefined;',
    by: 'const held = undefined;',
    killedBy: IN_USE,
  },
  {
    title: 'users that are unknown count as none',
    file: 'src/engine/uses.ts',
    replace: 'if (unknown === undefined) return undefined;',
    by: 'if (used === undefined) return undefined;',
    killedBy: IN_USE,
  },
  {
    title: 'a list that was refused counts as an empty one',
    file: 'src/controllers/uses/secret-uses.ts',
    replace: 'return { unknown: thrown instanceof Untold ? thrown.told : shownMessage(errorOf(thrown)) };',
    by: 'return { index };',
    killedBy: ['src/controllers/uses/secret-uses.test.ts'],
  },
  {
    title: 'soak counts for any copy of the document',
    file: 'src/engine/apply/soak.ts',
    replace: 'const isSame = isProven && sameCopy(record.destination, outcome.destination);',
    by: 'const isSame = isProven && record.destination !== undefined;',
    killedBy: ['src/engine/soak.test.ts'],
  },
  {
    title: 'soak of a copy that this run wrote counts from an earlier one',
    file: 'src/engine/apply/soak.ts',
    replace: ' && outcome.copiedNow !== true;',
    by: ';',
    killedBy: ['src/engine/soak.test.ts'],
  },
  {
    title: 'the time of a row survives another copy',
    file: 'src/journal/table.ts',
    replace: ' &&\n    sameCopy(before.destination, after.destination)',
    by: '',
    killedBy: ['src/journal/table.test.ts', 'src/engine/soak.test.ts'],
  },
  {
    title: 'backups of documents that were not removed expire',
    file: 'src/engine/apply/expire-backups.ts',
    replace: " || prior.state !== 'Removed'",
    by: '',
    killedBy: ['src/engine/backup-expiry.test.ts'],
  },
  {
    title: 'a backup expires although the destination has another value',
    file: 'src/engine/apply/expire-backups.ts',
    replace: 'return (await isLater(inputs, found, destination)) ? undefined : OTHER;',
    by: 'return found === undefined ? OTHER : undefined;',
    killedBy: ['src/engine/backup-expiry.test.ts'],
  },
  {
    title: 'a backup expires while the clocks differ',
    file: 'src/engine/apply/expire-backups.ts',
    replace: '  if (held !== undefined) return { ...base, backup, ...held };\n',
    by: '',
    killedBy: ['src/engine/wrong-clock.test.ts', 'src/engine/backup-expiry.test.ts'],
  },
  {
    title: 'a term of a leader that slept goes on',
    file: 'src/runtime/leadership.ts',
    replace:
      "if (this.silentMs >= this.renewDeadlineMs) throw this.end('The lease was not renewed in time.');",
    by: '',
    killedBy: ['src/runtime/leadership.test.ts'],
  },
];

/** What is shown is true, and nothing travels that must not. */
const REPORTS: readonly Mutant[] = [
  {
    title: 'credentials of a backend are copied with everything else',
    file: 'src/engine/plan/credentials.ts',
    replace: '    documents.drop(item);\n',
    by: '',
    killedBy: ['src/engine/credentials.test.ts'],
  },
  {
    title: 'lost reports are forgotten',
    file: 'src/journal/loss.ts',
    replace: 'if (rows === 0 && stored.damagedReports === 0) return undefined;',
    by: 'if (rows >= 0) return undefined;',
    killedBy: ['src/journal/lost-reports.test.ts'],
  },
  {
    title: 'a document is left out without a count',
    file: 'src/core/inventory.ts',
    replace: '  leaveOut(reason: LeftOutReason, address?: Address): void {\n    this.#discovered += 1;\n',
    by: '  leaveOut(reason: LeftOutReason, address?: Address): void {\n',
    killedBy: ['src/engine/inventory.test.ts'],
  },
  {
    title: 'a migration moves its own copies',
    file: 'src/engine/plan/inventory.ts',
    replace: '  requireSeparateEnds(inputs, documents.allNamed());\n',
    by: '',
    killedBy: ['src/engine/nested-ends.test.ts'],
  },
  {
    title: 'what the source could not list has no row',
    file: 'src/engine/plan/inventory.ts',
    replace: '      ...[...problems].map(([name, each]) => problemOutcome(name, each)),\n',
    by: '',
    killedBy: ['src/engine/one-bad-thing.test.ts'],
  },
  {
    title: 'a Secret of an invalid backend is no trust root',
    file: 'src/engine/gates.ts',
    replace: 'if (backend === undefined) return undefined;',
    by: 'if (backend !== undefined) return undefined;',
    killedBy: ['src/engine/retiring.test.ts', 'src/engine/one-bad-thing.test.ts'],
  },
];

export const MUTANTS: readonly Mutant[] = [...REMOVALS, ...PROOFS, ...WRITES, ...TIMES, ...REPORTS];
