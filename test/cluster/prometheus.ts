import { execFile } from 'node:child_process';
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { request } from 'undici';
import { z } from 'zod';
import { eventually } from '#test/support/eventually.ts';
import { cacheFolder } from './binaries.ts';
import { findInPath, isExecutable } from './executable.ts';
import { freePorts } from './ports.ts';
import { signalGroup, startProcess } from './processes.ts';

const run = promisify(execFile);

/** Absolute paths. */
export interface PrometheusPrograms {
  readonly prometheus: string;
  readonly promtool: string;
}

/**
 * Finds both programs: in KEYFERRY_PROMETHEUS_BIN and KEYFERRY_PROMTOOL_BIN, in PATH, or in the cache folder, where the
 * package `prometheus` of Debian or Ubuntu is unpacked once. That needs neither root nor an installation, and starts no
 * service. Where apt-get is not there either, the error says what to install.
 */
export async function findPrometheus(environment = process.env): Promise<PrometheusPrograms> {
  const unpacked = join(cacheFolder(environment), 'prometheus-debian');
  const find = async (name: string, variable: string): Promise<string | undefined> => {
    const [inPath] = await findInPath(name, environment);
    const candidates = [environment[variable], inPath, join(unpacked, 'usr', 'bin', name)];
    for (const candidate of candidates)
      if (candidate !== undefined && (await isExecutable(candidate))) return candidate;
    return undefined;
  };
  const both = async (): Promise<PrometheusPrograms | undefined> => {
    const prometheus = await find('prometheus', 'KEYFERRY_PROMETHEUS_BIN');
    const promtool = await find('promtool', 'KEYFERRY_PROMTOOL_BIN');
    return prometheus === undefined || promtool === undefined ? undefined : { prometheus, promtool };
  };
  const found = await both();
  if (found !== undefined) return found;
  await unpackFromDebian(unpacked);
  const now = await both();
  if (now === undefined) throw new Error(`The package has no prometheus or promtool (${unpacked}).`);
  return now;
}

async function unpackFromDebian(target: string): Promise<void> {
  await mkdir(join(target, '..'), { recursive: true });
  const folder = await mkdtemp(`${target}.partial-`);
  try {
    await download(folder);
    const [archive = ''] = (await readdir(folder)).filter((name) => name.endsWith('.deb'));
    const tree = join(folder, 'tree');
    await run('dpkg-deb', ['-x', join(folder, archive), tree]);
    if (!existsSync(target)) await rename(tree, target);
  } catch (error) {
    throw new Error(
      'Prometheus is missing and its Debian package cannot be fetched. Install Prometheus 2.40 or newer with promtool (`apt-get install prometheus`, `brew install prometheus`), or set KEYFERRY_PROMETHEUS_BIN and KEYFERRY_PROMTOOL_BIN.',
      { cause: error },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** With lists of its own, because only root may write those of the machine. apt checks the signature and the digest. */
async function download(folder: string): Promise<void> {
  const state = join(folder, 'apt');
  await mkdir(join(state, 'lists', 'partial'), { recursive: true });
  await mkdir(join(state, 'cache', 'archives', 'partial'), { recursive: true });
  const options = [
    `Dir::State::lists=${join(state, 'lists')}`,
    `Dir::Cache=${join(state, 'cache')}`,
    'APT::Sandbox::User=',
    'Debug::NoLocking=true',
  ].flatMap((option) => ['-o', option]);
  await run('apt-get', [...options, 'update', '-qq'], { cwd: folder });
  await run('apt-get', [...options, 'download', '-qq', 'prometheus'], { cwd: folder });
}

export interface Alert {
  readonly name: string;
  readonly state: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

const TextsSchema = z.record(z.string(), z.string());
const AlertsSchema = z.object({
  data: z.object({
    alerts: z.array(z.object({ state: z.string(), labels: TextsSchema, annotations: TextsSchema })),
  }),
});
const QuerySchema = z.object({
  status: z.string(),
  error: z.string().optional(),
  data: z.object({ result: z.array(z.unknown()) }).optional(),
});

/** A running Prometheus that scrapes every half second and evaluates rules as often. Its folder is below `home`. */
export class Prometheus implements AsyncDisposable {
  readonly #url: string;
  readonly #targets: string;
  readonly #pid: number;

  private constructor(url: string, targets: string, pid: number) {
    this.#url = url;
    this.#targets = targets;
    this.#pid = pid;
  }

  /** `rules`: the text of a rule file. `home`: the folder of a cluster, whose reaper ends it at the latest. */
  static async start(programs: PrometheusPrograms, home: string, rules: string): Promise<Prometheus> {
    const folder = join(home, 'prometheus');
    await mkdir(folder, { recursive: true });
    const targets = join(folder, 'targets.json');
    writeFileSync(targets, '[]');
    writeFileSync(join(folder, 'rules.yaml'), rules);
    writeFileSync(join(folder, 'prometheus.yaml'), configuration(folder));
    const [port] = await freePorts(1);
    const { pid } = startProcess(home, {
      name: 'prometheus',
      command: programs.prometheus,
      args: [
        `--config.file=${join(folder, 'prometheus.yaml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
    });
    const prometheus = new Prometheus(`http://127.0.0.1:${port}`, targets, pid);
    await eventually('Prometheus is ready', async () => (await prometheus.#get('/-/ready')).status === 200);
    return prometheus;
  }

  /** Scrapes these replicas from now on, and no other. */
  scrape(...metricsUrls: readonly string[]): void {
    const hosts = metricsUrls.map((url) => new URL(url).host);
    writeFileSync(`${this.#targets}.new`, JSON.stringify([{ targets: hosts }]));
    renameSync(`${this.#targets}.new`, this.#targets);
  }

  async alerts(): Promise<readonly Alert[]> {
    const { text } = await this.#get('/api/v1/alerts');
    const { alerts } = AlertsSchema.parse(JSON.parse(text)).data;
    return alerts.map((alert) => ({ ...alert, name: alert.labels['alertname'] ?? '' }));
  }

  /** How many series the expression has now. Throws with the message of Prometheus if it does not parse. */
  async count(expression: string): Promise<number> {
    const { text } = await this.#get(`/api/v1/query?query=${encodeURIComponent(expression)}`);
    const { status, error, data } = QuerySchema.parse(JSON.parse(text));
    if (status !== 'success') throw new Error(`${expression}: ${error ?? status}`);
    return data?.result.length ?? 0;
  }

  async #get(path: string): Promise<{ readonly status: number; readonly text: string }> {
    const reply = await request(`${this.#url}${path}`);
    return { status: reply.statusCode, text: await reply.body.text() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    signalGroup(this.#pid, 'SIGKILL');
    return Promise.resolve();
  }
}

function configuration(folder: string): string {
  return JSON.stringify({
    global: { scrape_interval: '500ms', scrape_timeout: '400ms', evaluation_interval: '500ms' },
    rule_files: [join(folder, 'rules.yaml')],
    scrape_configs: [
      {
        job_name: 'keyferry',
        honor_labels: true,
        file_sd_configs: [{ files: [join(folder, 'targets.json')], refresh_interval: '1s' }],
      },
    ],
  });
}
