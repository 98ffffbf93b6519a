import type { V1LeaseSpec } from '@kubernetes/client-node';
import type { Wire } from '#src/kube/wire.ts';
import { OPERATOR_ACCOUNT } from '#test/cluster/cluster.ts';
import { eventually } from '#test/support/eventually.ts';
import type { OperatorOptions, OperatorProcess } from '#test/support/operator-process.ts';
import { startProxy, type RecordingProxy } from '#test/support/recording-proxy.ts';
import type { Rig } from './rig.ts';

export const LEASE = 'keyferry-operator';

/** A replica with a proxy of its own in front of the apiserver, so that its requests are told from the others'. */
export interface Replica {
  readonly operator: OperatorProcess;
  readonly kube: RecordingProxy;
}

/** What a Lease has that was acquired once. */
type HeldLease = {
  readonly [Field in 'holderIdentity' | 'acquireTime' | 'renewTime' | 'leaseTransitions']: NonNullable<
    Wire<V1LeaseSpec>[Field]
  >;
};

/** Replicas that compete for one Lease. Ends with all of them, and without the Lease. */
export class Replicas implements AsyncDisposable {
  readonly #rig: Rig;
  readonly #started: Replica[] = [];

  constructor(rig: Rig) {
    this.#rig = rig;
  }

  async start(options: OperatorOptions = {}): Promise<Replica> {
    const { cluster, history } = this.#rig;
    const kube = await startProxy(cluster, 'apiserver', { history });
    const operator = await this.#rig.operator({ apiserverUrl: kube.url, ...options });
    const replica = { operator, kube };
    this.#started.push(replica);
    return replica;
  }

  /** The Lease, or that of a slice. */
  async lease(name = LEASE): Promise<HeldLease> {
    return (await this.#rig.cluster.kube<{ spec: HeldLease }>('GET', leasePath(name))).spec;
  }

  /** The replica that holds a Lease; undefined if none of these does. */
  async holderOf(name: string): Promise<Replica | undefined> {
    const { holderIdentity } = await this.lease(name);
    return this.#started.find(({ operator }) => holderIdentity.startsWith(`${operator.identity}_`));
  }

  async untilLeading({ operator }: Replica, deadlineMs: number): Promise<HeldLease> {
    return await eventually(
      `${operator.identity} holds the lease`,
      async () => {
        const lease = await this.lease();
        return lease.holderIdentity.startsWith(`${operator.identity}_`) ? lease : undefined;
      },
      { deadlineMs },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { operator } of this.#started) await operator.kill();
    for (const { kube } of this.#started) await kube[Symbol.asyncDispose]();
    // Who was killed holds them for 15 s; the next test starts without.
    const { items } = await this.#rig.cluster.kube<{ items: { metadata: { name: string } }[] }>(
      'GET',
      leasePath(''),
    );
    for (const { metadata } of items.filter((lease) => lease.metadata.name.startsWith(LEASE)))
      await this.#rig.cluster.kubeClient.reply('DELETE', leasePath(metadata.name));
  }
}

function leasePath(name: string): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${OPERATOR_ACCOUNT.namespace}/leases/${name}`;
}
