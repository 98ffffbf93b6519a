import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API_VERSION, GROUP, KINDS } from '#src/api/group.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { eventually } from '#test/support/eventually.ts';

const cluster = sharedCluster();
afterAll(() => cluster.dispose());

const CRDS = join(import.meta.dirname, '..', '..', '..', 'crds');
const FILES = readdirSync(CRDS).map((file) => readFileSync(join(CRDS, file), 'utf8'));
const READY_MIGRATION = {
  source: { backendRef: { name: 'kubernetes' } },
  destination: { backendRef: { name: 'bao' } },
  select: { all: true },
};

/** The same CRDs in another group, so that they can be created and deleted independently of the real ones. */
function crdsOfGroup(group: string): string {
  return FILES.map((file) => file.replaceAll(GROUP, group)).join('---\n');
}

/** Runs kubectl with this input; the test fails if kubectl fails. */
async function kubectl(args: readonly string[], input = ''): Promise<string> {
  const { stdout, stderr, code } = await cluster.kubectl(args, { input });
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return stdout;
}

describe.each(['client-side', 'server-side'])('kubectl apply --%s', (side) => {
  const group = `t${randomBytes(4).toString('hex')}.example`;
  const flags = side === 'server-side' ? ['--server-side'] : [];
  const versionsOf = async () =>
    await kubectl(
      ['get', '-f', '-', '-o', 'jsonpath={.items[*].metadata.resourceVersion}'],
      crdsOfGroup(group),
    );

  afterAll(async () => {
    await cluster.kubectl(['delete', '--wait=false', '-f', '-'], { input: crdsOfGroup(group) });
  });

  it('creates every CRD, and the apiserver accepts their schemas', async () => {
    const output = await kubectl(['apply', ...flags, '-f', '-'], crdsOfGroup(group));
    expect(output.match(/ (created|serverside-applied)$/gm)).toHaveLength(FILES.length);
    await eventually('every CRD is Established', async () => {
      const conditions = await kubectl(
        ['get', '-f', '-', '-o', 'jsonpath={.items[*].status.conditions}'],
        crdsOfGroup(group),
      );
      expect(conditions).not.toContain('NonStructuralSchema');
      return conditions.match(/"status":"True","type":"Established"/g)?.length === FILES.length;
    });
  });

  it('changes nothing when it is repeated', async () => {
    const before = await versionsOf();
    const output = await kubectl(['apply', ...flags, '-f', '-'], crdsOfGroup(group));
    if (side === 'client-side') expect(output.match(/ unchanged$/gm)).toHaveLength(FILES.length);
    expect(await versionsOf()).toBe(before);
  });
});

describe('crds/', () => {
  it('matches the CRDs in the cluster: applying it again changes nothing', async () => {
    const output = await kubectl(['apply', '-f', CRDS]);
    expect(output.match(/ unchanged$/gm)).toHaveLength(FILES.length);
  });

  it('is small enough, file by file, for the annotation of client-side apply', () => {
    for (const file of FILES) expect(JSON.stringify(load(file)).length).toBeLessThan(200 * 1024);
  });
});

describe('a new object', () => {
  let namespace: string;
  beforeAll(async () => {
    namespace = await cluster.createNamespace('crds');
  });
  const path = (plural: string) =>
    `/apis/${API_VERSION}/${plural.startsWith('cluster') ? '' : `namespaces/${namespace}/`}${plural}`;

  it.each([
    ['secretmigrations', 'SecretMigration', READY_MIGRATION],
    ['secretbackends', 'SecretBackend', { type: 'kubernetes', kubernetes: {} }],
    ['clustersecretbackends', 'ClusterSecretBackend', { type: 'kubernetes', kubernetes: {} }],
  ])(
    'in %s has observedGeneration -1, so that kstatus does not report it as complete',
    async (plural, kind, spec) => {
      const created = await cluster.kube<{ status: unknown }>('POST', path(plural), {
        apiVersion: API_VERSION,
        kind,
        metadata: { generateName: 'new-' },
        spec,
      });
      expect(created.status).toEqual({ observedGeneration: -1 });
    },
  );

  it('has every default that the reference names', async () => {
    const created = await cluster.kube<{ spec: unknown }>('POST', path('secretmigrations'), {
      apiVersion: API_VERSION,
      kind: 'SecretMigration',
      metadata: { generateName: 'defaults-' },
      spec: READY_MIGRATION,
    });
    expect(created.spec).toEqual({
      ...READY_MIGRATION,
      source: { backendRef: { kind: 'SecretBackend', name: 'kubernetes' } },
      destination: { backendRef: { kind: 'SecretBackend', name: 'bao' } },
      mode: 'Once',
      mapping: { path: '{namespace}/{name}' },
      conflictPolicy: 'Fail',
      sourcePolicy: 'Keep',
      soakSeconds: 0,
      dryRun: false,
      suspend: false,
    });
  });

  it('is found by its short name and by the category', async () => {
    for (const [kind, { plural, shortName, namespaced }] of Object.entries(KINDS)) {
      const { stdout } = await cluster.kubectl(['api-resources', `--api-group=${GROUP}`, '--no-headers']);
      expect(stdout).toMatch(
        new RegExp(`^${plural} +${shortName} +${API_VERSION} +${namespaced} +${kind}$`, 'm'),
      );
    }
    expect(await kubectl(['get', 'keyferry', '-n', namespace, '-o', 'name'])).toContain(
      'secretmigration.keyferry.io/',
    );
  });

  it('shows the columns of the design', async () => {
    const { stdout } = await cluster.kubectl(['get', 'smig', '-n', namespace]);
    expect(stdout.split('\n')[0]?.split(/\s+/)).toEqual([
      'NAME',
      'READY',
      'STATUS',
      'PROGRESS',
      'FAILED',
      'CONFLICTS',
      'AGE',
    ]);
    const shown = {
      apiVersion: API_VERSION,
      kind: 'SecretMigration',
      metadata: { name: 'shown' },
      spec: READY_MIGRATION,
    };
    await cluster.kube('POST', path('secretmigrations'), shown);
    const backends = { source: 'ClusterSecretBackend/kubernetes', destination: 'SecretBackend/bao' };
    await cluster.kube(
      'PATCH',
      `${path('secretmigrations')}/shown/status`,
      { status: { backends, lastSyncTime: '2000-01-01T00:00:00Z' } },
      { 'content-type': 'application/merge-patch+json' },
    );
    const wide = await cluster.kubectl(['get', 'smig', '-n', namespace, '-o', 'wide']);
    expect(wide.stdout).toMatch(/MODE\s+SOURCE\s+DESTINATION\s+MESSAGE/);
    expect(wide.stdout).toMatch(/LAST SYNC\s+MODE/);
    expect(wide.stdout).toMatch(/\d+y\s+Once\s+ClusterSecretBackend\/kubernetes\s+SecretBackend\/bao/);
  });
});

describe('kubectl explain', () => {
  it('reads well for secretmigration.spec.select', async () => {
    const text = await kubectl(['explain', 'secretmigration.spec.select']);
    expect(text).toContain('GROUP:      keyferry.io');
    expect(text).toContain('KIND:       SecretMigration');
    expect(text).toMatch(/FIELD: select <Object>\s+/);
    expect(text).toContain('Which documents of the source.');
    for (const field of ['all', 'exclude', 'labelSelector', 'names', 'prefix']) {
      expect(text).toMatch(new RegExp(`^  ${field}\\t<.*\\n(  enum: .*\\n)?    \\S`, 'm'));
    }
    expect(text).not.toContain('<no description>');
  });

  it.each(['secretbackend', 'secretmigration', 'secretmigrationreport'])(
    'has a description for every field of %s',
    async (kind) => {
      for (const part of kind === 'secretmigrationreport' ? ['report'] : ['spec', 'status']) {
        const text = await kubectl(['explain', `${kind}.${part}`]);
        expect(text).not.toContain('<no description>');
      }
    },
  );
});
