import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { eventually } from '#test/support/eventually.ts';
import type { OperatorProcess } from '#test/support/operator-process.ts';
import { kvData, kvMetadata, kvPut, pathOf, reasonOf, rowsByName } from '#test/support/queries.ts';
import type { RequestMatch } from '#test/support/proxy-rules.ts';
import type { RecordingProxy } from '#test/support/recording-proxy.ts';
import type { RecordedRequest } from '#test/support/request-history.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { FIELD, readStored } from './documents.ts';
import { Observer } from './observer.ts';
import { changesIn, secretsOf, versionsOf } from './places.ts';
import { Rig, withLogOf } from './rig.ts';
import { applyV1Backend } from './subjects.ts';

/* What others do to the destination in the middle of a run. */

let rig: Rig;
let operator: OperatorProcess;

beforeAll(async () => {
  rig = await Rig.open();
  operator = await rig.operator({ args: ['--status-interval-seconds=1'] });
});

afterAll(async () => {
  await operator.stop();
  await rig[Symbol.asyncDispose]();
});

const isChange = ({ method }: RecordedRequest): boolean => method !== 'GET' && method !== 'LIST';

/** Acts once, right before the first matching request reaches the server. */
interface Intrusion {
  readonly hits: () => number;
  /** Resolves when it has acted; never without a hit. */
  readonly done: Promise<void>;
}

function intrude(proxy: RecordingProxy, match: RequestMatch, act: () => Promise<void>): Intrusion {
  const { promise: until, resolve: release } = Promise.withResolvers<void>();
  const rule = proxy.onRequest(match, { kind: 'hold', until }, 1);
  return { hits: () => rule.hits, done: rule.firstHit.then(act).finally(release) };
}

/** Matches the n-th change (from 0) of one path below the tenant's folder, of data or metadata. */
function nthChange(tenant: Tenant, name: string, index: number): RequestMatch {
  const path = new RegExp(`^/v1/${tenant.mount}/[a-z]+/${pathOf(tenant, name)}$`);
  let seen = -1;
  return (request) => {
    if (!isChange(request) || !path.test(request.path)) return false;
    seen += 1;
    return seen === index;
  };
}

const byName = (left: string, right: string): number => left.localeCompare(right);
const THEIRS = { [FIELD]: 'theirs' };
/** More than any write has. */
const POSITIONS = [0, 1, 2, 3, 4];
const PENDING_MARK = 'keyferry-pending';
const NOTES = { owner: 'ann' };

interface Kind {
  readonly plant: (tenant: Tenant, name: string) => Promise<void>;
  readonly migration: Parameters<typeof aMigration>[1];
  readonly isAtSource: (tenant: Tenant, name: string) => Promise<boolean>;
}

/** Documents whose write is several requests. The names at the destination start with `new-`. */
const KINDS: Readonly<Record<string, Kind>> = {
  'a binary': {
    plant: async (tenant, name) => tenant.apply(aSecret(name, { [FIELD]: Buffer.from([0xff, 0xfe, 0]) })),
    migration: { select: { prefix: 'doc-' } },
    isAtSource: async (tenant, name) => (await tenant.secret(name)) !== undefined,
  },
  'an expiring': {
    plant: async (tenant, name) => {
      const metadata = { delete_version_after: '1h0m0s', custom_metadata: NOTES };
      await tenant.cluster.bao('POST', `${tenant.mount}/metadata/${pathOf(tenant, name)}`, metadata);
      await kvPut(tenant, pathOf(tenant, name), { [FIELD]: 'ours' });
    },
    migration: { from: 'bao', select: { prefix: 'doc-' } },
    isAtSource: async (tenant, name) => (await kvData(tenant, pathOf(tenant, name)))[FIELD] === 'ours',
  },
};

/** Their value is there as they wrote it. If ours was never written, nothing of ours is on the path. */
async function expectTheirs(tenant: Tenant, name: string): Promise<void> {
  const stored = await readStored(tenant, name);
  expect(stored?.value?.toString(), name).toBe('theirs');
  const metadata = await kvMetadata(tenant, pathOf(tenant, name));
  const marks = Object.keys(metadata?.custom_metadata ?? {}).filter((mark) => mark.startsWith('keyferry-'));
  expect(marks, name).not.toContain(PENDING_MARK);
  if (stored?.versions !== 1) return;
  expect(marks, name).toEqual([]);
  expect(metadata, name).toMatchObject({ delete_version_after: '0s' });
  expect(metadata?.versions['1']?.deletion_time, name).toBe('');
}

describe('a second writer', () => {
  it.each(Object.entries(KINDS))(
    'between any two requests of %s write keeps their value',
    async (_, kind) => {
      const tenant = await rig.tenant();
      const names = POSITIONS.map((position) => `doc-${position}`);
      for (const name of names) await kind.plant(tenant, name);
      const intrusions = POSITIONS.map((position) => {
        const name = `new-${position}`;
        const match = nthChange(tenant, name, position);
        return intrude(rig.bao, match, async () => kvPut(tenant, pathOf(tenant, name), THEIRS));
      });
      const prefixes = [{ from: 'doc-', to: 'new-', stripPrefix: true }];
      const mapping = { path: '{namespace}/{name}', prefixes };
      await tenant.apply(aMigration('moving', { ...kind.migration, mapping, sourcePolicy: 'Delete' }));
      await withLogOf(operator, tenant.untilReady('moving', { reason: 'ConflictsFound' }));

      const met = POSITIONS.filter((position) => (intrusions[position]?.hits() ?? 0) > 0);
      expect(met.length).toBeGreaterThanOrEqual(2);
      for (const position of met) {
        await intrusions[position]?.done;
        const name = `doc-${position}`;
        await eventually(`${name} is a conflict`, async () => {
          expect((await rowsByName(tenant, 'moving'))[name]).toMatchObject({ state: 'Conflict' });
          return true;
        });
        expect(await kind.isAtSource(tenant, name), name).toBe(true);
        await expectTheirs(tenant, `new-${position}`);
      }
    },
  );
});

/** Secrets of these names, and an Observer of them. */
async function plantObserved(tenant: Tenant, names: readonly string[]): Promise<Observer> {
  const values = new Map(names.map((name) => [name, Buffer.from(`value of ${name}`)]));
  for (const [name, value] of values) await tenant.apply(aSecret(name, { [FIELD]: value }));
  return new Observer(values, [secretsOf(tenant), versionsOf(tenant)], changesIn(rig.history));
}

async function removeCopy(tenant: Tenant, name: string): Promise<void> {
  await tenant.cluster.bao('DELETE', `${tenant.mount}/metadata/${pathOf(tenant, name)}`);
}

/** What was removed was copied again, and what was replaced keeps its source. */
async function expectSettled(tenant: Tenant, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const isReplaced = name.startsWith('replaced');
    const row = isReplaced ? { state: 'Conflict', reason: 'DestinationDiffers' } : { state: 'Removed' };
    await eventually(`${name} is settled`, async () => {
      expect((await rowsByName(tenant, 'moving'))[name]).toMatchObject(row);
      return true;
    });
    expect((await tenant.secret(name)) !== undefined, name).toBe(isReplaced);
    const ours = { [FIELD]: `value of ${name}` };
    expect(await kvData(tenant, pathOf(tenant, name)), name).toEqual(isReplaced ? THEIRS : ours);
  }
}

describe('a destination', () => {
  it('that is removed or replaced between the proofs saves the source', async () => {
    const tenant = await rig.tenant();
    // The claim comes first, then the read of the source, then that of the destination.
    const moments = ['PATCH', 'GET'];
    const names = moments.flatMap((method) =>
      [`removed-${method}`, `replaced-${method}`].map((name) => name.toLowerCase()),
    );
    const observer = await plantObserved(tenant, names);
    await using _watching = observer.start();
    const intrusions = names.map((name) => {
      const path = new RegExp(`/${tenant.namespace}/secrets/${name}$`);
      const method = name.endsWith('patch') ? 'PATCH' : 'GET';
      return intrude(rig.kube, { method, path }, async () =>
        name.startsWith('removed') ? removeCopy(tenant, name) : kvPut(tenant, pathOf(tenant, name), THEIRS),
      );
    });
    await tenant.apply(aMigration('moving', { sourcePolicy: 'Delete' }));
    await withLogOf(operator, Promise.all(intrusions.map(async ({ done }) => done)));
    await withLogOf(operator, expectSettled(tenant, names));
    await observer.freshRound();
    expect(observer.violations).toEqual([]);
  });

  it('that is removed or replaced during the soak saves the source', async () => {
    const tenant = await rig.tenant();
    const names = ['left', 'removed', 'replaced'];
    const observer = await plantObserved(tenant, names);
    await using _watching = observer.start();
    await tenant.apply(aMigration('moving', { sourcePolicy: 'Delete', soakSeconds: 4 }));
    await eventually('all are proven', async () => {
      const rows = await tenant.rows('moving');
      return rows.filter(({ state }) => state === 'Verified').length === names.length;
    });
    await removeCopy(tenant, 'removed');
    await kvPut(tenant, pathOf(tenant, 'replaced'), THEIRS);
    await withLogOf(operator, expectSettled(tenant, names));
    await observer.freshRound();
    expect(observer.violations).toEqual([]);
  });
});

describe('two backends on one mount of version 1', () => {
  it('store each value or refuse it, and overwrite none', async () => {
    const tenant = await rig.tenant();
    const mount = await rig.cluster.createV1Mount('shared');
    // Fewer than the requests at once, because all writes are held for a moment.
    const numbers = ['1', '2', '3', '4'];
    for (const letter of ['a', 'b']) {
      await applyV1Backend(rig, tenant, { name: `old-${letter}`, mount });
      for (const number of numbers)
        await tenant.apply(aSecret(`${letter}-${number}`, { [FIELD]: `${letter} ${number}` }));
      // Only one migration has it, and writes it last: when it is about to, it has read where it wants to write before.
      await tenant.apply(aSecret(`${letter}-last-${letter}`, { [FIELD]: letter }));
    }
    const gate = holdUntilAllWantToWrite(tenant, mount, numbers.length + 2);
    for (const letter of ['a', 'b']) {
      const prefixes = [{ from: `${letter}-`, to: 'x-', stripPrefix: true }];
      const mapping = { path: '{namespace}/{name}', prefixes };
      const select = { prefix: `${letter}-` };
      const to = `old-${letter}`;
      await tenant.apply(aMigration(letter, { to, select, mapping, sourcePolicy: 'Delete' }));
    }
    await withLogOf(operator, eventually('all want to write', gate.isFull));
    gate.open();
    for (const letter of ['a', 'b'])
      await eventually(`${letter} has ended`, async () => {
        expect(reasonOf(await tenant.migration(letter))).toMatch(/^(Completed|ConflictsFound)$/);
        return true;
      });

    gate.expectOneWriteEach();
    const rows = { ...(await rowsByName(tenant, 'a')), ...(await rowsByName(tenant, 'b')) };
    for (const number of numbers) {
      const [winner, loser] = rows[`a-${number}`]?.state === 'Removed' ? ['a', 'b'] : ['b', 'a'];
      expect(rows[`${winner}-${number}`], number).toMatchObject({ state: 'Removed' });
      expect(rows[`${loser}-${number}`], number).toMatchObject({ state: 'Conflict' });
      const path = `${mount}/${pathOf(tenant, `x-${number}`)}`;
      const stored = await rig.cluster.bao<{ data: Record<string, string> }>('GET', path);
      expect(stored.data, number).toEqual({ [FIELD]: `${winner} ${number}` });
      expect(await tenant.secret(`${loser}-${number}`), number).toBeDefined();
    }
  });
});

/**
 * Lets both migrations list the mount at the same time, so that each finds it empty, and holds all writes until each path
 * is about to be written.
 */
function holdUntilAllWantToWrite({ namespace }: Tenant, mount: string, paths: number) {
  const listings = Promise.withResolvers<void>();
  const writes = Promise.withResolvers<void>();
  const listed = rig.bao.onRequest(
    ({ path, query }) => path === `/v1/${mount}/${namespace}` && query.includes('list'),
    { kind: 'hold', until: listings.promise },
    2,
  );
  const written = new Set<string>();
  const isWrite = (request: RecordedRequest): boolean =>
    isChange(request) && request.path.startsWith(`/v1/${mount}/`);
  const noteWrite: RequestMatch = (request) =>
    isWrite(request) && written.add(request.path).has(request.path);
  rig.bao.onRequest(noteWrite, { kind: 'hold', until: writes.promise });
  const isFull = (): boolean => {
    if (listed.hits === 2) listings.resolve();
    return written.size === paths;
  };
  /** There is no check-and-set, so the second writer must not even send. */
  const expectOneWriteEach = (): void => {
    const paths = rig.bao.requests.filter(isWrite).map(({ path }) => path);
    expect(paths.toSorted(byName)).toEqual([...written].toSorted(byName));
  };
  return { open: writes.resolve, isFull, expectOneWriteEach };
}
