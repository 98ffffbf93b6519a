import { API_VERSION } from '#src/api/group.ts';
import type { Condition } from '#src/schema/meta.ts';
import { eventually } from '#test/support/eventually.ts';
import { Tenant } from '#test/support/tenant.ts';
import { bareCreation, BareClient, type Folder } from './bare.ts';
import type { SECRETS } from './documents.ts';
import { inLanes } from './lanes.ts';
import type { Setting } from './setting.ts';

const TENANTS_AT_ONCE = 8;

export interface Group extends AsyncDisposable {
  /** Each with two backends. */
  readonly tenants: readonly Tenant[];
  /** The one mount that all of them have. */
  readonly mount: Omit<Folder, 'folder'>;
}

/** As many namespaces, each with backends of its own and `each` Secrets. */
export async function manyTenants(
  { api, cluster }: Setting,
  {
    count,
    each,
    kind,
  }: { readonly count: number; readonly each: number; readonly kind: keyof typeof SECRETS },
): Promise<Group> {
  const mount = await cluster.createMount('kv');
  const tenants: Tenant[] = [];
  await inLanes(count, TENANTS_AT_ONCE, async () => {
    tenants.push(await Tenant.create(cluster, { mount }));
  });
  for (const { namespace } of tenants) await bareCreation(api, namespace, each, kind);
  const client = await BareClient.ofKv(cluster, mount);
  const dispose = async (): Promise<void> => client[Symbol.asyncDispose]();
  return { tenants, mount: { client, mount }, [Symbol.asyncDispose]: dispose };
}

interface BackendList {
  readonly items: readonly { readonly status?: { readonly conditions?: readonly Condition[] } }[];
}

/** Waits until the operator has found each backend ready. */
export async function backendsReady({ cluster }: Setting, { tenants }: Group): Promise<void> {
  const areReady = async (): Promise<boolean> => {
    const { items } = await cluster.kube<BackendList>('GET', `/apis/${API_VERSION}/secretbackends`);
    const ready = items.filter(({ status }) =>
      status?.conditions?.some(({ status: is, type }) => type === 'Ready' && is === 'True'),
    );
    return ready.length >= tenants.length * 2;
  };
  await eventually('all backends are ready', areReady, { deadlineMs: 300_000, pollMs: 500 });
}
