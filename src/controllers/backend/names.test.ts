import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_BACKEND_ANNOTATION } from '#src/api/group.ts';
import {
  parseClusterSecretBackend,
  type ClusterSecretBackend,
} from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { defaultOf, titleOf } from './names.ts';

function backend(name: string, second: number, asks: string | undefined): ClusterSecretBackend {
  const parsed = parseClusterSecretBackend({
    apiVersion: 'keyferry.io/v1alpha1',
    kind: 'ClusterSecretBackend',
    metadata: {
      name,
      uid: name,
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: `2026-01-01T00:00:0${second}Z`,
      annotations: asks === undefined ? {} : { [DEFAULT_BACKEND_ANNOTATION]: asks },
    },
    spec: { type: 'kubernetes', kubernetes: {} },
  });
  if (!parsed.ok) throw new Error(parsed.problems.join('; '));
  return parsed.value;
}

describe('the default backend', () => {
  it('is the oldest with the annotation, and of two from the same second the first by name', () => {
    const young = backend('a', 2, 'true');
    const old = [backend('c', 1, 'true'), backend('b', 1, 'true')];
    expect(defaultOf([young, ...old])?.metadata.name).toBe('b');
  });

  it.each(['false', 'True', '', undefined])('is never one with the annotation %j', (asks) => {
    expect(defaultOf([backend('a', 1, asks)])).toBeUndefined();
  });

  it('does not depend on the order of the backends', () => {
    const some = fc.uniqueArray(
      fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd', 'e'), second: fc.integer({ min: 0, max: 2 }) }),
      { selector: ({ name }) => name },
    );
    fc.assert(
      fc.property(some, fc.func(fc.integer()), (candidates, rank) => {
        const backends = candidates.map(({ name, second }) => backend(name, second, 'true'));
        const shuffled = backends.toSorted((left, right) => rank(left) - rank(right));
        expect(defaultOf(shuffled)?.metadata.name).toBe(defaultOf(backends)?.metadata.name);
      }),
    );
  });
});

describe('the title of a backend', () => {
  it('has a namespace only if the kind has one', () => {
    const ref = { namespace: 'payments', name: 'bao' };
    expect(titleOf({ kind: 'SecretBackend', ...ref })).toBe('SecretBackend payments/bao');
    expect(titleOf({ kind: 'ClusterSecretBackend', ...ref })).toBe('ClusterSecretBackend bao');
  });
});
