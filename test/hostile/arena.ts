import type { EventsV1Event, V1Lease } from '@kubernetes/client-node';
import type { Stored, StoredList } from '#src/kube/wire.ts';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { request } from 'undici';
import { afterAll, beforeAll, expect } from 'vitest';
import { API_VERSION, KINDS } from '#src/api/group.ts';
import { OPERATOR_ACCOUNT } from '#test/cluster/cluster.ts';
import { findCanary } from '#test/support/canary.ts';
import { eventually } from '#test/support/eventually.ts';
import type { OperatorProcess } from '#test/support/operator-process.ts';
import { Stage } from '#test/support/stage.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { Attack } from './attack.ts';
import { Victim } from './victim.ts';

/** What the issue asks for: a new backend and a new migration of the victim finish within this. */
const VICTIM_DEADLINE_MS = 5000;
/** The heap limit of the process that ships is 512 MiB; buffers, code and stacks come on top. */
const RSS_LIMIT_KIB = 700 * 1024;
const GRACE_SECONDS = 3;
/** The operator ends one second after its grace at the latest; another one for a machine with two busy cores. */
const END_DEADLINE_MS = (GRACE_SECONDS + 2) * 1000;
/** A liveness probe of Kubernetes waits for one second by default. */
const HEALTH_DEADLINE_MS = 1000;

const LEASE = `/apis/coordination.k8s.io/v1/namespaces/${OPERATOR_ACCOUNT.namespace}/leases/keyferry-operator`;

/** How the operator bore an attack; each member says what was seen, so that a failure explains itself. */
interface Verdict {
  readonly victim: string;
  readonly memory: string;
  readonly health: string;
  readonly end: string;
  /** Places with a canary of the victim or of the attacker. */
  readonly leaks: readonly string[];
  /** Texts of status and events with a control character that a server sent. */
  readonly controlCharacters: readonly string[];
  /** Output that is not a log line: a stack trace, a warning of Node. */
  readonly strayOutput: readonly string[];
}

const UNHARMED: Verdict = {
  victim: 'in time',
  memory: 'below the limit',
  health: 'in time',
  end: 'in time',
  leaks: [],
  controlCharacters: [],
  strayOutput: [],
};

/** One cluster and one operator at a time; every attack meets a fresh process. */
export class Arena implements AsyncDisposable {
  readonly stage: Stage;
  #deadlineMs = VICTIM_DEADLINE_MS;

  private constructor(stage: Stage) {
    this.stage = stage;
  }

  static async open(): Promise<Arena> {
    const arena = new Arena(await Stage.open());
    await arena.restart();
    await arena.#measurePeace();
    return arena;
  }

  get operator(): OperatorProcess {
    return this.stage.operator;
  }

  /**
   * Starts the attack, lets a victim in another namespace ask for its migration, and asks the operator to end while the
   * attack goes on. `start` returns when the attack is under way. `meanwhile` runs after the victim, before the end.
   */
  async survives(
    start: (attack: Attack) => Promise<void>,
    meanwhile: (attack: Attack) => Promise<void> = async () => undefined,
  ): Promise<void> {
    const attack = new Attack(this.stage.cluster);
    try {
      const victim = await Victim.prepare(this.stage.cluster);
      await start(attack);
      const elapsed = await victim.finish(this.operator, this.#deadlineMs);
      const health = await this.#health();
      if (elapsed !== undefined) await meanwhile(attack);
      const verdict = await this.#verdict({ attack, victim, elapsed, health });
      expect(verdict).toEqual(UNHARMED);
    } finally {
      await this.operator.kill();
      await attack[Symbol.asyncDispose]();
      await this.restart();
    }
  }

  /** A fresh process that leads. */
  async restart(): Promise<void> {
    if (this.operator.isRunning) await this.operator.stop();
    // One that was killed cannot give its lease back, and the next one would wait until it expires.
    await this.stage.cluster.kubeClient.reply('DELETE', LEASE);
    await this.stage.restartOperator({ KEYFERRY_GRACEFUL_SHUTDOWN_SECONDS: String(GRACE_SECONDS) });
    await eventually('the operator leads', async () => {
      const lease = await this.stage.cluster.kube<Stored<V1Lease>>('GET', LEASE);
      return lease.spec?.holderIdentity?.startsWith(`${this.operator.identity}_`) === true;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stage[Symbol.asyncDispose]();
  }

  /**
   * A machine that needs seconds without any attack says nothing with five of them. The first victim also warms the
   * servers; the second one counts.
   */
  async #measurePeace(): Promise<void> {
    for (let round = 1; round <= 2; round += 1) {
      const victim = await Victim.prepare(this.stage.cluster);
      const elapsed = await victim.finish(this.operator, 60_000);
      if (elapsed === undefined) throw new Error('the victim has no result without an attack');
      this.#deadlineMs = Math.max(VICTIM_DEADLINE_MS, 3 * elapsed);
    }
  }

  async #health(): Promise<string> {
    const start = performance.now();
    try {
      const signal = AbortSignal.timeout(10_000);
      const reply = await request(`${this.operator.healthUrl}/healthz`, { signal });
      await reply.body.dump();
      const elapsed = performance.now() - start;
      if (reply.statusCode !== 200) return `status ${reply.statusCode}`;
      return elapsed <= HEALTH_DEADLINE_MS ? UNHARMED.health : `${seconds(elapsed)} s`;
    } catch {
      return `no reply in ${seconds(performance.now() - start)} s`;
    }
  }

  async #verdict(seen: {
    readonly attack: Attack;
    readonly victim: Victim;
    readonly elapsed: number | undefined;
    readonly health: string;
  }): Promise<Verdict> {
    const { attack, victim, elapsed, health } = seen;
    const { operator } = this;
    const died = !operator.isRunning;
    const peak = died ? 0 : peakKib(operator.pid);
    const metrics = died || elapsed === undefined ? '' : await operator.metrics();
    const end = died ? 'the process had ended before' : await this.#end();
    const tenants = [...attack.tenants, victim.tenant];
    const objects = await Promise.all(tenants.map(async (tenant) => saidAbout(tenant)));
    const places = { log: operator.logs(), metrics, status: JSON.stringify(objects) };
    const canaries = [...attack.canaries, ...victim.canaries];
    return {
      victim: elapsed === undefined ? `no result in ${seconds(this.#deadlineMs)} s` : UNHARMED.victim,
      memory: peak <= RSS_LIMIT_KIB ? UNHARMED.memory : `${Math.round(peak / 1024)} MiB`,
      health,
      end,
      leaks: Object.entries(places).flatMap(([place, text]) =>
        canaries
          .filter((canary) => findCanary(canary, Buffer.from(text)).length > 0)
          .map(({ name }) => `${name} in ${place}`),
      ),
      controlCharacters: textsOf(objects).filter(hasControlCharacter),
      strayOutput: operator
        .logs()
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('{')),
    };
  }

  async #end(): Promise<string> {
    const { operator } = this;
    const start = performance.now();
    operator.signal('SIGTERM');
    const timeout = AbortSignal.timeout(END_DEADLINE_MS);
    const late = new Promise<undefined>((resolve) => {
      timeout.addEventListener('abort', () => resolve(undefined));
    });
    const exit = await Promise.race([operator.exited, late]);
    if (exit === undefined) return `still running ${seconds(performance.now() - start)} s after SIGTERM`;
    return exit.code === 0 ? UNHARMED.end : `exit ${exit.code ?? exit.signal ?? ''}`;
  }
}

/** The highest resident set so far where the kernel keeps it, else the current one. */
function peakKib(pid: number): number {
  const file = `/proc/${pid}/status`;
  const text = existsSync(file)
    ? /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(file, 'utf8'))?.[1]
    : execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  return Number(text);
}

/** What the operator wrote about the objects of a namespace: their status, reports and events. */
async function saidAbout({ cluster, namespace }: Tenant): Promise<readonly unknown[]> {
  const base = `/apis/${API_VERSION}/namespaces/${namespace}`;
  const statuses = [KINDS.SecretBackend, KINDS.SecretMigration, KINDS.SecretMigrationReport].map(
    async ({ plural }) => {
      const list = await cluster.kube<{ items: { status?: unknown; report?: unknown }[] }>(
        'GET',
        `${base}/${plural}`,
      );
      return list.items.map(({ status, report }) => ({ status, report }));
    },
  );
  const events = cluster.kube<StoredList<EventsV1Event>>(
    'GET',
    `/apis/events.k8s.io/v1/namespaces/${namespace}/events`,
  );
  return [await Promise.all(statuses), (await events).items.map(({ note }) => note)];
}

function textsOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => [key, ...textsOf(member)]);
}

function hasControlCharacter(text: string): boolean {
  return /\p{Cc}/u.test(text);
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}

/** One arena for the attacks of a file. */
export function useArena(): () => Arena {
  let arena: Arena | undefined;
  beforeAll(async () => {
    arena = await Arena.open();
  });
  afterAll(async () => {
    await arena?.[Symbol.asyncDispose]();
  });
  return () => {
    if (arena === undefined) throw new Error('the arena is opened before the first attack');
    return arena;
  };
}
