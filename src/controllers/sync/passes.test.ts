import { describe, expect, it } from 'vitest';
import type { CachedObject } from '#src/runtime/store.ts';
import { Passes } from './passes.ts';

function secret(name: string, revision: string, more: Partial<CachedObject['metadata']> = {}): CachedObject {
  return { metadata: { name, namespace: 'ns', uid: `uid of ${name}`, resourceVersion: revision, ...more } };
}

describe('a pass that is under way', () => {
  it('keeps the last state of each Secret of its namespace that changed, deleted ones too', () => {
    const passes = new Passes();
    const pass = passes.begin('ns');
    passes.changed(secret('a', '1', { labels: { app: 'x' } }), true);
    passes.changed(secret('b', '2'), true);
    passes.changed(secret('elsewhere', '3', { namespace: 'other' }), true);
    passes.changed(secret('a', '4', { labels: {} }), true);
    passes.changed(secret('b', '5'), false);
    expect([...pass.changes()]).toEqual([
      [secret('a', '4', { labels: {} }), true],
      [secret('b', '5'), false],
    ]);
  });

  it('keeps nothing but the version and the labels', () => {
    const passes = new Passes();
    const pass = passes.begin('ns');
    const annotations = { note: 'x'.repeat(1000) };
    passes.changed(secret('a', '1', { annotations, creationTimestamp: '2026-01-01T00:00:00Z' }), true);
    expect([...pass.changes()]).toEqual([[secret('a', '1'), true]]);
  });

  it('sees nothing of what came before it or after it ended', () => {
    const passes = new Passes();
    passes.changed(secret('before', '1'), true);
    const pass = passes.begin('ns');
    pass[Symbol.dispose]();
    passes.changed(secret('after', '2'), true);
    passes.missed(undefined);
    expect([...pass.changes()]).toEqual([]);
    expect(pass.hasMissed).toBe(false);
  });

  it('hears that changes were missed in its namespace, or in all', () => {
    const passes = new Passes();
    const [here, there] = [passes.begin('ns'), passes.begin('other')];
    passes.missed('ns');
    expect([here.hasMissed, there.hasMissed]).toEqual([true, false]);
    passes.missed(undefined);
    expect(there.hasMissed).toBe(true);
  });
});
