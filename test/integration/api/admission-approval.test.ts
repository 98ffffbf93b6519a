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
} from './admission-rig.ts';

const cluster = sharedCluster();
const DIGEST = `sha256:${'0'.repeat(64)}`;
const OTHER_DIGEST = `sha256:${'1'.repeat(64)}`;
const approvalOf = (digest: string | null) => ({ spec: { approval: { digest } } });

let namespace: string;
let authors: Authors;
/** May write migrations, and has every right on the Secrets of the namespace. */
let editor: User;
/** May approve, and has no right on Secrets. */
let approver: User;

const approves = (names?: readonly string[]): Right => ({
  apiGroups: ['keyferry.io'],
  resources: ['secretmigrations'],
  verbs: ['approve'],
  ...(names === undefined ? {} : { resourceNames: names }),
});

beforeAll(async () => {
  namespace = await cluster.createNamespace('approval');
  authors = new Authors(cluster, namespace);
  editor = await authors.having(onSecrets(ALL_VERBS));
  approver = await authors.having(approves());
  for (const [name, approval] of Object.entries({
    waiting: { required: true },
    approved: { required: true, digest: DIGEST },
    free: undefined,
  })) {
    const spec = migrationSpec(approval === undefined ? {} : { approval });
    await cluster.kube('POST', pathOf('SecretMigration', namespace), objectOf('SecretMigration', name, spec));
  }
});
afterAll(async () => {
  await authors[Symbol.asyncDispose]();
  await cluster.dispose();
});

const at = (name: string): string => pathOf('SecretMigration', namespace, name);

describe('the verb approve', () => {
  it.each<readonly [string, string, object]>([
    ['approve a plan', 'waiting', approvalOf(DIGEST)],
    ['approve another plan', 'approved', approvalOf(OTHER_DIGEST)],
    ['do without an approval', 'waiting', { spec: { approval: { required: false } } }],
    ['take the need for an approval away', 'waiting', { spec: { approval: null } }],
    ['take an approved migration back', 'approved', { spec: { undo: true } }],
    ['change to mode Sync, which needs none', 'waiting', { spec: { mode: 'Sync', approval: null } }],
  ])('is needed to %s: the right to edit the migration is not enough', async (_what, name, patch) => {
    const denial = await denialOfPatch(editor, at(name), patch);
    expect(denial).toContain(`${editor.name} may not approve SecretMigration ${namespace}/${name}`);
    expect(denial).toContain('see ClusterRole keyferry-approve');
    const both = await authors.having(onSecrets(ALL_VERBS), approves([name]));
    expect(await denialOfPatch(both, at(name), patch)).toBe('');
  });

  it('is needed to create a migration that is approved from the start', async () => {
    const place = { kind: 'SecretMigration', namespace } as const;
    const spec = migrationSpec({ approval: { required: true, digest: DIGEST } });
    expect(await denialOf(editor, place, spec)).toContain(`may not approve SecretMigration ${namespace}/new`);
    expect(await denialOf(editor, place, migrationSpec({ approval: { required: true } }))).toBe('');
  });

  it.each<readonly [string, string, object]>([
    ['withdraw an approval', 'approved', approvalOf(null)],
    ['ask for approvals', 'free', { spec: { approval: { required: true } } }],
    ['change what the approval is not for', 'approved', { spec: { sourcePolicy: 'Delete' } }],
  ])('is not needed to %s', async (_what, name, patch) => {
    expect(await denialOfPatch(editor, at(name), patch)).toBe('');
  });

  it('is enough to approve, without a right on Secrets, and lets nothing else be changed', async () => {
    expect(await denialOfPatch(approver, at('waiting'), approvalOf(DIGEST))).toBe('');
    for (const change of [
      { sourcePolicy: 'Delete' },
      { suspend: true },
      { select: { all: null, prefix: 'a' } },
    ]) {
      const patch = { spec: { ...approvalOf(DIGEST).spec, ...change } };
      expect(await denialOfPatch(approver, at('waiting'), patch)).toContain('may not get Secrets');
    }
  });

  it('is not enough to ask for another run in the same change', async () => {
    const annotations = { [RECONCILE_REQUESTED_ANNOTATION]: '1' };
    const patch = { ...approvalOf(DIGEST), metadata: { annotations } };
    expect(await denialOfPatch(approver, at('waiting'), patch)).toContain('may not get Secrets');
  });

  it('for one migration is not enough for another one', async () => {
    const other = await authors.having(approves(['approved']));
    expect(await denialOfPatch(other, at('waiting'), approvalOf(DIGEST))).toContain('may not approve');
    expect(await denialOfPatch(other, at('approved'), approvalOf(OTHER_DIGEST))).toBe('');
  });
});

describe('a namespace with the label keyferry.io/approval=required', () => {
  let strict: string;
  let strictAuthors: Authors;
  beforeAll(async () => {
    strict = await cluster.createNamespace('strict-approval');
    const labels = { metadata: { labels: { 'keyferry.io/approval': 'required' } } };
    const headers = { 'content-type': 'application/merge-patch+json' };
    await cluster.kube('PATCH', `/api/v1/namespaces/${strict}`, labels, headers);
    strictAuthors = new Authors(cluster, strict);
  });
  afterAll(async () => strictAuthors[Symbol.asyncDispose]());

  it('has only migrations that wait for approval, that only show a plan, or of a user who may approve', async () => {
    const place = { kind: 'SecretMigration', namespace: strict } as const;
    const author = await strictAuthors.having(onSecrets(ALL_VERBS));
    expect(await denialOf(author, place, migrationSpec())).toContain('may not approve');
    expect(await denialOf(author, place, migrationSpec({ approval: { required: true } }))).toBe('');
    expect(await denialOf(author, place, migrationSpec({ dryRun: true }))).toBe('');
    const both = await strictAuthors.having(onSecrets(ALL_VERBS), approves());
    expect(await denialOf(both, place, migrationSpec())).toBe('');
  });
});
