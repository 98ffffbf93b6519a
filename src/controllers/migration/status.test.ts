import { expect, it } from 'vitest';
import { RECONCILE_REQUESTED_ANNOTATION } from '#src/api/group.ts';
import { parseSecretMigration, type SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { OperatorError } from '#src/errors.ts';
import { isJsonObject, type JsonObject } from '#src/kube/json.ts';
import type { KubeRequest } from '#src/kube/client.ts';
import type { Resource } from '#src/kube/resource.ts';
import { MigrationJournal } from '#src/journal/journal.ts';
import { StatusWriter } from '#src/runtime/status-patch.ts';
import { aMigration } from '#test/builders/objects.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { RecordedLog, RecordedMetrics } from '#test/support/recorded.ts';
import { ScriptedKubeClient } from '#test/support/scripted-kube-client.ts';
import { withProgress } from './engine-run.ts';
import { MigrationStatus } from './status.ts';
import { concluding, failing, type Verdict } from './verdict.ts';

const { signal } = new AbortController();
const INTERVAL_MS = 5_000;

function resource(kind: string, plural: string): Resource {
  return { group: 'keyferry.io', version: 'v1alpha1', plural, kind, namespaced: true };
}

/** Applies a merge patch (RFC 7396) like the API server. */
function mergePatched(target: unknown, patch: unknown): unknown {
  if (!isJsonObject(patch)) return patch;
  const result = isJsonObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatched(result[key], value);
  }
  return result;
}

async function unexpected(): Promise<never> {
  throw new Error('no report is expected');
}

/** A migration and the part of the API server that stores its status. */
async function aRun(refuses: (status: JsonObject) => boolean = () => false) {
  const clock = new ManualClock();
  const stored: { metadata: Record<string, unknown>; status: unknown } = {
    ...aMigration('m'),
    metadata: { name: 'm', namespace: 'ns', uid: 'u', resourceVersion: '1', generation: 1 },
    status: {},
  };
  const writes: unknown[] = [];
  const events: string[] = [];
  const client = new ScriptedKubeClient(({ body }: KubeRequest) => {
    if (!isJsonObject(body) || !isJsonObject(body['status'])) throw new Error('not a status patch');
    if (refuses(body['status']))
      throw new OperatorError('REQUEST_REJECTED', { op: 'test', detail: 'Fields: x.' });
    const { resourceVersion } = stored.metadata;
    stored.metadata = { ...stored.metadata, resourceVersion: String(Number(resourceVersion) + 1) };
    stored.status = mergePatched(stored.status, body['status']);
    writes.push(structuredClone(stored.status));
    return structuredClone(stored);
  });
  const migration = parsedFrom(stored);
  const status = new MigrationStatus(
    {
      writer: new StatusWriter({ client, resource: resource('SecretMigration', 'secretmigrations') }),
      events: { record: ({ reason }) => void events.push(reason) },
      metrics: new RecordedMetrics(),
      clock,
      intervalMs: INTERVAL_MS,
    },
    migration,
    signal,
  );
  const noReports = { get: async () => undefined, create: unexpected, replace: unexpected };
  const journal = await MigrationJournal.open({
    migration,
    reports: noReports,
    rules: [],
    logger: new RecordedLog(),
    acknowledgesLoss: false,
    clock,
    signal,
  });
  const shown = withProgress(journal, status);
  const verify = async (count: number): Promise<void> => {
    await shown.record({ name: `doc-${count}`, keys: ['k'], state: 'Verified' });
  };
  return { clock, events, status, journal, stored, writes, verify };
}

function parsedFrom(stored: unknown): SecretMigration {
  const parsed = parseSecretMigration(structuredClone(stored));
  if (!parsed.ok) throw new Error(parsed.problems.join());
  return parsed.value;
}

function verdictOn(journal: MigrationJournal): Verdict {
  const [counts, outcomes] = [journal.counts(), journal.outcomes()];
  return concluding({ counts, outcomes, dryRun: false, awaitsSoak: false });
}

it('writes progress at most every five seconds, however fast documents are processed', async () => {
  const { clock, writes, verify } = await aRun();
  for (let count = 0; count < 200; count += 1) {
    await verify(count);
    await clock.advance(100);
  }
  expect(writes).toHaveLength(4);
});

it('continues with the object that another writer changed, and is then about its generation', async () => {
  const { journal, status, stored, writes, verify } = await aRun();
  await verify(0);
  stored.metadata = { ...stored.metadata, generation: 2 };
  const current = parsedFrom(stored);
  await verify(1);
  status.continueWith(current);
  await status.storeProgress(journal);
  expect(writes.at(-1)).toMatchObject({
    observedGeneration: 2,
    progress: '2/2',
    conditions: [{ type: 'Ready', status: 'Unknown', reason: 'Progressing', observedGeneration: 2 }, {}, {}],
  });
});

it('does not echo a request that came while the verdict of an earlier run was stored', async () => {
  let isOvertaken = false;
  const { journal, status, stored, writes, verify } = await aRun(() => isOvertaken);
  await verify(0);
  const verdict = verdictOn(journal);
  isOvertaken = true;
  await expect(status.conclude(verdict)).rejects.toMatchObject({ code: 'REQUEST_REJECTED' });
  isOvertaken = false;
  stored.metadata = { ...stored.metadata, annotations: { [RECONCILE_REQUESTED_ANNOTATION]: 'now' } };
  const current = parsedFrom(stored);
  status.continueWith(current);
  await verify(1);
  await status.storeProgress(journal);
  expect(writes.at(-1)).toMatchObject({ progress: '2/2' });
  expect(writes.at(-1)).not.toHaveProperty('lastHandledReconcileAt');
});

it('shows at once that the run cannot go on, also over the verdict of an earlier run, and then how far it is', async () => {
  const { clock, journal, status, writes, verify } = await aRun();
  await verify(0);
  await clock.advance(INTERVAL_MS);
  await status.conclude(verdictOn(journal), journal);
  const blocked = failing(new OperatorError('AUDIT_LOG_BLOCKED', { op: 'test' }));
  let isBlocked = true;
  status.setObstacle(() => (isBlocked ? blocked : undefined));
  await status.storeProgress(journal);
  const ready = { type: 'Ready', status: 'False', reason: 'AuditLogBlocked' };
  expect(writes.at(-1)).toMatchObject({
    conditions: expect.arrayContaining([expect.objectContaining(ready)]),
  });
  const count = writes.length;
  await status.storeProgress(journal);
  expect(writes).toHaveLength(count);
  isBlocked = false;
  await status.storeProgress(journal);
  expect(writes.at(-1)).toMatchObject({
    conditions: expect.arrayContaining([expect.objectContaining({ reason: 'Progressing' })]),
  });
});

it('shows no success beside a table of which rows were lost', async () => {
  const { journal, status, writes, verify } = await aRun();
  await verify(0);
  const verdict = verdictOn(journal);
  await status.conclude(verdict, journal);
  const loss = { reports: 1, rows: 2, unrecoverable: true };
  await status.storeProgress({ counts: () => journal.counts(), table: () => journal.table(), loss });
  expect(writes.at(-1)).toMatchObject({ conditions: [{ type: 'Ready', status: 'Unknown' }, {}, {}] });
});

it('tells of a verdict by an event, and of no progress before it', async () => {
  const { events, journal, status, writes, verify } = await aRun();
  await status.storeProgress(journal);
  await verify(0);
  expect(writes.at(-1)).toMatchObject({ conditions: [{ type: 'Ready', reason: 'Progressing' }, {}, {}] });
  expect(events).toEqual([]);
  await status.conclude(verdictOn(journal), journal);
  expect(events).toEqual(['Completed']);
});

it('writes a verdict immediately, and never the same verdict again', async () => {
  const { journal, status, writes, verify } = await aRun();
  await verify(0);
  const verdict = concluding({
    counts: journal.counts(),
    outcomes: [...journal.outcomes()],
    dryRun: false,
    awaitsSoak: false,
  });
  await status.conclude(verdict, journal);
  expect(writes.at(-1)).toMatchObject({
    progress: '1/1',
    conditions: [{ type: 'Ready', status: 'True' }, {}],
  });
  const before = writes.length;
  await status.conclude(verdict, journal);
  expect(writes).toHaveLength(before);
});

it('says so when the API server refuses its rows, instead of showing the last progress from then on', async () => {
  const { journal, status, writes, verify } = await aRun((patch) => JSON.stringify(patch).includes('doc-1'));
  await verify(0);
  await expect(status.storeProgress(journal)).resolves.toBeUndefined();
  await journal.record({ name: 'doc-1', keys: ['k'], state: 'Verified' });
  const verdict = verdictOn(journal);
  await expect(status.conclude(verdict, journal)).rejects.toMatchObject({ code: 'REQUEST_REJECTED' });
  expect(writes.at(-1)).toMatchObject({
    progress: '1/1',
    keys: [{ name: 'doc-0' }],
    conditions: [
      {
        type: 'Ready',
        status: 'False',
        reason: 'Rejected',
        message: expect.stringMatching(
          /^The API server refuses the rows of this run; older rows are shown\. .*Fields: x/,
        ),
      },
      {},
      { type: 'Stalled' },
    ],
  });
});
