import { startOperator, type OperatorProcess } from '#test/support/operator-process.ts';
import { bareCreation, barePush, bareReads, bareRemoval } from '../bare.ts';
import { KEYS } from '../documents.ts';
import { seconds } from '../lanes.ts';
import { aPlace, inSetting, type Bench, type Place, type Setting } from '../setting.ts';
import { again, pull, push, removal, type Job } from '../steps.ts';
import { forgetPeak, peakMiBOf } from '../usage.ts';

type Step = 'push' | 'push-again' | 'pull' | 'pull-again' | 'removal';

/** Secrets → KV, KV → Secrets, both again, and a removal, at each size: a cluster and an operator a size. */
export const copy = {
  name: 'copy',
  run: async (bench: Bench): Promise<void> => {
    for (const size of bench.extent.sizes) {
      await bench.findings.attempt(`copy of ${size}`, async () =>
        inSetting(async (setting) => {
          await using operator = await startOperator(setting.cluster, { logLevel: 'info' });
          for (let round = 1; round <= (size > 1_000 ? 1 : bench.extent.rounds); round += 1)
            await new Round(bench, setting, operator, size).run();
        }),
      );
    }
  },
};

interface Work {
  readonly ours: () => Promise<void>;
  /** Resolves with the seconds of the loop alone. */
  readonly bare: () => Promise<number>;
}

/** Each step beside its bare loop, right before or after it. What one step makes, the next one takes. */
class Round {
  readonly #bench: Bench;
  readonly #setting: Setting;
  readonly #operator: OperatorProcess;
  readonly #size: number;
  readonly #done = new Set<Step>();

  constructor(bench: Bench, setting: Setting, operator: OperatorProcess, size: number) {
    this.#bench = bench;
    this.#setting = setting;
    this.#operator = operator;
    this.#size = size;
  }

  async run(): Promise<void> {
    const { api } = this.#setting;
    const size = this.#size;
    await using here = await aPlace(this.#setting);
    await using there = await aPlace(this.#setting);
    const [mine, theirs] = [here.tenant.namespace, there.tenant.namespace];
    const [job, other] = [this.#job(here), this.#job(there)];
    const created = await seconds(async () => bareCreation(api, mine, size));
    await this.#step('push', [], {
      ours: async () => push(job),
      bare: async () => seconds(async () => barePush(there.folder, size)),
    });
    await this.#step('push-again', ['push'], {
      ours: async () => again(job, 'push'),
      bare: async () => seconds(async () => bareReads(here.folder, api, mine, size)),
    });
    await this.#step('pull', ['push'], {
      ours: async () => pull(other),
      bare: async () => Promise.resolve(created),
    });
    await this.#step('pull-again', ['pull'], {
      ours: async () => again(other, 'pull'),
      bare: async () => seconds(async () => bareReads(there.folder, api, theirs, size)),
    });
    await this.#step('removal', ['push', 'pull'], {
      ours: async () => removal(job),
      bare: async () => {
        await other.tenant.delete('SecretMigration', 'pull');
        return await seconds(async () => bareRemoval(there.folder, api, theirs, size));
      },
    });
  }

  #job({ tenant }: Place): Job {
    return { tenant, watch: this.#setting.watch, keys: this.#size * KEYS };
  }

  /** A failure is noted, and what needs the result is not tried. */
  async #step(name: Step, needs: readonly Step[], { bare, ours }: Work): Promise<void> {
    const { findings } = this.#bench;
    await findings.attempt(`${name} of ${this.#size}`, async () => {
      const missing = needs.filter((step) => !this.#done.has(step));
      if (missing.length > 0) throw new Error(`not tried, because ${missing.join(' and ')} failed`);
      forgetPeak(this.#operator);
      const taken = await seconds(ours);
      findings.add(`${name}-rss`, this.#size, peakMiBOf(this.#operator));
      findings.add(name, this.#size, { ours: taken, bare: await bare() });
      this.#done.add(name);
    });
  }
}
