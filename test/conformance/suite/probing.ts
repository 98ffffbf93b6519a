import { expect, it } from 'vitest';
import type { Trial } from './trial.ts';

/** What a driver reports about its server and its locations. */
export function describeProbe(trial: Trial): void {
  const { signal, holds } = trial;

  const mayWrite = holds === 'text' ? 'UnsafeWrites' : 'ConditionalWrite';

  it(`names its server and has the capability ${mayWrite}`, async () => {
    const probe = await trial.driver.probe(signal);
    expect(probe.server.version).not.toBe('');
    expect(probe.identity).not.toBe('');
    expect(probe.capabilities).toContain(mayWrite);
    expect(await trial.driver.probe(signal)).toEqual(probe);
  });

  it('returns the same location of a document for every caller', async () => {
    await trial.driver.probe(signal);
    expect(trial.driver.locationOf('a')).toEqual(trial.driver.locationOf('a'));
    expect(trial.driver.locationOf('a').store).toBe(trial.driver.locationOf('b').store);
    expect(trial.driver.locationOf('a').path).not.toBe(trial.driver.locationOf('b').path);
  });
}
