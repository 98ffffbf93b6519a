import { describe, expect, it } from 'vitest';
import { TYPE_MARKER } from '#src/backends/openbao/markers.ts';
import { recordedName } from '#src/journal/recordable.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { eventually } from '#test/support/eventually.ts';
import type { Tenant } from '#test/support/tenant.ts';
import {
  conditionOf,
  kvData,
  kvNames,
  kvPut,
  reasonOf,
  requestRun,
  rowsByName,
  statesOf,
} from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';

const stage = useStage();

const FIELDS = { password: 'hunter2' };
/** Every tenant has it: the token of its backend. */
const TOKEN = 'bao-token';

/** A tenant with Secrets of these names and labels. */
async function aTenantWith(secrets: Readonly<Record<string, Readonly<Record<string, string>>>>) {
  const tenant = await stage().tenant();
  for (const [name, labels] of Object.entries(secrets)) {
    await tenant.apply(aSecret(name, FIELDS, { labels }));
  }
  return tenant;
}

/** Names below the tenant's own folder at the destination. */
async function movedNames(tenant: Tenant): Promise<readonly string[]> {
  return (await kvNames(tenant, tenant.namespace)).toSorted();
}

/**
 * Paths of all that the operator asked either server about documents of this tenant: each once, as on the wire, so that
 * one which a URL parser cleaned up shows, too. What it asks of the servers themselves is left out.
 */
function askedPaths(tenant: Tenant): readonly string[] {
  const own = [`/v1/${tenant.mount}/`, `/api/v1/namespaces/${tenant.namespace}/secrets`];
  const ofTheBackend = /\/config$|\/bao-token$/;
  const paths = [...stage().bao.requests, ...stage().api.requests]
    .map(({ path }) => path)
    .filter((path) => own.some((start) => path.startsWith(start)) && !ofTheBackend.test(path));
  return [...new Set(paths)].toSorted();
}

describe('select', () => {
  describeChoices();
  describeRefusals();
});

function describeChoices(): void {
  it('by names takes these and no others, and reports one that does not exist', async () => {
    const tenant = await aTenantWith({ one: {}, two: {}, three: {} });
    await tenant.apply(aMigration('named', { select: { names: ['one', 'three', 'missing'] } }));
    await tenant.untilReady('named', { status: 'False', reason: 'PartiallyFailed' });
    expect(await statesOf(tenant, 'named')).toEqual({
      one: 'Verified',
      three: 'Verified',
      missing: 'Failed SourceMissing',
    });
    expect((await rowsByName(tenant, 'named'))['missing']?.message).toBe(
      'The source does not exist. Create it, or correct spec.select.',
    );
    expect(await movedNames(tenant)).toEqual(['one', 'three']);

    await tenant.apply(aSecret('missing', FIELDS));
    expect(reasonOf(await requestRun(tenant, 'named'))).toBe('Completed');
    expect(await movedNames(tenant)).toEqual(['missing', 'one', 'three']);
  });

  it.each([
    [{ matchLabels: { team: 'core' } }, ['a', 'b']],
    [
      {
        matchLabels: { team: 'core' },
        matchExpressions: [{ key: 'tier', operator: 'NotIn' as const, values: ['db'] }],
      },
      ['a'],
    ],
    [
      {
        matchExpressions: [
          { key: 'team', operator: 'In' as const, values: ['core', 'edge'] },
          { key: 'tier', operator: 'Exists' as const },
        ],
      },
      ['b', 'c'],
    ],
    [{ matchExpressions: [{ key: 'team', operator: 'DoesNotExist' as const }] }, ['bare']],
  ])('by the label selector %j takes what the apiserver takes by it', async (labelSelector, names) => {
    const tenant = await aTenantWith({
      a: { team: 'core' },
      b: { team: 'core', tier: 'db' },
      c: { team: 'edge', tier: 'web' },
      bare: {},
    });
    const exclude = { names: [TOKEN] };
    await tenant.apply(aMigration('labeled', { select: { labelSelector, exclude } }));
    await tenant.untilReady('labeled');
    expect(Object.keys(await statesOf(tenant, 'labeled')).toSorted()).toEqual(names);
    expect(await movedNames(tenant)).toEqual(names);
  });

  it('by prefix takes what begins with it', async () => {
    const tenant = await aTenantWith({ 'pay-db': {}, 'pay-queue': {}, 'other-pay-db': {}, pay: {} });
    await tenant.apply(aMigration('prefixed', { select: { prefix: 'pay-' } }));
    await tenant.untilReady('prefixed');
    expect(await movedNames(tenant)).toEqual(['pay-db', 'pay-queue']);
  });

  it('leaves out names, prefixes and types that are excluded', async () => {
    const tenant = await aTenantWith({ keep: {}, 'tmp-a': {}, 'tmp-b': {}, single: {} });
    await tenant.apply(
      aSecret('login', { username: 'u', password: 'p' }, { type: 'kubernetes.io/basic-auth' }),
    );
    const exclude = {
      names: [TOKEN, 'single'],
      prefixes: ['tmp-'],
      types: ['kubernetes.io/basic-auth'],
    };
    await tenant.apply(aMigration('except', { select: { all: true, exclude } }));
    const migration = await tenant.untilReady('except');
    expect(await statesOf(tenant, 'except')).toEqual({ keep: 'Verified' });
    expect(migration.status.summary?.total).toBe(1);
    expect(await movedNames(tenant)).toEqual(['keep']);
  });
}

function describeRefusals(): void {
  it('with all never takes identities, bootstrap tokens and Helm releases, not even by name', async () => {
    const tenant = await aTenantWith({ app: {} });
    const accountToken = aSecret('account', {}, { type: 'kubernetes.io/service-account-token' });
    const annotations = { 'kubernetes.io/service-account.name': 'default' };
    const metadata = { name: 'account', annotations };
    await tenant.apply({ ...accountToken, metadata });
    await tenant.apply(aSecret('bootstrap-token-abcdef', FIELDS, { type: 'bootstrap.kubernetes.io/token' }));
    await tenant.apply(aSecret('sh.helm.release.v1.web.v1', FIELDS, { type: 'helm.sh/release.v1' }));
    const builtIn = ['account', 'bootstrap-token-abcdef', 'sh.helm.release.v1.web.v1'];

    await tenant.apply(aMigration('everything', { sourcePolicy: 'Delete' }));
    const { status } = await tenant.untilReady('everything');
    expect(await statesOf(tenant, 'everything')).toEqual({ app: 'Removed' });
    const leftOut = [
      { reason: 'Excluded', documents: 1 },
      { reason: 'ExcludedType', documents: 3 },
    ];
    expect(status.inventory).toEqual({ discovered: 5, selected: 1, leftOut });
    await tenant.apply(aMigration('by-name', { select: { names: [...builtIn] } }));
    await tenant.untilReady('by-name', { status: 'False' });

    const byName = await statesOf(tenant, 'by-name');
    expect(byName).toEqual(Object.fromEntries(builtIn.map((name) => [name, 'Failed TypeRefused'])));
    expect(await movedNames(tenant)).toEqual(['app']);
    for (const name of builtIn) expect(await tenant.secret(name), name).toBeDefined();
    const writes = stage()
      .writes()
      .filter(({ path }) => path.includes(tenant.mount));
    expect(writes.map(({ path }) => path)).toEqual([`/v1/${tenant.mount}/data/${tenant.namespace}/app`]);
  });

  it('on the way back never makes an identity of what claims to be one', async () => {
    const tenant = await stage().tenant();
    const { mount, namespace } = tenant;
    for (const name of ['account', 'app']) await kvPut(tenant, `${namespace}/${name}`, FIELDS);
    await tenant.cluster.bao('POST', `${mount}/metadata/${namespace}/account`, {
      custom_metadata: { [TYPE_MARKER]: 'kubernetes.io/service-account-token' },
    });
    await tenant.apply(aMigration('back', { from: 'bao', to: 'kubernetes' }));
    await tenant.untilReady('back');
    expect(await statesOf(tenant, 'back')).toEqual({ app: 'Verified' });
    expect(await tenant.secret('account')).toBeUndefined();
  });

  it('that matches nothing is no success, says what to do, and finds what comes later', async () => {
    const tenant = await aTenantWith({ app: {} });
    await tenant.apply(aMigration('nothing', { select: { prefix: 'pay-' } }));
    const migration = await tenant.untilReady('nothing', { status: 'False', reason: 'NothingSelected' });
    expect(conditionOf(migration, 'Succeeded')?.status).toBe('False');
    expect(conditionOf(migration, 'Ready')?.message).toBe(
      'The selection matches no document. Correct spec.select, or create the documents. See https://keyferry.io/docs/reasons#nothingselected.',
    );
    await tenant.apply(aSecret('pay-db', FIELDS));
    expect(reasonOf(await requestRun(tenant, 'nothing'))).toBe('Completed');
    expect(await movedNames(tenant)).toEqual(['pay-db']);
  });

  it('by labels is refused for a source that has none, in words', async () => {
    const tenant = await stage().tenant();
    const select = { labelSelector: { matchLabels: { team: 'core' } } };
    await tenant.apply(aMigration('back', { from: 'bao', to: 'kubernetes', select }));
    const migration = await tenant.untilReady('back', { status: 'False', reason: 'CapabilityMissing' });
    expect(conditionOf(migration, 'Ready')?.message).toContain(
      'Documents of a KV store have no labels. Select by names or all instead of labelSelector.',
    );
  });

  it('on the way back takes what lies in the mapped folder, and reports what has no single name', async () => {
    const tenant = await stage().tenant();
    const { namespace } = tenant;
    for (const path of [`${namespace}/one`, `${namespace}/two`, `${namespace}/deep/three`, 'beside/four']) {
      await kvPut(tenant, path, FIELDS);
    }
    await tenant.apply(aMigration('back', { from: 'bao', to: 'kubernetes' }));
    const migration = await tenant.untilReady('back', { status: 'False', reason: 'PartiallyFailed' });
    expect(await statesOf(tenant, 'back')).toEqual({
      one: 'Verified',
      two: 'Verified',
      'deep/three': 'Failed NotMapped',
    });
    expect(migration.status.inventory).toEqual({ discovered: 3, selected: 3 });
    const names = async () => (await tenant.secrets()).map(({ metadata }) => metadata.name).toSorted();
    expect(await names()).toEqual([TOKEN, 'one', 'two']);

    const spec = { mapping: { segmentSeparator: '-' } };
    await tenant.mergePatch('SecretMigration', 'back', { spec });
    await tenant.untilReady('back', { reason: 'Completed' });
    expect(await names()).toEqual([TOKEN, 'deep-three', 'one', 'two']);
  });
}

describe('mapping.path', () => {
  it('puts documents below the namespace unless it says something else', async () => {
    const tenant = await aTenantWith({ db: { team: 'core' } });
    await tenant.apply(aMigration('default'));
    await tenant.untilReady('default');
    expect(await kvData(tenant, `${tenant.namespace}/db`)).toEqual(FIELDS);

    const path = 'k8s/{label:team}/{namespace}.{name}/v1';
    await tenant.apply(aMigration('spelled-out', { mapping: { path } }));
    await tenant.untilReady('spelled-out');
    expect(await kvData(tenant, `k8s/core/${tenant.namespace}.db/v1`)).toEqual(FIELDS);
    expect((await rowsByName(tenant, 'spelled-out'))['db']?.destination).toEqual({
      path: `k8s/core/${tenant.namespace}.db/v1`,
      version: '1',
      identity: expect.any(String),
      created: true,
    });
  });

  it('that needs a label moves those that have it and says which one the others lack', async () => {
    const tenant = await aTenantWith({ has: { team: 'core' }, lacks: {}, empty: { team: '' } });
    const select = { names: ['has', 'lacks', 'empty', 'missing'] };
    await tenant.apply(aMigration('labels', { select, mapping: { path: '{label:team}/{name}' } }));
    await tenant.untilReady('labels', { status: 'False', reason: 'PartiallyFailed' });
    expect(await statesOf(tenant, 'labels')).toEqual({
      has: 'Verified',
      lacks: 'Failed MappingIncomplete',
      empty: 'Failed MappingIncomplete',
      missing: 'Failed SourceMissing',
    });
    expect((await rowsByName(tenant, 'labels'))['lacks']?.message).toBe(
      'spec.mapping.path uses the label team, which this Secret lacks.',
    );
    expect(await kvNames(tenant, '')).toEqual(['core/']);
    expect(await kvNames(tenant, 'core')).toEqual(['has']);

    for (const name of ['lacks', 'empty', 'missing']) {
      await tenant.apply(aSecret(name, FIELDS, { labels: { team: 'edge' } }));
    }
    expect(reasonOf(await requestRun(tenant, 'labels'))).toBe('Completed');
    expect(await kvNames(tenant, 'edge')).toEqual(['empty', 'lacks', 'missing']);
  });

  it('by which two Secrets would share one path moves neither of them and names both', async () => {
    const tenant = await aTenantWith({
      'b-c': { team: 'a' },
      c: { team: 'a-b' },
      free: { team: 'a' },
    });
    await tenant.apply(
      aMigration('collide', { mapping: { path: '{label:team}-{name}' }, sourcePolicy: 'Delete' }),
    );
    await tenant.untilReady('collide', { status: 'False', reason: 'PartiallyFailed' });
    expect(await statesOf(tenant, 'collide')).toEqual({
      'b-c': 'Failed MappingCollision',
      c: 'Failed MappingCollision',
      free: 'Removed',
    });
    const rows = await rowsByName(tenant, 'collide');
    for (const name of ['b-c', 'c']) {
      expect(rows[name]).toMatchObject({
        message: 'Several sources map to the same path: b-c, c. Change spec.mapping, or exclude all but one.',
        destination: { path: 'a-b-c' },
      });
      expect(await tenant.secret(name)).toBeDefined();
    }
    expect(await kvNames(tenant, '')).toEqual(['a-free']);
    expect(askedPaths(tenant)).not.toContain(`/v1/${tenant.mount}/data/a-b-c`);

    const exclude = { names: [TOKEN, 'c'] };
    await tenant.mergePatch('SecretMigration', 'collide', { spec: { select: { exclude } } });
    await tenant.untilReady('collide');
    expect(await kvNames(tenant, '')).toEqual(['a-b-c', 'a-free']);
  });

  it('with {label:…} is refused on the way back, by the field and what is wrong with it', async () => {
    stage().allowErrors(/"code":"SPEC_INVALID"/);
    const tenant = await stage().tenant();
    const mapping = { path: '{label:team}/{name}' };
    await tenant.apply(aMigration('back', { from: 'bao', to: 'kubernetes', mapping }));
    const migration = await tenant.untilReady('back', { status: 'False', reason: 'InvalidSpec' });
    await eventually('the operator has logged it', () => stage().operator.logs().includes('"SPEC_INVALID"'));
    expect(conditionOf(migration, 'Stalled')?.status).toBe('True');
    expect(conditionOf(migration, 'Ready')?.message).toMatch(
      /\{label:…\} is supported only from Kubernetes to a path.*\(spec\.mapping\.path\)/,
    );
  });
});

describe('before the first write', () => {
  const NAMES = Array.from({ length: 20 }, (_, index) => `s${index + 10}`);

  /** `method path` of what the operator asks of KV meanwhile, without probes of backends. */
  async function askedDuring(tenant: Tenant, act: () => Promise<unknown>): Promise<readonly string[]> {
    const from = stage().bao.requests.length;
    await act();
    const start = `/v1/${tenant.mount}/`;
    return stage()
      .bao.requests.slice(from)
      .filter(({ path }) => path.startsWith(start) || path.endsWith('/capabilities-self'))
      .filter(({ path }) => !path.endsWith('/config'))
      .map(({ method, path, query }) => `${query.includes('list=true') ? 'LIST' : method} ${path}`);
  }

  it('many folders of others cost nothing: one listing and one question for 20 Secrets, and none again', async () => {
    const tenant = await aTenantWith(Object.fromEntries(NAMES.map((name) => [name, {}])));
    await Promise.all(
      Array.from({ length: 100 }, async (_, index) => kvPut(tenant, `other-${index}/x`, FIELDS)),
    );
    await tenant.apply(aMigration('first', { select: { names: ['s10'] }, mapping: { path: '{name}' } }));
    await tenant.untilReady('first');
    const asked = await askedDuring(tenant, async () => {
      await tenant.apply(aMigration('all', { mapping: { path: '{name}' } }));
      await tenant.untilReady('all');
    });
    const lists = asked.filter((each) => each.startsWith('LIST'));
    expect(lists).toEqual([`LIST /v1/${tenant.mount}/metadata`]);
    expect(asked.filter((each) => each.endsWith('/capabilities-self'))).toHaveLength(1);

    const again = await askedDuring(tenant, async () => requestRun(tenant, 'all'));
    expect(again.toSorted()).toEqual(NAMES.map((name) => `GET /v1/${tenant.mount}/data/${name}`));
  });

  it('a rule for one path in the midst of a folder gives the row of the plan, and the others are moved', async () => {
    const { cluster } = stage();
    const [namespace, mount] = [await cluster.createNamespace('tenant'), await cluster.createMount('kv')];
    const denied = `${mount}/data/${namespace}/s12`;
    const policy = `${documentedPolicy(mount)}\npath "${denied}" { capabilities = ["deny"] }`;
    const tenant = await stage().tenant({ namespace, mount, policy });
    const names = NAMES.slice(0, 5);
    for (const name of names) await tenant.apply(aSecret(name, FIELDS));
    await tenant.apply(aMigration('plan', { dryRun: true }));
    await tenant.untilReady('plan', { status: 'False' });
    await tenant.apply(aMigration('run', { sourcePolicy: 'Delete' }));
    await tenant.untilReady('run', { status: 'False', reason: 'PartiallyFailed' });
    const message = `The policy must allow "create" on ${denied} to create it.`;
    for (const name of ['plan', 'run'])
      expect((await rowsByName(tenant, name))['s12']).toMatchObject({ state: 'Failed', message });
    expect(await statesOf(tenant, 'run')).toEqual({
      ...Object.fromEntries(names.map((name) => [name, 'Removed'])),
      s12: 'Failed PermissionDenied',
    });
    expect(await tenant.secret('s12')).toBeDefined();
    expect(await movedNames(tenant)).toEqual(names.filter((name) => name !== 's12'));
  });
});

describe('a hostile path', () => {
  function secretsOf(tenant: Tenant): string {
    return `/api/v1/namespaces/${tenant.namespace}/secrets`;
  }

  it('made by the mapping is refused before any request about it leaves', async () => {
    const tenant = await aTenantWith({ db: { team: 'core' } });
    await tenant.apply(aMigration('dotted', { mapping: { path: '{label:team}./{name}' } }));
    await tenant.untilReady('dotted', { status: 'False', reason: 'PartiallyFailed' });
    expect(await statesOf(tenant, 'dotted')).toEqual({ db: 'Failed PathRefused' });
    expect((await rowsByName(tenant, 'dotted'))['db']).toMatchObject({
      message: 'The path has a segment that ends in a period.',
      destination: { path: 'core./db' },
    });
    expect(askedPaths(tenant)).toEqual([secretsOf(tenant)]);
    expect(await kvNames(tenant, '')).toEqual([]);
  });

  const HOSTILE = ['..', '.', '%2e%2e', 'a?b', 'a#b', 'back\\slash', 'tab\there', 'trailing ', 'dot.'];

  it('named in the spec is refused on the way out before any request about it leaves', async () => {
    const tenant = await aTenantWith({ free: {} });
    await tenant.apply(aMigration('out', { select: { names: [...HOSTILE, 'free'] } }));
    await tenant.untilReady('out', { status: 'False', reason: 'PartiallyFailed' });
    expect(await statesOf(tenant, 'out')).toEqual({
      ...Object.fromEntries(HOSTILE.map((name) => [recordedName(name), 'Failed NameRefused'])),
      free: 'Verified',
    });
    expect(askedPaths(tenant)).toEqual([
      secretsOf(tenant), // The claims of earlier runs.
      `${secretsOf(tenant)}/free`,
      `/v1/${tenant.mount}/data/${tenant.namespace}/free`,
      `/v1/${tenant.mount}/metadata/${tenant.namespace}`,
    ]);
    expect(await movedNames(tenant)).toEqual(['free']);
  });

  it('named in the spec is refused on the way back before any request about it leaves', async () => {
    const tenant = await stage().tenant();
    await kvPut(tenant, `${tenant.namespace}/free`, FIELDS);
    const select = { names: [...HOSTILE, 'free'] };
    await tenant.apply(aMigration('back', { from: 'bao', to: 'kubernetes', select }));
    await tenant.untilReady('back', { status: 'False', reason: 'PartiallyFailed' });
    expect(await statesOf(tenant, 'back')).toEqual({
      ...Object.fromEntries(HOSTILE.map((name) => [recordedName(name), 'Failed PathRefused'])),
      free: 'Verified',
    });
    expect(askedPaths(tenant)).toEqual([
      secretsOf(tenant),
      `/v1/${tenant.mount}/data/${tenant.namespace}/free`,
    ]);
    expect((await tenant.secrets()).map(({ metadata }) => metadata.name).toSorted()).toEqual([TOKEN, 'free']);
  });

  it('found at the source is shown as refused, and not one request about it leaves', async () => {
    const tenant = await stage().tenant();
    const folder = `${tenant.mount}/data/${tenant.namespace}`;
    for (const name of ['free', 'UPPER_case', 'per%25cent', 'semi;colon']) {
      await tenant.cluster.bao('POST', `${folder}/${name}`, { data: FIELDS });
    }
    await tenant.apply(aMigration('back', { from: 'bao', to: 'kubernetes' }));
    await tenant.untilReady('back', { status: 'False', reason: 'PartiallyFailed' });
    expect(await statesOf(tenant, 'back')).toEqual({
      free: 'Verified',
      UPPER_case: 'Failed NameRefused',
      'per%cent': 'Failed PathRefused',
      'semi;colon': 'Failed NameRefused',
    });
    expect(askedPaths(tenant)).toEqual([
      secretsOf(tenant),
      `/v1/${tenant.mount}/data/${tenant.namespace}/free`,
      `/v1/${tenant.mount}/metadata/${tenant.namespace}`,
    ]);
  });
});

describe('a document whose path is longer than any row', () => {
  it('is shown as refused, and the others are moved', async () => {
    const tenant = await stage().tenant();
    const [long, longer] = ['x'.repeat(600), 'y'.repeat(3_000)];
    for (const name of ['fine', long, longer]) await kvPut(tenant, `old/${name}`, FIELDS);
    await tenant.apply(
      aMigration('back', {
        from: 'bao',
        to: 'kubernetes',
        select: { all: true },
        mapping: { path: 'old/{name}' },
      }),
    );
    await tenant.untilReady('back', { status: 'False', reason: 'PartiallyFailed' });
    const states = Object.entries(await statesOf(tenant, 'back')).toReversed();
    expect(states.map(([name, state]) => [name.slice(0, 4), state])).toEqual([
      ['fine', 'Verified'],
      ['xxxx', 'Failed PathRefused'],
      ['yyyy', 'Failed PathRefused'],
    ]);
    expect(states.map(([name]) => name)).toEqual([
      'fine',
      long,
      expect.stringMatching(/^y{2000,}…[0-9a-f]{16}$/),
    ]);
  });
});
