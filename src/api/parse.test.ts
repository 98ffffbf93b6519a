import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { API_VERSION } from './group.ts';
import { parseSecretBackend } from './v1alpha1/secret-backend.ts';
import { parseSecretMigration } from './v1alpha1/secret-migration.ts';
import { parseSecretMigrationReport } from './v1alpha1/secret-migration-report.ts';

const METADATA = { name: 'a', namespace: 'b', uid: 'c', resourceVersion: '1', generation: 1 };
const SPEC = {
  source: { backendRef: { kind: 'SecretBackend', name: 'kubernetes' } },
  destination: { backendRef: { kind: 'SecretBackend', name: 'bao' } },
  select: { all: true },
};

function migration(change: object) {
  return { apiVersion: API_VERSION, kind: 'SecretMigration', metadata: METADATA, spec: SPEC, ...change };
}

function problemsOf(input: unknown): readonly string[] {
  const parsed = parseSecretMigration(input);
  return parsed.ok ? [] : parsed.problems;
}

describe('parseSecretMigration', () => {
  it('fills in the defaults of the apiserver', () => {
    expect(parseSecretMigration(migration({}))).toEqual({
      ok: true,
      value: migration({
        status: { observedGeneration: -1 },
        spec: {
          ...SPEC,
          mode: 'Once',
          mapping: { path: '{namespace}/{name}' },
          conflictPolicy: 'Fail',
          sourcePolicy: 'Keep',
          soakSeconds: 0,
          dryRun: false,
          suspend: false,
        },
      }),
    });
  });

  it('drops fields that a newer version may have stored, and names those of the spec', () => {
    const parsed = parseSecretMigration(migration({ spec: { ...SPEC, future: 1 }, other: 2 }));
    if (!parsed.ok) throw new Error(parsed.problems.join());
    const { unknownFields, ...known } = parsed.value;
    expect(JSON.stringify(known)).not.toMatch(/future|other/);
    expect(unknownFields).toEqual(['spec.future']);
  });

  it('names every invalid field by its path', () => {
    const spec = { ...SPEC, mode: 'Twice', soakSeconds: -1, select: { names: ['ok', '/b'] } };
    expect(problemsOf(migration({ spec })).map((problem) => problem.split(': ')[0])).toEqual([
      'spec.mode',
      'spec.select.names[1]',
      'spec.soakSeconds',
    ]);
  });

  it('shows the object to write for a label selector as text', () => {
    const spec = { ...SPEC, select: { labelSelector: 'team=payments' } };
    expect(problemsOf(migration({ spec }))).toEqual([
      'spec.select.labelSelector: must be an object: instead of "team=payments", write {matchLabels: {team: payments}}; matchExpressions has the other operators',
    ]);
  });

  it('reports a value that is not an object', () => {
    expect(problemsOf(undefined)[0]).toMatch(/^object: /);
  });

  it('never throws and never repeats a value', () => {
    const planted = 'hunter2-planted';
    const anything = fc.anything({ values: [fc.constant(planted), fc.integer(), fc.boolean()], maxDepth: 3 });
    fc.assert(
      fc.property(anything, anything, (spec, status) => {
        for (const parse of [parseSecretMigration, parseSecretBackend, parseSecretMigrationReport]) {
          const parsed = parse({ ...migration({ spec, status }), report: spec });
          if (!parsed.ok) expect(parsed.problems.join()).not.toContain(planted);
        }
      }),
    );
  });
});

describe('parseSecretBackend', () => {
  const parse = (openbao: object) =>
    parseSecretBackend({
      apiVersion: API_VERSION,
      kind: 'SecretBackend',
      metadata: METADATA,
      spec: { type: 'openbao', openbao: { auth: { token: { secretRef: { name: 't' } } }, ...openbao } },
    });

  it('fills in mount, limits and the key of the token', () => {
    expect(parse({ address: 'https://bao:8200' })).toMatchObject({
      ok: true,
      value: {
        spec: {
          openbao: {
            mount: 'secret',
            requestTimeoutSeconds: 30,
            maxInFlight: 32,
            auth: { token: { secretRef: { key: 'token' } } },
          },
        },
      },
    });
  });

  it.each([
    'https://bao',
    'http://127.0.0.1:8200',
    'https://[::1]:8200/',
    'https://bao.svc.cluster.local:8200',
  ])('accepts the address %s', (address) => {
    expect(parse({ address }).ok).toBe(true);
  });

  it.each([
    'bao:8200',
    'ftp://bao',
    'https://u:p@bao',
    'https://bao/v1',
    'https://bao?a=b',
    'https://',
    'https://b ao',
  ])('refuses the address %s without repeating it', (address) => {
    expect(parse({ address })).toEqual({
      ok: false,
      problems: [
        'spec.openbao.address: must be https://host:port without path, query or credentials: remove /v1 or /ui; folders belong into mount and pathPrefix',
      ],
    });
  });
});

describe('the names in a mapping', () => {
  const namedBy = (text: string) => ({
    path: `${text}/{name}`,
    prefixes: [{ from: text, to: text }],
    patterns: [{ from: `${text}{id}`, to: `{id}${text}` }],
    overrides: [{ name: 'a', path: `a${text}` }],
    keys: [{ from: text, to: text }],
  });

  it.each(['a b', 'café', '日本', '😀', `it's "a" (b) [c] <d> & e; f=g, h!`, 'a*b+c'])(
    'takes %j as a name, as the servers do',
    (text) => {
      const source = { ...SPEC.source, fallback: { prefix: text, untilTime: '2030-01-01T00:00:00Z' } };
      expect(problemsOf(migration({ spec: { ...SPEC, source, mapping: namedBy(text) } }))).toEqual([]);
    },
  );

  it.each([
    'a\tb',
    'a\u0007',
    'a\u202Eb',
    'a\u200Bb',
    'a\u00A0b',
    'a%2fb',
    'a\\b',
    'a?b',
    'a#b',
    'a}b',
    '\uD800',
  ])('does not take %j as a name', (text) => {
    const problems = problemsOf(migration({ spec: { ...SPEC, mapping: namedBy(text) } }));
    const fields = problems.map((problem) => problem.split(': ')[0]);
    expect(new Set(fields)).toEqual(
      new Set([
        'spec.mapping.prefixes[0].from',
        'spec.mapping.prefixes[0].to',
        'spec.mapping.patterns[0].from',
        'spec.mapping.patterns[0].to',
        'spec.mapping.overrides[0].path',
        'spec.mapping.keys[0].from',
        'spec.mapping.keys[0].to',
        'spec.mapping.path',
      ]),
    );
  });
});
