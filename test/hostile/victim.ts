import { aKubernetesBackend, aMigration, anOpenBaoBackend, aSecret } from '#test/builders/objects.ts';
import type { Cluster } from '#test/cluster/cluster.ts';
import { aTextCanary, type Canary } from '#test/support/canary.ts';
import { eventually, GiveUp } from '#test/support/eventually.ts';
import type { OperatorProcess } from '#test/support/operator-process.ts';
import { kvData, pathOf } from '#test/support/queries.ts';
import { Tenant } from '#test/support/tenant.ts';

/** The token of a tenant's backend: a secret of the operator as well as of the tenant. */
export async function tokenOf(tenant: Tenant): Promise<Canary> {
  const token = (await tenant.secret('bao-token'))?.data?.['token'] ?? '';
  return { name: `the token of ${tenant.namespace}`, bytes: Buffer.from(token, 'base64') };
}

/** A tenant that does nothing wrong, on the real servers, and wants one Secret moved during an attack. */
export class Victim {
  readonly tenant: Tenant;
  readonly canaries: readonly Canary[];

  private constructor(tenant: Tenant, canaries: readonly Canary[]) {
    this.tenant = tenant;
    this.canaries = canaries;
  }

  /** With everything that an administrator gives, so that what follows is the time of the operator. */
  static async prepare(cluster: Cluster): Promise<Victim> {
    const tenant = await Tenant.create(cluster);
    const value = aTextCanary('the value of the victim');
    await tenant.apply(aSecret('database', { password: value.bytes }));
    return new Victim(tenant, [value, await tokenOf(tenant)]);
  }

  /**
   * Creates two new backends and a migration and waits for the copy; resolves with the milliseconds, or undefined after
   * the deadline and when the operator has died.
   */
  async finish(operator: OperatorProcess, deadlineMs: number): Promise<number | undefined> {
    const { tenant } = this;
    const { cluster, mount } = tenant;
    const reachable = { address: cluster.baoUrl, mount, caBundle: cluster.baoCaPem };
    const start = performance.now();
    await tenant.apply(aKubernetesBackend('new-kubernetes'));
    await tenant.apply(anOpenBaoBackend({ name: 'new-bao', ...reachable }));
    const ends = { from: 'new-kubernetes', to: 'new-bao' };
    await tenant.apply(aMigration('move', { ...ends, select: { names: ['database'] } }));
    const isDone = async (): Promise<boolean> => {
      if (!operator.isRunning) throw new GiveUp('the operator has ended');
      const { conditions } = (await tenant.migration('move')).status;
      return conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
    };
    try {
      await eventually('the victim has its result', isDone, { deadlineMs });
    } catch {
      return undefined;
    }
    const elapsed = performance.now() - start;
    const copy = await kvData(tenant, pathOf(tenant, 'database'));
    if (copy['password'] !== this.canaries[0]?.bytes.toString('utf8')) throw new Error('the copy differs');
    return elapsed;
  }
}
