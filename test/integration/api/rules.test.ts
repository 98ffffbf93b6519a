import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { API_VERSION, KINDS } from '#src/api/group.ts';
import { parseClusterSecretBackend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { parseSecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import { parseSecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { NAME_CASES } from './name-cases.ts';
import { REMOVAL_CASES } from './removal-cases.ts';
import { PARALLELISM_CASES } from './parallelism-cases.ts';
import { RULE_CASES, type Json, type RuleCase } from './rule-cases.ts';
import { SCHEMA_REFUSALS } from './schema-refusals.ts';
import { SELECTOR_CASES } from './selector-cases.ts';
import { SHAPE_CASES } from './shape-cases.ts';

const cluster = sharedCluster();
const CASES = [
  ...RULE_CASES,
  ...SELECTOR_CASES,
  ...NAME_CASES,
  ...SHAPE_CASES,
  ...REMOVAL_CASES,
  ...PARALLELISM_CASES,
];
const CRDS = join(import.meta.dirname, '..', '..', '..', 'crds');
let namespace: string;

beforeAll(async () => {
  namespace = await cluster.createNamespace('rules');
});
afterAll(() => cluster.dispose());

const SchemaNodeSchema = z.object({
  'x-kubernetes-validations': z.array(z.object({ message: z.string() })).optional(),
  get properties() {
    return z.record(z.string(), SchemaNodeSchema).optional();
  },
  get items() {
    return SchemaNodeSchema.optional();
  },
  get additionalProperties() {
    return SchemaNodeSchema.optional();
  },
});
type SchemaNode = z.infer<typeof SchemaNodeSchema>;

const CrdSchema = z.object({
  spec: z.object({
    names: z.object({ kind: z.string() }),
    versions: z.array(z.object({ schema: z.object({ openAPIV3Schema: SchemaNodeSchema }) })),
  }),
});

/** The message of a metav1.Status; an accepted object has none. */
const MessageSchema = z.object({ message: z.string().default('') });

interface Verdict {
  readonly status: number;
  readonly message: string;
}

function collectionOf(kind: RuleCase['kind']): string {
  const { namespaced, plural } = KINDS[kind];
  return `/apis/${API_VERSION}/${namespaced ? `namespaces/${namespace}/` : ''}${plural}`;
}

/** The verdict of the apiserver on this spec; nothing is stored. */
async function create(kind: RuleCase['kind'], spec: Json): Promise<Verdict> {
  const path = `${collectionOf(kind)}?dryRun=All`;
  const object = { apiVersion: API_VERSION, kind, metadata: { generateName: 'rule-' }, spec };
  return verdictOf(await cluster.kubeClient.reply('POST', path, object));
}

/** The verdict of the apiserver on an update of a stored object from the spec `from` to this one. */
async function update(kind: RuleCase['kind'], from: Json, spec: Json): Promise<Verdict> {
  const path = collectionOf(kind);
  const stored = await cluster.kube<{ metadata: { name: string } }>('POST', path, {
    apiVersion: API_VERSION,
    kind,
    metadata: { generateName: 'rule-' },
    spec: from,
  });
  return verdictOf(
    await cluster.kubeClient.reply('PUT', `${path}/${stored.metadata.name}?dryRun=All`, { ...stored, spec }),
  );
}

function verdictOf(reply: { readonly status: number; readonly body: unknown }): Verdict {
  return { status: reply.status, message: MessageSchema.parse(reply.body).message };
}

const PARSERS = {
  SecretBackend: parseSecretBackend,
  ClusterSecretBackend: parseClusterSecretBackend,
  SecretMigration: parseSecretMigration,
};

function parses(kind: RuleCase['kind'], spec: Json): boolean {
  const metadata = { name: 'a', namespace: 'b', uid: 'c', resourceVersion: '1', generation: 1 };
  return PARSERS[kind]({ apiVersion: API_VERSION, kind, metadata, spec }).ok;
}

describe.each(CASES.map((rule) => [`${rule.kind} ${rule.at}: ${rule.message}`, rule] as const))(
  '%s',
  (_title, { kind, from, message, accepts, refuses }) => {
    const ask = async (spec: Json) =>
      await (from === undefined ? create(kind, spec) : update(kind, from, spec));

    it.each(Object.entries(accepts))('accepts %s', async (_what, spec) => {
      const verdict = await ask(spec);
      expect(verdict.message).toBe('');
      expect(verdict.status).toBeLessThan(300);
      expect(parses(kind, spec)).toBe(true);
    });

    it.each(Object.entries(refuses))('refuses %s', async (_what, spec) => {
      const verdict = await ask(spec);
      expect(verdict.status).toBe(422);
      expect(verdict.message).toContain(message);
      if (from === undefined) expect(parses(kind, spec)).toBe(false);
    });
  },
);

describe('the schema alone', () => {
  it.each(Object.entries(SCHEMA_REFUSALS))('refuses %s', async (_what, [kind, spec, part]) => {
    const verdict = await create(kind, spec);
    expect(verdict.status).toBe(422);
    expect(verdict.message).toContain(part);
  });

  it('refuses a migration whose name does not fit into a label', async () => {
    const path = `/apis/${API_VERSION}/namespaces/${namespace}/secretmigrations?dryRun=All`;
    const spec = RULE_CASES.find(({ at }) => at === 'spec.select')?.accepts['names'];
    const object = {
      apiVersion: API_VERSION,
      kind: 'SecretMigration',
      metadata: { name: 'a'.repeat(64) },
      spec,
    };
    const verdict = verdictOf(await cluster.kubeClient.reply('POST', path, object));
    expect(verdict.status).toBe(422);
    expect(verdict.message).toContain('metadata.name: Too long');
  });
});

describe('the table of rules', () => {
  it('has a case for every CEL rule in crds/', () => {
    const covered = new Set(CASES.map(({ kind, at, message }) => `${kind} ${at}: ${message}`));
    const missing = rulesInCrds().filter((rule) => !covered.has(rule));
    expect(missing).toEqual([]);
  });

  it('has no case for a removed rule', () => {
    const present = new Set(rulesInCrds());
    expect(
      CASES.map(({ kind, at, message }) => `${kind} ${at}: ${message}`).filter((rule) => !present.has(rule)),
    ).toEqual([]);
  });
});

/** Every CEL rule in crds/ as `Kind path: message`. */
function rulesInCrds(): readonly string[] {
  return readdirSync(CRDS).flatMap((file) => {
    const crd = CrdSchema.parse(load(readFileSync(join(CRDS, file), 'utf8')));
    return crd.spec.versions.flatMap(({ schema }) =>
      rulesBelow(schema.openAPIV3Schema, []).map((rule) => `${crd.spec.names.kind} ${rule}`),
    );
  });
}

function rulesBelow(node: SchemaNode, path: readonly string[]): readonly string[] {
  const own = (node['x-kubernetes-validations'] ?? []).map(({ message }) => `${path.join('.')}: ${message}`);
  const children = Object.entries(node.properties ?? {}).flatMap(([name, child]) =>
    rulesBelow(child, [...path, name]),
  );
  const items = node.items === undefined ? [] : rulesBelow(node.items, [...path, '[]']);
  const members =
    node.additionalProperties === undefined ? [] : rulesBelow(node.additionalProperties, [...path, '*']);
  return [...own, ...children, ...items, ...members];
}
