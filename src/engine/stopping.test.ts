import { describe, expect, it } from 'vitest';
import { all, always, failsWith, once, type Call, type Hook } from '#src/backends/memory/hooks.ts';
import { stopped } from '#src/errors/stopped.ts';
import { whenAborted } from '#src/io/abort.ts';
import { aWorld, runEngine, type EngineRun, type RunReport } from '#test/support/engine-run.ts';
import { settle } from '#test/support/manual-clock.ts';

const reason = stopped('The migration was deleted.');

/** A run, and the signals of the operator that end it. */
function aStoppable(names: readonly string[], more: Partial<EngineRun> = {}) {
  const world = aWorld();
  for (const name of names) world.source.put(name, { k: 'v' });
  const work = new AbortController();
  const settling = new AbortController();
  let log: readonly string[] = [];
  const shouldStop = (current: readonly string[]): boolean => {
    log = current;
    return work.signal.aborted;
  };
  const stop = (): void => work.abort(reason);
  const cut = (): void => settling.abort(reason);
  const run = async (at: EngineRun['at'] = {}): Promise<RunReport | 'stopped'> => {
    const signals = { signal: work.signal, settling: settling.signal };
    try {
      const report = await runEngine({ ...world, ...more, ...signals, at, shouldStop });
      return report.result.interrupted ? 'stopped' : report;
    } catch (failure) {
      if (failure !== reason) throw failure;
      return 'stopped';
    }
  };
  return { world, stop, cut, run, log: () => log };
}

/** Waits at such a call until the signal that is given to it aborts. */
function hangs(operation: Call['operation'], until: AbortSignal): Hook {
  return async (call) => {
    if (call.operation === operation) await whenAborted(until);
  };
}

describe('a run that is stopped', () => {
  it.each(['list', 'read', 'denied'] as const)(
    'ends at once while its source hangs: %s',
    async (operation) => {
      const hanging = aStoppable(['a'], { spec: { sourcePolicy: 'Delete' } });
      const released = new AbortController();
      const ended = hanging.run({ source: { before: hangs(operation, released.signal) } });
      await settle();
      hanging.stop();
      released.abort();
      expect(await ended).toBe('stopped');
      expect(hanging.world.destination.addresses()).toEqual([]);
    },
  );

  it('completes and proves the write that was sent, and begins no other', async () => {
    const stoppable = aStoppable(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']);
    await stoppable.run({ destination: { after: once('write', stoppable.stop) } });
    const { world, log } = stoppable;
    const written = world.destination.addresses().map((address) => address.slice('ns/'.length));
    expect(written.length).toBeGreaterThan(0);
    expect(written.length).toBeLessThan(8);
    for (const name of written) expect(log()).toContain(`row ${name} Verified`);
  });

  it('records nothing of a write whose reply does not come in time: the next run adopts it', async () => {
    const stoppable = aStoppable(['a']);
    const lost = all(
      once('write', stoppable.stop),
      once('write', () => {
        stoppable.cut();
        throw reason;
      }),
    );
    expect(await stoppable.run({ destination: { after: lost } })).toBe('stopped');
    expect(stoppable.log().filter((line) => line.startsWith('row'))).toEqual([]);
    const next = await runEngine(stoppable.world);
    expect(next.outcomeOf('a').state).toBe('Verified');
    expect(next.log.filter((line) => line.includes(' write '))).toEqual([]);
  });
});

describe('a run that removes sources and is stopped', () => {
  const spec = { sourcePolicy: 'Delete' };

  it('while it asks who uses the source of a proven copy keeps the row of that copy', async () => {
    const stoppable = aStoppable(['a'], {
      spec,
      usedBy: () => {
        if (stoppable.world.destination.addresses().length > 0) {
          stoppable.stop();
          throw reason;
        }
        return { users: { first: [], count: 0 } };
      },
    });
    expect(await stoppable.run()).toBe('stopped');
    expect(stoppable.log()).toContain('row a Verified');
    expect(stoppable.world.source.addresses()).toEqual(['a']);
  });

  it('after the claim removes nothing and takes the claim off', async () => {
    const stoppable = aStoppable(['a'], { spec });
    expect(await stoppable.run({ source: { after: once('claim', stoppable.stop) } })).toBe('stopped');
    const { world, log } = stoppable;
    expect(world.source.addresses()).toEqual(['a']);
    expect(log()).not.toContain('source delete a');
    expect(log().at(-1)).toBe('source release');
    expect(log()).toContain('row a Verified');
  });

  it('after its removal was sent says that the source is removed', async () => {
    const stoppable = aStoppable(['a'], { spec });
    await stoppable.run({ source: { after: once('delete', stoppable.stop) } });
    expect(stoppable.world.source.addresses()).toEqual([]);
    expect(stoppable.log()).toContain('row a Removed');
  });

  it('leaves the row of a removal whose reply does not come in time; the next run finds out', async () => {
    const stoppable = aStoppable(['a'], { spec });
    const after = once('delete', () => {
      stoppable.stop();
      stoppable.cut();
      throw reason;
    });
    expect(await stoppable.run({ source: { after } })).toBe('stopped');
    expect(stoppable.log().filter((line) => line.startsWith('row'))).toEqual(['row a Verified']);
    const destination = { path: 'ns/a', version: '1' };
    const prior = [{ name: 'a', keys: ['k'], state: 'Verified' as const, destination, since: 0 }];
    const next = await runEngine({ ...stoppable.world, spec, prior });
    expect(next.outcomeOf('a').state).toBe('Removed');
  });

  it('stores no backup and removes no source after the stop', async () => {
    const stoppable = aStoppable(['a'], { spec: { sourcePolicy: 'Backup' } });
    await stoppable.run({ source: { before: once('retire', stoppable.stop) } });
    expect(stoppable.world.source.addresses()).toContain('a');
  });
});

describe('a server that falls silent', () => {
  it('ends the run after the time of one document, not of all of them', async () => {
    const world = aWorld();
    for (let index = 0; index < 40; index += 1) world.source.put(`doc-${index}`, { k: 'v' });
    const at = {
      destination: {
        before: all(
          once('write', failsWith('DEADLINE')),
          always('probe', () => {
            probes += 1;
            if (probes > 1) failsWith('DEADLINE')();
          }),
        ),
      },
    };
    let probes = 0;
    const run = await runEngine({ ...world, at });
    expect(run.result.problem).toMatchObject({ code: 'DEADLINE' });
    expect(run.log.filter((line) => line.startsWith('destination write')).length).toBeLessThan(20);
  });

  it('but answers a probe, only delays the document', async () => {
    const world = aWorld();
    for (let index = 0; index < 40; index += 1) world.source.put(`doc-${index}`, { k: 'v' });
    const run = await runEngine({
      ...world,
      at: { destination: { before: once('write', failsWith('DEADLINE')) } },
    });
    expect(run.result.problem).toBeUndefined();
    expect([...run.outcomes.values()].filter(({ state }) => state === 'Verified')).toHaveLength(39);
  });
});

describe('a document that hangs', () => {
  it('is a row after its time, and does not end the others', async () => {
    const world = aWorld();
    for (const name of ['a', 'b', 'c']) world.source.put(name, { k: 'v' });
    const released = new AbortController();
    const before: Hook = async ({ operation, address }) => {
      if (operation === 'write' && address === 'ns/b') await whenAborted(released.signal);
    };
    const running = runEngine({ ...world, at: { destination: { before } } });
    await world.clock.advance(180_000);
    released.abort();
    const run = await running;
    expect(run.outcomeOf('b')).toMatchObject({ state: 'Failed', reason: 'Timeout', retry: 'soon' });
    expect(['a', 'c'].map((name) => run.outcomeOf(name).state)).toEqual(['Verified', 'Verified']);
    expect(world.destination.addresses()).toEqual(['ns/a', 'ns/c']);
  });
});
