import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RECONCILE_REQUESTED_ANNOTATION } from '#src/api/group.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import type { Right, User } from '#test/support/users.ts';
import {
  ALL_VERBS,
  Authors,
  denialOf,
  denialOfPatch,
  migrationSpec,
  objectOf,
  onSecrets,
  pathOf,
  type SecretVerb,
} from './admission-rig.ts';

const cluster = sharedCluster();
let namespace: string;
let place: { readonly kind: 'SecretMigration'; readonly namespace: string };
/** Has every right on the Secrets of the namespace. */
let owner: User;
let authors: Authors;

beforeAll(async () => {
  namespace = await cluster.createNamespace('admission');
  authors = new Authors(cluster, namespace);
  place = { kind: 'SecretMigration', namespace };
  owner = await authors.having(onSecrets(ALL_VERBS));
});
afterAll(async () => {
  await authors[Symbol.asyncDispose]();
  await cluster.dispose();
});

const RULE = { from: 'a', to: 'b' };
const OLD_NAMES = {
  backendRef: { name: 'kubernetes' },
  fallback: { prefix: 'old-', untilTime: '2030-01-01T00:00:00Z' },
};

describe('the author of a migration', () => {
  it.each<readonly [SecretVerb, object, string]>([
    ['get', {}, 'the operator reads them'],
    ['list', {}, 'the operator lists them'],
    ['create', {}, 'the operator creates them'],
    ['delete', { sourcePolicy: 'Delete' }, 'the operator deletes them'],
    ['delete', { sourcePolicy: 'Backup' }, 'the operator deletes them'],
    ['delete', { mapping: { prefixes: [{ ...RULE, sourcePolicy: 'Delete' }] } }, 'the operator deletes them'],
    ['delete', { mapping: { patterns: [{ ...RULE, sourcePolicy: 'Backup' }] } }, 'the operator deletes them'],
    [
      'delete',
      { mapping: { overrides: [{ name: 'a', path: 'b', sourcePolicy: 'Delete' }] } },
      'the operator deletes them',
    ],
    ['patch', { sourcePolicy: 'Delete' }, 'the operator marks them'],
    ['patch', { sourcePolicy: 'Project' }, 'the operator marks them'],
    ['delete', { undo: true }, 'the operator deletes them'],
    ['patch', { undo: true }, 'the operator marks them'],
    ['create', { undo: true }, 'the operator creates them'],
  ])('needs the right to %s Secrets for %j', async (verb, change, why) => {
    const spec = migrationSpec(change);
    const lacking = await authors.having(onSecrets(ALL_VERBS.filter((other) => other !== verb)));
    const denial = await denialOf(lacking, place, spec);
    expect(denial).toContain(`${lacking.name} may not ${verb} Secrets in namespace ${namespace}, and ${why}`);
    expect(denial).toContain(`Ask an administrator of the namespace for the right to ${verb} secrets`);
    expect(await denialOf(owner, place, spec)).toBe('');
  });

  it('needs no right to change Secrets for a dry run, until it starts', async () => {
    const reader = await authors.having(onSecrets(['get', 'list']));
    const rehearsal = migrationSpec({ sourcePolicy: 'Delete', dryRun: true });
    expect(await denialOf(reader, place, rehearsal)).toBe('');
    await cluster.kube('POST', pathOf('SecretMigration', namespace), objectOf(place.kind, 'dry', rehearsal));
    const path = pathOf('SecretMigration', namespace, 'dry');
    const start = { spec: { dryRun: false } };
    expect(await denialOfPatch(reader, path, start)).toContain('may not create Secrets');
    expect(await denialOfPatch(owner, path, start)).toBe('');
  });

  it('needs no right to delete or patch for sourcePolicy Keep', async () => {
    const copier = await authors.having(onSecrets(['get', 'list', 'create']));
    expect(await denialOf(copier, place, migrationSpec({ conflictPolicy: 'Overwrite' }))).toBe('');
  });
});

/** As many references as a spec can have, to resources of these plural names. */
function referencesTo(plurals: readonly string[], group = 'example.com'): object {
  return plurals.map((plural) => ({ resource: { group, version: 'v1', plural }, path: 'spec.secretName' }));
}

function onLists(plurals: readonly string[], group = 'example.com'): Right {
  return { apiGroups: [group], resources: plurals, verbs: ['list'] };
}

describe('what spec.removal.references names', () => {
  const SIXTEEN = Array.from({ length: 16 }, (_, index) => `widgets${index}`);
  const withReferences = (plurals: readonly string[], change: object = {}): object =>
    migrationSpec({ removal: { references: referencesTo(plurals) }, ...change });

  it('may be listed by the author, each of up to sixteen', async () => {
    const lister = await authors.having(onSecrets(ALL_VERBS), onLists(SIXTEEN));
    const spec = withReferences(SIXTEEN, { sourcePolicy: 'Backup' });
    expect(await denialOf(lister, place, spec)).toBe('');
    expect(await denialOf(owner, place, spec)).toContain(
      `${owner.name} may not list in namespace ${namespace}`,
    );
  });

  it.each(SIXTEEN)('holds the migration if only %s may not be listed, also in a dry run', async (plural) => {
    const others = SIXTEEN.filter((other) => other !== plural);
    const lister = await authors.having(onSecrets(ALL_VERBS), onLists(others));
    const denial = await denialOf(lister, place, withReferences(SIXTEEN, { dryRun: true }));
    expect(denial).toContain(`all that spec.removal.references names: widgets0.example.com, `);
    expect(denial).toContain(`${plural}.example.com`);
    expect(await denialOf(lister, place, withReferences(others))).toBe('');
  });

  it('is asked in its group, the core group included, and in the namespace', async () => {
    const inCore = {
      references: [{ resource: { version: 'v1', plural: 'widgets0' }, path: 'spec.secretName' }],
    };
    const lister = await authors.having(onSecrets(ALL_VERBS), onLists(['widgets0']));
    expect(await denialOf(lister, place, migrationSpec({ removal: inCore }))).toContain('names: widgets0. ');
    const inCoreToo = await authors.having(onSecrets(ALL_VERBS), onLists(['widgets0'], ''));
    expect(await denialOf(inCoreToo, place, migrationSpec({ removal: inCore }))).toBe('');
  });

  it('needs no right of a user who only approves, and that of one who changes anything else', async () => {
    const removal = { references: referencesTo(['widgets0']) };
    const approval = { required: true };
    const spec = migrationSpec({ removal, approval });
    const object = objectOf(place.kind, 'with-references', spec);
    await cluster.kube('POST', pathOf('SecretMigration', namespace), object);
    const path = pathOf('SecretMigration', namespace, 'with-references');
    const approver = await authors.having({
      apiGroups: ['keyferry.io'],
      resources: ['secretmigrations'],
      verbs: ['approve'],
    });
    const digest = `sha256:${'0'.repeat(64)}`;
    expect(await denialOfPatch(approver, path, { spec: { approval: { digest } } })).toBe('');
    expect(await denialOfPatch(owner, path, { spec: { soakSeconds: 1 } })).toContain(
      'may not list in namespace',
    );
  });

  it('fits beside the rights for single Secrets up to eight times', async () => {
    const names = ['a', 'b', 'c', 'd'];
    const few = await authors.having(
      onSecrets(['create']),
      onSecrets(['get', 'delete', 'patch'], names),
      onLists(SIXTEEN),
    );
    const change = { select: { names }, sourcePolicy: 'Delete' };
    expect(await denialOf(few, place, withReferences(SIXTEEN.slice(0, 8), change))).toBe('');
    expect(await denialOf(few, place, withReferences(SIXTEEN.slice(0, 9), change))).toContain(
      'may not get Secrets',
    );
  });
});

describe('the rights for single Secrets', () => {
  const NAMES = ['a', 'b', 'c', 'd'];
  let few: User;
  beforeAll(async () => {
    few = await authors.having(onSecrets(['create']), onSecrets(['get', 'delete', 'patch'], NAMES));
  });

  it('are enough for up to four names, whatever the policy asks of them', async () => {
    for (const names of [['a'], NAMES]) {
      for (const sourcePolicy of ['Keep', 'Delete', 'Project']) {
        const spec = migrationSpec({ sourcePolicy, select: { names } });
        expect(await denialOf(few, place, spec)).toBe('');
      }
    }
  });

  it.each<readonly [string, object]>([
    ['another name', { select: { names: ['a', 'other'] } }],
    ['five names', { select: { names: [...NAMES, 'e'] } }],
    ['all', { select: { all: true } }],
    ['a prefix that leads to another name', { mapping: { prefixes: [RULE] } }],
    ['a pattern that leads to another name', { mapping: { patterns: [RULE] } }],
    ['an override that leads to another name', { mapping: { overrides: [{ name: 'a', path: 'b' }] } }],
    ['joined names', { mapping: { segmentSeparator: '.' } }],
    ['labels in the path, which need a listing', { mapping: { path: '{label:a}/{name}' } }],
    ['old names', { source: OLD_NAMES }],
    ['backups, which have another name', { sourcePolicy: 'Backup' }],
  ])('are not enough for %s', async (_what, change) => {
    const spec = migrationSpec({ select: { names: NAMES }, ...change });
    expect(await denialOf(few, place, spec)).toContain('may not get Secrets');
  });
});

it('a user needs the verb parallelize to have a migration moved by several pods', async () => {
  const spec = migrationSpec({ parallelism: { pods: 2 } });
  expect(await denialOf(owner, place, spec)).toContain(
    `${owner.name} may not create SecretMigration ${namespace}/new`,
  );
  const verbs = ['parallelize'];
  const resources = ['secretmigrations'];
  const allowed = await authors.having(onSecrets(ALL_VERBS), {
    apiGroups: ['keyferry.io'],
    resources,
    verbs,
  });
  expect(await denialOf(allowed, place, spec)).toBe('');
});

describe('an update of a migration', () => {
  let path: string;
  let stranger: User;
  beforeAll(async () => {
    stranger = await authors.having();
    path = pathOf('SecretMigration', namespace, 'existing');
    const annotations = { [RECONCILE_REQUESTED_ANNOTATION]: '1' };
    const object = {
      ...objectOf(place.kind, 'existing', migrationSpec()),
      metadata: { name: 'existing', annotations },
    };
    const created = await owner.reply('POST', pathOf('SecretMigration', namespace), object);
    expect(created.status).toBe(201);
  });

  it.each([
    ['the spec', { spec: { select: { all: null, prefix: 'a' } } }],
    ['the request for another run', { metadata: { annotations: { [RECONCILE_REQUESTED_ANNOTATION]: '2' } } }],
    ['the end of a request', { metadata: { annotations: { [RECONCILE_REQUESTED_ANNOTATION]: null } } }],
    ['an annotation of ours that is new', { metadata: { annotations: { 'keyferry.io/other': 'x' } } }],
  ])('needs the rights of the user who changes %s', async (_what, patch) => {
    expect(await denialOfPatch(stranger, path, patch)).toContain(`${stranger.name} may not get Secrets`);
    expect(await denialOfPatch(owner, path, patch)).toBe('');
  });

  it.each([
    ['finalizers', { metadata: { finalizers: ['example.com/a'] } }],
    ['labels', { metadata: { labels: { team: 'a' } } }],
    ['annotations of others', { metadata: { annotations: { 'example.com/a': 'b' } } }],
    ['nothing', {}],
  ])('needs no right on Secrets for %s', async (_what, patch) => {
    expect(await denialOfPatch(stranger, path, patch)).toBe('');
  });

  it('needs no right on Secrets for the status, which the operator writes', async () => {
    const resources = ['secretmigrations/status'];
    const writer = await authors.having({ apiGroups: ['keyferry.io'], resources, verbs: ['patch'] });
    expect(await denialOfPatch(writer, `${path}/status`, { status: { progress: '1/2' } })).toBe('');
  });
});
