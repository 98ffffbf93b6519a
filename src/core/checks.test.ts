import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Attributes, Document, ReadResult } from './document.ts';
import { decideStep, type Policy } from './checks.ts';
import { SecretValue } from './secret-value.ts';

const KEEP: Policy = { conflictPolicy: 'Fail', sourcePolicy: 'Keep' };
const DELETE: Policy = { conflictPolicy: 'Fail', sourcePolicy: 'Delete' };
const OVERWRITE: Policy = { conflictPolicy: 'Overwrite', sourcePolicy: 'Keep' };
const version = { identity: 'i', revision: '3' };

function document(fields: Record<string, string>, attributes: Attributes = {}): Document {
  const entries = Object.entries(fields).map(([key, value]) => [key, SecretValue.fromUtf8(value)] as const);
  return { address: 'a/b', fields: new Map(entries), attributes };
}

function present(fields: Record<string, string>, attributes: Attributes = {}): ReadResult {
  return { state: 'present', document: { ...document(fields, attributes), version } };
}

const TLS: Attributes = { type: 'kubernetes.io/tls' };
const OWNED: Attributes = { metadata: new Map([['owner', 'payments']]) };
const desired = document({ user: 'u', pass: 'p' });

interface Row {
  readonly policy?: Policy;
  readonly desired?: Document;
  readonly destination: ReadResult;
  readonly attributesAreStated?: true;
  readonly step: object;
}
const table: Record<string, Row> = {
  'an absent destination is created': { destination: { state: 'absent' }, step: { kind: 'create' } },
  'equal bytes are adopted with the version that was read': {
    destination: present({ pass: 'p', user: 'u' }),
    step: { kind: 'adopt', version },
  },
  'a differing byte is a conflict': {
    destination: present({ user: 'u', pass: 'P' }),
    step: { kind: 'conflict', reason: 'DestinationDiffers' },
  },
  'a missing key is a conflict': {
    destination: present({ user: 'u' }),
    step: { kind: 'conflict', reason: 'DestinationDiffers' },
  },
  'an additional key is a conflict': {
    destination: present({ user: 'u', pass: 'p', more: '' }),
    step: { kind: 'conflict', reason: 'DestinationDiffers' },
  },
  'a deleted destination is a conflict, not a free name': {
    destination: { state: 'deleted', version },
    step: { kind: 'conflict', reason: 'DestinationDeleted' },
  },
  'equal bytes without a recorded type are adopted while the source stays': {
    desired: document({ k: 'v' }, TLS),
    destination: present({ k: 'v' }),
    step: { kind: 'adopt' },
  },
  'equal bytes without a recorded type are a conflict when the source would go': {
    policy: DELETE,
    desired: document({ k: 'v' }, TLS),
    destination: present({ k: 'v' }),
    step: { kind: 'conflict', reason: 'AttributesDiffer' },
  },
  'equal bytes are a conflict where no recorded type means Opaque': {
    desired: document({ k: 'v' }, TLS),
    destination: present({ k: 'v' }),
    attributesAreStated: true,
    step: { kind: 'conflict', reason: 'AttributesDiffer' },
  },
  'equal bytes under another type are a conflict': {
    desired: document({ k: 'v' }, TLS),
    destination: present({ k: 'v' }, { type: 'kubernetes.io/basic-auth' }),
    step: { kind: 'conflict', reason: 'AttributesDiffer' },
  },
  'a source without a type loses nothing': {
    policy: DELETE,
    desired: document({ k: 'v' }),
    destination: present({ k: 'v' }, TLS),
    step: { kind: 'adopt' },
  },
  'a differing destination is kept with KeepDestination': {
    policy: { ...KEEP, conflictPolicy: 'KeepDestination' },
    destination: present({ user: 'u', pass: 'P' }),
    step: { kind: 'keep', reason: 'DestinationDiffers' },
  },
  'a deleted destination stays deleted with KeepDestination': {
    policy: { ...KEEP, conflictPolicy: 'KeepDestination' },
    destination: { state: 'deleted', version },
    step: { kind: 'keep', reason: 'DestinationDeleted' },
  },
  'a differing destination is overwritten under the version that was read': {
    policy: OVERWRITE,
    destination: present({ user: 'u', pass: 'P' }),
    step: { kind: 'overwrite', reason: 'DestinationDiffers', version },
  },
  'a deleted destination is overwritten under the version that was read': {
    policy: OVERWRITE,
    destination: { state: 'deleted', version },
    step: { kind: 'overwrite', reason: 'DestinationDeleted', version },
  },
  'an equal destination is never overwritten': {
    policy: OVERWRITE,
    destination: present({ user: 'u', pass: 'p' }),
    step: { kind: 'adopt', version },
  },
  'an absent destination is created, whatever the policy': {
    policy: OVERWRITE,
    destination: { state: 'absent' },
    step: { kind: 'create' },
  },
  'equal bytes that expire with their source are adopted': {
    policy: DELETE,
    desired: document({ k: 'v' }, { expiresAt: '2030-01-01T00:00:00Z' }),
    destination: present({ k: 'v' }, { expiresAt: '2030-01-01T00:00:01Z' }),
    step: { kind: 'adopt' },
  },
  'equal bytes that would outlive their source are a conflict, also while it stays': {
    desired: document({ k: 'v' }, { expiresAt: '2030-01-01T00:00:00Z' }),
    destination: present({ k: 'v' }),
    step: { kind: 'conflict', reason: 'OutlivesSource' },
  },
  'equal bytes that would outlive their source may be overwritten': {
    policy: OVERWRITE,
    desired: document({ k: 'v' }, { expiresAt: '2030-01-01T00:00:00Z' }),
    destination: present({ k: 'v' }, { expiresAt: '2030-01-02T00:00:00Z' }),
    step: { kind: 'overwrite', reason: 'OutlivesSource' },
  },
  'equal bytes that expire early are adopted while the source stays': {
    desired: document({ k: 'v' }),
    destination: present({ k: 'v' }, { expiresAt: '2030-01-01T00:00:00Z' }),
    step: { kind: 'adopt' },
  },
  'equal bytes that expire early are a conflict when the source would go, and never written again': {
    policy: { ...DELETE, conflictPolicy: 'Overwrite' },
    desired: document({ k: 'v' }, { expiresAt: '2030-01-02T00:00:00Z' }),
    destination: present({ k: 'v' }, { expiresAt: '2030-01-01T00:00:00Z' }),
    step: { kind: 'conflict', reason: 'ExpiresEarly' },
  },
  'equal bytes without the metadata of the source are adopted while it stays': {
    desired: document({ k: 'v' }, OWNED),
    destination: present({ k: 'v' }),
    attributesAreStated: true,
    step: { kind: 'adopt' },
  },
  'equal bytes without the metadata of the source are a conflict when it would go': {
    policy: DELETE,
    desired: document({ k: 'v' }, OWNED),
    destination: present({ k: 'v' }),
    step: { kind: 'conflict', reason: 'AttributesDiffer' },
  },
  'a destination with its own metadata still has no type': {
    desired: document({ k: 'v' }, TLS),
    destination: present({ k: 'v' }, OWNED),
    step: { kind: 'adopt' },
  },
  'two empty documents are equal': {
    desired: document({}),
    destination: present({}),
    step: { kind: 'adopt' },
  },
};

describe('planning one document', () => {
  it.each(Object.entries(table))('%s', (_sentence, row) => {
    const step = decideStep(row.policy ?? KEEP, {
      desired: row.desired ?? desired,
      destination: row.destination,
      attributesAreStated: row.attributesAreStated ?? false,
    });
    expect(step).toMatchObject(row.step);
  });

  it('never shows a value in a conflict', () => {
    const step = decideStep(KEEP, {
      desired,
      destination: present({ user: 'u', pass: 'canary-1' }),
      attributesAreStated: false,
    });
    expect(JSON.stringify(step)).not.toMatch(/canary|"p"/);
  });
});

describe('a conflict of keys', () => {
  const saidOf = (mine: readonly string[], there: readonly string[], bytes = 'v'): string => {
    const fieldsOf = (keys: readonly string[], text: string) =>
      Object.fromEntries(keys.map((key) => [key, text]));
    const step = decideStep(KEEP, {
      desired: document(fieldsOf(mine, 'v')),
      destination: present(fieldsOf(there, bytes)),
      attributesAreStated: false,
    });
    return step.kind === 'conflict' ? step.message : step.kind;
  };

  it.each<[string, readonly string[], readonly string[], string]>([
    ['a key that the destination lacks', ['a', 'b'], ['a'], 'The destination lacks "b".'],
    ['the first of several', ['d', 'c', 'b', 'a'], [], 'lacks "a", "b" and 2 more.'],
    ['that it has others', ['a'], ['a', 'x'], 'The destination has keys that the source lacks.'],
    ['both', ['a', 'b'], ['b', 'x'], 'lacks "a" and has keys that the source lacks.'],
  ])('names %s', (_what, mine, there, said) => {
    expect(saidOf(mine, there)).toContain(said);
    expect(saidOf(mine, there)).not.toContain('"x"');
  });

  it('does not tell which of equal keys have other bytes', () => {
    expect(saidOf(['a', 'b'], ['a', 'b'], 'w')).toBe(
      'The destination has other bytes in the same keys. Make source and destination equal, or exclude the document.',
    );
  });

  it('fits into a row with its advice, whatever the names are', () => {
    const keys = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(keys, keys, (mine, there) => {
        const said = saidOf(mine, there, 'w');
        expect(Buffer.byteLength(said)).toBeLessThanOrEqual(256);
        expect(said).toMatch(/or exclude the document\.$/);
      }),
    );
  });
});

describe('a conflict of attributes', () => {
  const saidOf = (desired: Attributes, there: Attributes, attributesAreStated = false): string => {
    const observation = {
      desired: document({ k: 'v' }, desired),
      destination: present({ k: 'v' }, there),
      attributesAreStated,
    };
    const step = decideStep(DELETE, observation);
    return step.kind === 'conflict' ? step.message : step.kind;
  };

  it.each<[string, Attributes, Attributes, string]>([
    ['the type', TLS, {}, 'differs in type.'],
    ['immutability', { immutable: true }, {}, 'differs in immutable.'],
    ['custom metadata', OWNED, {}, 'differs in custom metadata owner.'],
    [
      'a label',
      { labels: new Map([['team', 'a']]) },
      { labels: new Map([['team', 'b']]) },
      'differs in label team.',
    ],
    [
      'several of them',
      {
        ...TLS,
        annotations: new Map([
          ['note', 'a'],
          ['more', 'b'],
        ]),
      },
      {},
      'differs in type, annotation note and 1 more.',
    ],
  ])('names %s, and not what it is set to', (_what, desired, there, said) => {
    expect(saidOf(desired, there)).toContain(said);
    expect(saidOf(desired, there)).toContain('set conflictPolicy to Overwrite');
  });

  it('does not advise to overwrite a type that the store never changes', () => {
    const cannot = 'The type of a Secret cannot change: delete the Secret there';
    expect(saidOf(TLS, {}, true)).toContain(`differs in type. ${cannot}`);
    expect(saidOf({ ...TLS, ...OWNED }, {}, true)).toContain(`custom metadata owner. ${cannot}`);
    expect(saidOf({ ...TLS, ...OWNED }, TLS, true)).toContain('set conflictPolicy to Overwrite');
  });

  it('is not overwritten where the store never changes a type, whatever else differs', () => {
    const overwriting: Policy = { ...KEEP, conflictPolicy: 'Overwrite' };
    const stepFor = (mine: Attributes, there: Attributes, bytes: string) =>
      decideStep(overwriting, {
        desired: document({ k: 'v' }, mine),
        destination: present({ k: bytes }, there),
        attributesAreStated: true,
      });
    expect(stepFor(TLS, {}, 'v')).toMatchObject({ kind: 'conflict', reason: 'AttributesDiffer' });
    for (const [mine, there] of [
      [TLS, {}],
      [{}, TLS],
    ] as const) {
      const step = stepFor(mine, there, 'other');
      expect(step).toMatchObject({ kind: 'conflict', reason: 'DestinationDiffers' });
      expect('message' in step && step.message).toContain('cannot be overwritten. The type');
    }
    expect(stepFor(TLS, TLS, 'other')).toMatchObject({ kind: 'overwrite' });
  });

  it('fits into a row with its advice, whatever the names are', () => {
    const name = fc.string({ minLength: 1, maxLength: 300 });
    const pairs = fc.array(fc.tuple(name, name), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(pairs, fc.constantFrom('metadata', 'labels', 'annotations'), (entries, part) => {
        for (const isStated of [false, true]) {
          const said = saidOf({ ...TLS, [part]: new Map(entries) }, {}, isStated);
          expect(Buffer.byteLength(said)).toBeLessThanOrEqual(256);
          expect(said).toMatch(/or exclude the document\.$/);
        }
      }),
    );
  });
});
