import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { OPERATOR_ACCOUNT, type Cluster } from '#test/cluster/cluster.ts';
import { eventually } from '#test/support/eventually.ts';
import { startOperator, type OperatorProcess } from '#test/support/operator-process.ts';

const LEASE = 'keyferry-operator';
/** A lease of 15 s runs out, on a slow machine, behind a server that restarts. */
const LEADER_DEADLINE_MS = 120_000;
/** As long as a kubelet waits at first. */
const RESTART_MS = 500;

/** How a replica ended. */
export interface Ending {
  readonly identity: string;
  readonly how: string;
  /** Nothing that the soak did explains it. */
  readonly isStrange: boolean;
}

/** Replicas that compete for one Lease; one that ends is replaced, as a Deployment does it. */
export class Fleet implements AsyncDisposable {
  readonly endings: Ending[] = [];
  /** Files with what all replicas said. */
  readonly logFiles: string[] = [];
  readonly #cluster: Cluster;
  readonly #running = new Set<OperatorProcess>();
  readonly #slots: Promise<void>[] = [];
  #starting: Promise<unknown> = Promise.resolve();
  #isStopped = false;

  constructor(cluster: Cluster, replicas: number) {
    this.#cluster = cluster;
    for (let count = 0; count < replicas; count += 1) this.#slots.push(this.#keepOne());
  }

  /** The replica that holds the lease, once one does that runs. */
  async leader(): Promise<OperatorProcess> {
    return eventually('a replica that runs holds the lease', async () => this.#leaderNow(), {
      deadlineMs: LEADER_DEADLINE_MS,
      pollMs: 200,
    });
  }

  /** Another one than this leads. */
  async otherThan(former: OperatorProcess): Promise<OperatorProcess> {
    return eventually(
      'another replica holds the lease',
      async () => {
        const leader = await this.#leaderNow();
        return leader !== former && leader;
      },
      { deadlineMs: LEADER_DEADLINE_MS, pollMs: 200 },
    );
  }

  standbyOf(leader: OperatorProcess): OperatorProcess | undefined {
    return [...this.#running].find((each) => each !== leader);
  }

  get running(): readonly OperatorProcess[] {
    return [...this.#running];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    while (this.#running.size > 0) await Promise.all([...this.#running].map(async (each) => each.stop()));
    await Promise.all(this.#slots);
  }

  async #leaderNow(): Promise<OperatorProcess | undefined> {
    const path = `/apis/coordination.k8s.io/v1/namespaces/${OPERATOR_ACCOUNT.namespace}/leases/${LEASE}`;
    const { spec } = await this.#cluster.kube<{ spec: { holderIdentity: string; renewTime: string } }>(
      'GET',
      path,
    );
    return [...this.#running].find(({ identity }) => spec.holderIdentity.startsWith(`${identity}_`));
  }

  /** Starts one after the other, until the end. */
  async #keepOne(): Promise<void> {
    while (!this.#isStopped) {
      const operator = await this.#start();
      if (operator === undefined) {
        await sleep(RESTART_MS);
        continue;
      }
      this.#running.add(operator);
      const { code, signal } = await operator.exited;
      this.#running.delete(operator);
      if (!this.#isStopped) this.endings.push(endingOf(operator, signal ?? `code ${code}`));
      await sleep(RESTART_MS);
    }
  }

  /** Undefined while the API server gives no token. Not two at once: they share the file of the token. */
  async #start(): Promise<OperatorProcess | undefined> {
    const started = this.#starting.then(async () => {
      if (this.#isStopped) return undefined;
      const operator = await startOperator(this.#cluster, { skipReady: true, logLevel: 'info' });
      this.logFiles.push(operator.logFile);
      return operator;
    });
    this.#starting = started.catch(() => undefined);
    return started.catch(() => undefined);
  }
}

function endingOf({ identity, logFile }: OperatorProcess, how: string): Ending {
  const isExpected =
    how === 'SIGKILL' || how === 'code 0' || readFileSync(logFile, 'utf8').includes('LEASE_LOST');
  return { identity, how, isStrange: !isExpected };
}
