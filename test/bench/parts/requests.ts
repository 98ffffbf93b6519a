import type { MeasureName } from '#src/generate/performance-record.ts';
import { startOperator } from '#test/support/operator-process.ts';
import { startProxy, type RecordingProxy } from '#test/support/recording-proxy.ts';
import { bareCreation, barePush } from '../bare.ts';
import { KEYS } from '../documents.ts';
import { aPlace, inSetting, type Bench, type Setting } from '../setting.ts';
import { again, pull, push, removal, type Job } from '../steps.ts';

/** As `nameOf` names them. */
const OF_A_DOCUMENT = /\/s-\d{6}$/;

/** Requests of a document at both servers, counted by proxies in front of them; not timed. */
export const requests = {
  name: 'requests',
  run: async (bench: Bench): Promise<void> => {
    await inSetting(async (setting) => {
      await using api = await startProxy(setting.cluster, 'apiserver');
      await using kv = await startProxy(setting.cluster, 'bao');
      await using _operator = await startOperator(setting.cluster, {
        apiserverUrl: api.url,
        logLevel: 'info',
      });
      const counter = new Counter(bench, { api, kv });
      await plain(counter, setting);
      await typed(counter, setting);
    });
  },
};

async function plain(counter: Counter, setting: Setting): Promise<void> {
  const { counted, kvUrl } = counter;
  await using here = await aPlace(setting, kvUrl);
  await using there = await aPlace(setting, kvUrl);
  const job: Job = { tenant: here.tenant, watch: setting.watch, keys: counted * KEYS };
  const other: Job = { ...job, tenant: there.tenant };
  await bareCreation(setting.api, here.tenant.namespace, counted);
  await barePush(there.folder, counted);
  await counter.during('push', async () => push(job));
  await counter.during('push-again', async () => again(job, 'push'));
  await counter.during('pull', async () => pull(other));
  await counter.during('pull-again', async () => again(other, 'pull'));
  await counter.during('removal', async () => removal(job));
}

async function typed(counter: Counter, setting: Setting): Promise<void> {
  await using place = await aPlace(setting, counter.kvUrl);
  const { namespace } = place.tenant;
  await bareCreation(setting.api, namespace, counter.counted, 'typed');
  const keys = counter.counted * (KEYS + 1);
  await counter.during('push-typed', async () => push({ tenant: place.tenant, watch: setting.watch, keys }));
}

type Step = 'push' | 'push-again' | 'pull' | 'pull-again' | 'removal' | 'push-typed';

class Counter {
  readonly #bench: Bench;
  readonly #proxies: { readonly api: RecordingProxy; readonly kv: RecordingProxy };

  constructor(bench: Bench, proxies: { readonly api: RecordingProxy; readonly kv: RecordingProxy }) {
    this.#bench = bench;
    this.#proxies = proxies;
  }

  get counted(): number {
    return this.#bench.extent.counted;
  }

  get kvUrl(): string {
    return this.#proxies.kv.url;
  }

  /** Adds the requests of a document during the work. A failure is noted. */
  async during(step: Step, work: () => Promise<void>): Promise<void> {
    const { findings } = this.#bench;
    await findings.attempt(`requests of ${step}`, async () => {
      const before = this.#counts();
      await work();
      const after = this.#counts();
      const each = (name: MeasureName, count: number): void =>
        findings.add(name, this.counted, count / this.counted);
      each(`${step}-kv`, after.kv - before.kv);
      if (step !== 'push-typed') each(`${step}-api`, after.api - before.api);
    });
  }

  /**
   * At KV those for a document, its metadata included: folders and rights are asked for once a run. At the API all but the Lease,
   * which is renewed anyway.
   */
  #counts(): { readonly kv: number; readonly api: number } {
    return {
      kv: this.#proxies.kv.count({ path: OF_A_DOCUMENT }),
      api: this.#proxies.api.count(({ path }) => !path.includes('/leases/')),
    };
  }
}
