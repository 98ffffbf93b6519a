import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { z } from 'zod';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API_VERSION, GROUP, KINDS, VERSION } from '#src/api/group.ts';
import { CONDITION_REASONS, CONDITION_TYPES } from '#src/api/v1alpha1/conditions.ts';
import { toConditions, type Statement } from '#src/controllers/conditions.ts';
import { aKubernetesBackend, aMigration } from '#test/builders/objects.ts';
import { uniqueName } from '#test/cluster/cluster.ts';
import { findHealthJudge, healthOf, type Health } from '#test/cluster/health/health.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { HEALTH_CASES, type HealthCase } from './health-cases.ts';

/*
 * What `kubectl wait`, Flux and Helm (kstatus, the library that they link) and Argo CD (our scripts, in its Lua) make of each
 * verdict. The objects are stored in a real API server; no operator runs, so that they stay as they are.
 */

type Kind = HealthCase['kind'];

const cluster = sharedCluster();
const SCRIPTS = join(import.meta.dirname, '../../../config/argocd/resource_customizations', GROUP);
const KINDS_WITH_HEALTH: readonly Kind[] = ['SecretMigration', 'SecretBackend', 'ClusterSecretBackend'];
const TestSchema = z.object({
  tests: z.array(
    z.object({
      healthStatus: z.object({ status: z.string(), message: z.string() }),
      inputPath: z.string(),
    }),
  ),
});
const MERGE = { 'content-type': 'application/merge-patch+json' };
const prefix = uniqueName('health');
let namespace: string;
let judge: string;

beforeAll(async () => {
  namespace = await cluster.createNamespace('health');
  judge = await findHealthJudge((line) => void process.stderr.write(`${line}\n`));
}, 300_000);

afterAll(async () => {
  await Promise.all(stored.map(async ({ path }) => cluster.kube('DELETE', path)));
  await cluster.dispose();
});

interface Stored {
  readonly about: HealthCase;
  readonly name: string;
  readonly path: string;
}

const stored: Stored[] = [];

function scriptOf(kind: Kind): string {
  return readFileSync(join(SCRIPTS, kind, 'health.lua'), 'utf8');
}

function collectionOf(kind: Kind): string {
  const { plural, namespaced } = KINDS[kind];
  return `/apis/${GROUP}/${VERSION}/${namespaced ? `namespaces/${namespace}/` : ''}${plural}`;
}

function aBareObject(kind: Kind, name: string) {
  if (kind === 'SecretMigration') return aMigration(name);
  if (kind === 'SecretBackend') return aKubernetesBackend(name);
  const spec = { ...aKubernetesBackend().spec, allowedNamespaces: [namespace] };
  return { apiVersion: API_VERSION, kind, metadata: { name }, spec };
}

/** Creates the object with the status that the operator writes with these statements. */
async function store(about: HealthCase): Promise<Stored> {
  const name = `${prefix}-${stored.length}`;
  const one = { about, name, path: `${collectionOf(about.kind)}/${name}` };
  stored.push(one);
  await cluster.kube('POST', collectionOf(about.kind), aBareObject(about.kind, name));
  await cluster.kube('PATCH', `${one.path}/status`, { status: statusOf(about.statements) }, MERGE);
  return one;
}

function statusOf(statements: readonly Statement[]) {
  const generation = 1;
  return {
    observedGeneration: generation,
    conditions: toConditions(statements, [], { generation, nowMs: 0 }),
  };
}

async function judgeAll(objects: readonly Stored[]): Promise<readonly Health[]> {
  const questions = objects.map(async ({ about, path }) => ({
    object: await cluster.kube('GET', path),
    script: scriptOf(about.kind),
  }));
  return await healthOf(judge, await Promise.all(questions));
}

/** Those of the objects for which `kubectl wait` returns at once. */
async function metBy(objects: readonly Stored[], condition: string): Promise<readonly string[]> {
  const names = objects.map(({ about, name }) => `${KINDS[about.kind].plural}.${GROUP}/${name}`);
  const { stdout } = await cluster.kubectl([
    'wait',
    `--for=condition=${condition}`,
    '--timeout=0',
    '-n',
    namespace,
    ...names,
  ]);
  return stdout.split('\n').flatMap((line) => /\/(\S+) condition met$/.exec(line)?.[1] ?? []);
}

function namesWith(objects: readonly Stored[], type: string, status: string): readonly string[] {
  const states = ({ about }: Stored): boolean =>
    about.statements.some((each) => each.type === type && each.status === status);
  return objects.filter(states).map(({ name }) => name);
}

/** One object for each set of conditions: kubectl, which takes a while for each, sees nothing else. */
function ofEachShape(objects: readonly Stored[]): readonly Stored[] {
  const shapeOf = ({ about }: Stored): string =>
    about.statements.map(({ type, status }) => `${type}=${status}`).join();
  return [...new Map(objects.map((one) => [shapeOf(one), one])).values()];
}

describe('the verdicts of the operator', () => {
  it('are all in the table: each reason and type of a condition', () => {
    const statements = HEALTH_CASES.flatMap((each) => each.statements);
    const reasons = new Set<string>(statements.map(({ reason }) => reason));
    const types = new Set<string>(statements.map(({ type }) => type));
    expect(Object.keys(CONDITION_REASONS).filter((reason) => !reasons.has(reason))).toEqual([]);
    expect(Object.keys(CONDITION_TYPES).filter((type) => !types.has(type))).toEqual([]);
  });

  it.each(KINDS_WITH_HEALTH)(
    'of a %s are what kstatus, Argo CD and kubectl wait expect',
    async (kind) => {
      const cases = HEALTH_CASES.filter((each) => each.kind === kind);
      const objects: Stored[] = [];
      for (const each of cases) objects.push(await store(each));
      const healths = await judgeAll(objects);
      const seen = cases.map(({ title }, index) => [
        title,
        healths[index]?.kstatus.status,
        healths[index]?.argoCD.status,
      ]);
      expect(seen).toEqual(cases.map(({ title, kstatus, argoCD }) => [title, kstatus, argoCD]));
      for (const [index, { statements }] of cases.entries())
        expect(healths[index]?.argoCD.message).toBe(statusOf(statements).conditions[0]?.message);

      const some = ofEachShape(objects);
      expect(await metBy(some, 'Ready')).toEqual(namesWith(some, 'Ready', 'True'));
      expect(await metBy(some, 'Ready=False')).toEqual(namesWith(some, 'Ready', 'False'));
      expect(await metBy(some, 'Stalled')).toEqual(namesWith(some, 'Stalled', 'True'));
    },
    60_000,
  );

  it.each(KINDS_WITH_HEALTH)(
    'of a %s say nothing while they are about an earlier spec, or absent',
    async (kind) => {
      const works = HEALTH_CASES.find((each) => each.kind === kind && each.kstatus === 'Current');
      if (works === undefined) throw new Error('each kind has one');
      const changed = await store(works);
      const spec =
        kind === 'SecretMigration' ? { dryRun: true } : { reservedPrefixes: [{ prefix: 'system/' }] };
      await cluster.kube('PATCH', changed.path, { spec }, MERGE);
      const fresh = { ...changed, name: `${prefix}-fresh`, path: `${collectionOf(kind)}/${prefix}-fresh` };
      await cluster.kube('POST', collectionOf(kind), aBareObject(kind, fresh.name));
      stored.push(fresh);
      const healths = await judgeAll([changed, fresh]);
      expect(healths.map((each) => [each.kstatus.status, each.argoCD.status])).toEqual([
        ['InProgress', 'Progressing'],
        ['InProgress', 'Progressing'],
      ]);
      expect(await metBy([changed, fresh], 'Ready')).toEqual([]);
    },
  );
});

describe.each(KINDS_WITH_HEALTH)('the health script of Argo CD for a %s', (kind) => {
  const folder = join(SCRIPTS, kind);

  it('passes its own tests, which have the format of Argo CD', async () => {
    const { tests } = TestSchema.parse(load(readFileSync(join(folder, 'health_test.yaml'), 'utf8')));
    const objects = tests.map(({ inputPath }) => load(readFileSync(join(folder, inputPath), 'utf8')));
    const answers = await healthOf(
      judge,
      objects.map((object) => ({ object, script: scriptOf(kind) })),
    );
    expect(answers.map(({ argoCD }) => argoCD)).toEqual(tests.map(({ healthStatus }) => healthStatus));
  });
});
