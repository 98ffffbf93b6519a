import { describe, expect, it } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import { aWorld, runEngine, type EngineRun, type RunReport, type World } from '#test/support/engine-run.ts';

/* Mode Sync toward an immutable Secret: it is reported, or deleted and created again if the spec says so. */

class Follower {
  readonly world: World = aWorld({ addressing: 'tree' }, { addressing: 'flat' });
  readonly #spec: NonNullable<EngineRun['spec']>;
  prior: RunReport['rows'] = [];

  constructor(sync: Readonly<Record<string, unknown>>) {
    this.#spec = { mode: 'Sync', sync };
  }

  async pass(more: Partial<EngineRun> = {}): Promise<RunReport> {
    const run = await runEngine({ ...this.world, prior: this.prior, spec: this.#spec, ...more });
    this.prior = run.rows;
    return run;
  }

  text(): string | undefined {
    return this.world.destination.textAt('a')?.['k'];
  }
}

/** The Secret was copied once, then a user made it immutable, and the path got another value. */
async function changed(sync: Readonly<Record<string, unknown>>): Promise<Follower> {
  const follower = new Follower(sync);
  const { destination, source } = follower.world;
  source.put('ns/a', { k: '1' });
  await follower.pass();
  destination.alter('a', { attributes: { immutable: true, labels: new Map([['team', 'payments']]) } });
  source.put('ns/a', { k: '2' });
  return follower;
}

function changesIn(log: readonly string[]): readonly string[] {
  return log.filter((line) => /^destination (write|delete|recreate|keep)/.test(line));
}

const RECREATES = { recreateImmutable: true };

describe('an immutable Secret that must change', () => {
  it('is a conflict, and nothing is sent', async () => {
    const follower = await changed({});
    const run = await follower.pass();
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Conflict', reason: 'SecretImmutable' });
    expect(changesIn(run.log)).toEqual([]);
    expect(follower.text()).toBe('1');
    expect((await follower.pass()).outcomeOf('a').reason).toBe('SecretImmutable');
  });

  it('is created again with recreateImmutable, after a copy was kept and named in its row', async () => {
    const follower = await changed(RECREATES);
    const run = await follower.pass();
    const { backup = '' } = run.outcomeOf('a');
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'FollowedSource' });
    expect(follower.text()).toBe('2');
    const { attributes } = follower.world.destination.currentAt('a') ?? {};
    expect(attributes?.immutable).toBe(true);
    expect(attributes?.labels?.get('team')).toBe('payments');
    expect(follower.world.destination.backupTextAt(backup)).toEqual({ k: '1' });
    expect(changesIn(run.log)).toEqual(['destination keep a', 'destination recreate a']);
    expect(run.log.indexOf('flush')).toBeLessThan(run.log.indexOf('destination recreate a'));
    expect(changesIn((await follower.pass()).log)).toEqual([]);
  });

  it('with equal bytes is left as it is', async () => {
    const follower = await changed(RECREATES);
    follower.world.source.put('ns/a', { k: '1' });
    const run = await follower.pass();
    expect(run.outcomeOf('a').state).toBe('Verified');
    expect(changesIn(run.log)).toEqual([]);
  });
});

describe('a Secret that was deleted and not created again', () => {
  const cutOff = (follower: Follower, failure: Error): Partial<EngineRun> => ({
    at: {
      destination: {
        before: ({ operation }) => {
          if (operation !== 'recreate') return;
          follower.world.destination.purge('a');
          throw failure;
        },
      },
    },
  });
  const REFUSED = new OperatorError('AUTH_DENIED', { op: 'test' });
  const LOST = new OperatorError('SERVER_ERROR', { op: 'test', indeterminate: true });

  it.each(['Source', 'Either'])('is written by the next pass, with authority %s', async (authority) => {
    const follower = await changed({ ...RECREATES, authority });
    const run = await follower.pass(cutOff(follower, REFUSED));
    const { backup } = run.outcomeOf('a');
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Failed', reason: 'PermissionDenied' });
    expect(follower.text()).toBeUndefined();
    const next = await follower.pass();
    expect(next.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'FollowedSource', backup });
    expect(follower.text()).toBe('2');
    expect(follower.world.source.textAt('ns/a')).toEqual({ k: '2' });
  });

  it('is written also if the run was killed, with prune and authority Either', async () => {
    const follower = await changed({ ...RECREATES, authority: 'Either', prune: true, maxPrunePercent: 100 });
    const stop = new AbortController();
    const before = ({ operation }: { readonly operation: string }): void => {
      if (operation !== 'recreate') return;
      follower.world.destination.purge('a');
      stop.abort(new Error('killed'));
      stop.signal.throwIfAborted();
    };
    const journal: RunReport['rows'][] = [];
    const killed = follower.pass({
      signal: stop.signal,
      at: { destination: { before } },
      onFlush: (rows) => void journal.push(rows),
    });
    await expect(killed).rejects.toThrow('killed');
    follower.prior = journal.at(-1) ?? follower.prior;
    const next = await follower.pass();
    expect(next.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'FollowedSource' });
    expect(follower.text()).toBe('2');
    expect(follower.world.source.textAt('ns/a')).toEqual({ k: '2' });
  });

  it('is written in the same pass after a lost reply, and its row names the copy', async () => {
    const follower = await changed({ ...RECREATES, authority: 'Either' });
    const run = await follower.pass(cutOff(follower, LOST));
    const { backup = '' } = run.outcomeOf('a');
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'FollowedSource' });
    expect(follower.text()).toBe('2');
    expect(follower.world.destination.backupTextAt(backup)).toEqual({ k: '1' });
  });
});
