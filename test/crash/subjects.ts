import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { aMigration, anOpenBaoBackend, aSecret } from '#test/builders/objects.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { kvData, kvPut, pathOf } from '#test/support/queries.ts';
import type { RecordedRequest } from '#test/support/request-history.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { aDirectoryBackend, plantFiles, tokenFolderOf } from '#test/support/token-files.ts';
import { FIELD } from './documents.ts';
import type { Rig } from './rig.ts';

const NAME = 'doc';
const VALUE = 'the only one';

/** One document that a migration `moving` moves, and how a user looks at its two ends. */
export interface Subject {
  readonly tenant: Tenant;
  /** Applies the migration. */
  readonly start: () => Promise<void>;
  /** True for a request that reads or changes the document or its namespace, at either end. */
  readonly isRequest: (request: RecordedRequest) => boolean;
  /** The value at the source; undefined or a failure when it is gone. */
  readonly atSource: () => Promise<string | undefined>;
  readonly removeCopy: () => Promise<void>;
}

/** What can be a source, with a way to create one. */
export const SOURCES: Readonly<Record<string, (rig: Rig) => Promise<Subject>>> = {
  'a Secret': fromSecret,
  'KV version 2': fromV2,
  'KV version 1': fromV1,
  'a directory': fromFile,
};

export { VALUE as SUBJECT_VALUE };

async function fromSecret(rig: Rig): Promise<Subject> {
  const tenant = await rig.tenant();
  await tenant.apply(aSecret(NAME, { [FIELD]: VALUE }));
  return {
    tenant,
    start: async () => tenant.apply(aMigration('moving', { sourcePolicy: 'Delete' })),
    isRequest: isRequestOf(tenant, tenant.mount),
    atSource: async () => secretValue(tenant),
    removeCopy: async () => {
      await rig.cluster.bao('DELETE', `${tenant.mount}/metadata/${pathOf(tenant, NAME)}`);
    },
  };
}

async function fromV2(rig: Rig): Promise<Subject> {
  const tenant = await rig.tenant();
  await kvPut(tenant, pathOf(tenant, NAME), { [FIELD]: VALUE });
  const atSource = async () => (await kvData(tenant, pathOf(tenant, NAME)))[FIELD];
  return toSecret(tenant, { from: 'bao', mount: tenant.mount, atSource });
}

async function fromV1(rig: Rig): Promise<Subject> {
  const tenant = await rig.tenant();
  const { cluster } = rig;
  const mount = await cluster.createV1Mount('old');
  await cluster.bao('POST', `${mount}/${pathOf(tenant, NAME)}`, { [FIELD]: VALUE });
  await applyV1Backend(rig, tenant, { name: 'old', mount });
  const atSource = async () => {
    const reply = await cluster.bao<{ data: Record<string, string> }>(
      'GET',
      `${mount}/${pathOf(tenant, NAME)}`,
    );
    return reply.data[FIELD];
  };
  return toSecret(tenant, { from: 'old', mount, atSource });
}

/** A backend on a mount of version 1, with a token of its own. */
export async function applyV1Backend(
  rig: Rig,
  tenant: Tenant,
  { name, mount }: { readonly name: string; readonly mount: string },
): Promise<void> {
  const { cluster, bao } = rig;
  const token = await cluster.createToken(documentedPolicy(mount, 1));
  await tenant.apply(aSecret(`${name}-token`, { token }));
  const caBundle = cluster.baoCaPem;
  const backend = anOpenBaoBackend({ name, tokenSecret: `${name}-token`, address: bao.url, mount, caBundle });
  const openbao = { ...backend.spec.openbao, kvVersion: 1, allowUnsafeWrites: true };
  await tenant.apply({ ...backend, spec: { ...backend.spec, openbao } });
}

async function fromFile(rig: Rig): Promise<Subject> {
  const tenant = await rig.tenant();
  const folder = tokenFolderOf(rig.cluster, tenant.namespace);
  plantFiles(folder, { [NAME]: VALUE });
  await tenant.apply(aDirectoryBackend({ trailingNewline: 'Keep' }));
  const atSource = () => Promise.resolve(readFileSync(join(folder, NAME), 'utf8'));
  return toSecret(tenant, { from: 'files', mount: tenant.mount, atSource });
}

function toSecret(
  tenant: Tenant,
  { from, mount, atSource }: { readonly from: string; readonly mount: string } & Pick<Subject, 'atSource'>,
): Subject {
  const select = { names: [NAME] };
  const mapping = from === 'files' ? { mapping: { path: '{name}' } } : {};
  return {
    tenant,
    start: async () =>
      tenant.apply(
        aMigration('moving', { from, to: 'kubernetes', select, ...mapping, sourcePolicy: 'Delete' }),
      ),
    isRequest: isRequestOf(tenant, mount),
    atSource,
    removeCopy: async () => tenant.delete('Secret', NAME),
  };
}

async function secretValue(tenant: Tenant): Promise<string | undefined> {
  const encoded = (await tenant.secret(NAME))?.data?.[FIELD];
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString();
}

/** Lists are not told apart by documents, so they do not count. */
function isRequestOf({ namespace }: Tenant, mount: string): Subject['isRequest'] {
  const own = `/api/v1/namespaces/${namespace}`;
  const paths = new RegExp(`^${own}$|^${own}/secrets/${NAME}$|^/v1/${mount}/.*/${NAME}$`);
  return ({ method, path }) => paths.test(path) || (method === 'POST' && path === `${own}/secrets`);
}
