import { aSecret } from '#test/builders/objects.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { kvData, kvMetadata, kvNames } from '#test/support/queries.ts';

/** More documents than the operator has under way at once (32): a run that is held cannot have begun all of them. */
export const MANY = 48;

/** Fields of the document of this name. */
export function fieldsOf(name: string): Readonly<Record<string, string>> {
  return { user: `user of ${name}`, password: `password of ${name}` };
}

/** Creates `<prefix>-00`, `<prefix>-01`, … as Secrets; returns the names in order. */
export async function plantMany(tenant: Tenant, prefix: string, count = MANY): Promise<readonly string[]> {
  const names = Array.from({ length: count }, (_, index) => `${prefix}-${String(index).padStart(2, '0')}`);
  await Promise.all(names.map(async (name) => tenant.apply(aSecret(name, fieldsOf(name)))));
  return names;
}

/** Names of the tenant's Secrets, sorted, without that of its token. */
export async function sourceNames(tenant: Tenant): Promise<readonly string[]> {
  const names = (await tenant.secrets()).map(({ metadata }) => metadata.name);
  return names.filter((name) => name !== 'bao-token').toSorted();
}

/**
 * Names of what is stored for the tenant, once each of them was found whole and in one version: nothing written twice and
 * nothing half.
 */
export async function wholeNames(tenant: Tenant): Promise<readonly string[]> {
  const names = await kvNames(tenant, tenant.namespace);
  const checks = names.map(async (name) => {
    const path = `${tenant.namespace}/${name}`;
    const { current_version: version } = (await kvMetadata(tenant, path)) ?? {};
    if (version !== 1) throw new Error(`${path} has version ${version}`);
    const data = await kvData(tenant, path);
    if (JSON.stringify(sorted(data)) !== JSON.stringify(sorted(fieldsOf(name))))
      throw new Error(`${path} holds something else`);
  });
  await Promise.all(checks);
  return names;
}

function sorted(fields: Readonly<Record<string, string>>): readonly (readonly [string, string])[] {
  return Object.entries(fields).toSorted(([a], [b]) => (a < b ? -1 : 1));
}
