import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '#test/support/eventually.ts';
import type { OperatorProcess } from '#test/support/operator-process.ts';
import type { RequestMatch } from '#test/support/proxy-rules.ts';
import type { RecordedRequest } from '#test/support/request-history.ts';
import { rowsByName } from '#test/support/queries.ts';
import { FOLLOWINGS, InStep, MIGRATION, type Following } from './in-step.ts';
import { endsOf, kept, NAME } from './in-step-ends.ts';
import { report, Rig, withLogOf } from './rig.ts';

/*
 * An operator that keeps documents in step is killed before and after every request that changes something. One kill serves
 * all positions: each has a document, whose migration waits there when the operator dies.
 */

/** Each position holds one. */
const WORKERS = 64;
const ARGS = [`--concurrent-migrations=${WORKERS}`, '--waiting-retry-seconds=1'];
const DEADLINE_MS = 120_000;

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.open();
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

/** Where the operator dies, with one document. */
interface Position {
  readonly following: Following;
  /** Of the requests that change something: this one is applied, and its reply never arrives. The next one is not sent. */
  readonly index: number;
  /** The change is made while no operator runs, and a user makes another one after the kill. */
  readonly isUnattended: boolean;
}

interface Halted {
  readonly position: Position;
  readonly subject: InStep;
  readonly reached: () => RecordedRequest | undefined;
}

const nameOf = ({ following, index, isUnattended }: Position): string =>
  `${following.name}, after change ${index + 1}${isUnattended ? ' at a start, edited again' : ''}`;

async function aSubject(following: Following): Promise<InStep> {
  const subject = new InStep(await rig.tenant(), following);
  await subject.prepare();
  return subject;
}

/** Both ends have the last value of the one that leads, and the row is of this version. */
async function isSettled(subject: InStep): Promise<boolean> {
  const { path, secret, version } = await endsOf(subject.tenant);
  const row = (await rowsByName(subject.tenant, MIGRATION))[NAME];
  const isOnRecord = [row?.source?.version, row?.destination?.version].includes(String(version));
  return path === subject.wanted && secret === subject.wanted && row?.state === 'Verified' && isOnRecord;
}

/** The requests that change something, as a migration sends them that is not disturbed. */
async function changesOf(following: Following): Promise<readonly RecordedRequest[]> {
  const subject = await aSubject(following);
  const from = rig.history.requests.length;
  await subject.start();
  await eventually(`${following.name} is in step`, async () => isSettled(subject), {
    deadlineMs: DEADLINE_MS,
  });
  await subject.tenant.untilReady(MIGRATION, { status: 'True', reason: 'Synced' });
  const changes = rig.history.requests.slice(from).filter(subject.isChange);
  report(`${following.name}: ${changes.map(({ method, path }) => `${method} ${path}`).join(', ')}`);
  return changes;
}

/** To die after one request is to die before the next one: the servers are the same. */
async function positionsOf(following: Following): Promise<readonly Omit<Position, 'isUnattended'>[]> {
  return (await changesOf(following)).map((_, index) => ({ following, index }));
}

/** From now on the operator gets to the position, and no further. */
function halt(position: Position, subject: InStep, until: Promise<unknown>): Halted {
  let seen = 0;
  let reached: RecordedRequest | undefined;
  const atPosition: RequestMatch = (request) => {
    if (!subject.isChange(request) || reached !== undefined) return false;
    seen += 1;
    if (seen === position.index + 1) reached = request;
    return reached !== undefined;
  };
  const isLater: RequestMatch = (request) => reached !== undefined && subject.isChange(request);
  for (const proxy of [rig.kube, rig.bao]) {
    proxy.onRequest(atPosition, { kind: 'answer-late', until }, 1);
    proxy.onRequest(isLater, { kind: 'hold', until });
  }
  return { position, subject, reached: () => reached };
}

/** All are where they shall be killed; one that has fewer changes to make is through. */
async function untilHalted(halted: readonly Halted[]): Promise<number> {
  let count = 0;
  for (const { position, reached, subject } of halted) {
    const isThere = async (): Promise<boolean> => {
      const request = reached();
      if (request === undefined) return isSettled(subject);
      return request.status !== undefined;
    };
    await eventually(`${nameOf(position)} is reached`, isThere, { deadlineMs: DEADLINE_MS });
    if (reached() !== undefined) count += 1;
  }
  return count;
}

async function expectNothingLost(halted: readonly Halted[]): Promise<void> {
  const lost = halted.map(async ({ position, subject }) => {
    const there = await kept(subject.tenant);
    return subject.values
      .filter((value) => !there.has(value))
      .map((value) => `${nameOf(position)}: ${value}`);
  });
  expect((await Promise.all(lost)).flat()).toEqual([]);
}

/** Kills the operator where all positions are; users edit some of them again. */
async function killAll(operator: OperatorProcess, halted: readonly Halted[]): Promise<void> {
  const count = await withLogOf(operator, untilHalted(halted));
  await operator.kill();
  report(`killed at ${count} of ${halted.length} positions`);
  await expectNothingLost(halted);
  await Promise.all(
    halted.map(async ({ position, subject }) => position.isUnattended && subject.editAgain()),
  );
  await expectNothingLost(halted);
}

/** Equal ends, or a conflict that is allowed: what the operator wrote was not on record, and the source changed again. */
async function endOf({ position, subject }: Halted): Promise<string> {
  return eventually(
    `${nameOf(position)} has ended`,
    async () => {
      if (await isSettled(subject)) return 'equal';
      const row = (await rowsByName(subject.tenant, MIGRATION))[NAME];
      if (row?.state === 'Conflict') return row.reason ?? 'no reason';
      throw new Error(JSON.stringify({ row, ends: await endsOf(subject.tenant), wanted: subject.wanted }));
    },
    { deadlineMs: DEADLINE_MS },
  );
}

async function expectEnds(operator: OperatorProcess, halted: readonly Halted[]): Promise<void> {
  const wrong: string[] = [];
  for (const each of halted) {
    const end = await withLogOf(operator, endOf(each));
    const { following, isUnattended } = each.position;
    const allowed = isUnattended ? (following.mayConflict ?? []) : [];
    if (end !== 'equal') report(`${nameOf(each.position)}: ${end}`);
    if (end !== 'equal' && !allowed.includes(end)) wrong.push(`${nameOf(each.position)}: ${end}`);
  }
  expect(wrong).toEqual([]);
  await expectNothingLost(halted);
}

/** Documents that the operator is going to die at, in step before. */
async function prepare(positions: readonly Position[]): Promise<readonly Omit<Halted, 'reached'>[]> {
  return Promise.all(
    positions.map(async (position) => ({ position, subject: await aSubject(position.following) })),
  );
}

it('loses nothing and overwrites nothing silently, whatever request it dies at', async () => {
  const mark = performance.now();
  const time = (what: string): void => report(`${what}: ${((performance.now() - mark) / 1000).toFixed(1)} s`);
  const first = await rig.operator({ leaseName: 'in-step-1', args: ARGS });
  const positions = (await withLogOf(first, Promise.all(FOLLOWINGS.map(positionsOf)))).flat();
  expect(positions.length).toBeLessThan(WORKERS);
  time('recorded');
  const of = (isUnattended: boolean) => prepare(positions.map((each) => ({ ...each, isUnattended })));
  const [attended, unattended] = await withLogOf(first, Promise.all([of(false), of(true)]));
  time('prepared');
  const [firstDeath, secondDeath] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];

  const halted = attended.map(({ position, subject }) => halt(position, subject, firstDeath.promise));
  await Promise.all(halted.map(async ({ subject }) => subject.start()));
  await killAll(first, halted);
  firstDeath.resolve();
  time('killed');

  const haltedLater = unattended.map(({ position, subject }) => halt(position, subject, secondDeath.promise));
  await Promise.all(haltedLater.map(async ({ subject }) => subject.start()));
  const second = await rig.operator({ leaseName: 'in-step-2', args: ARGS });
  await killAll(second, haltedLater);
  secondDeath.resolve();
  time('killed again');

  const survivor = await rig.operator({ leaseName: 'in-step-3', args: ARGS });
  await expectEnds(survivor, [...halted, ...haltedLater]);
  time('ended');
  expect((await survivor.stop()).code).toBe(0);
});
