import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Job } from '@kubernetes/client-node';
import type { Stored, StoredList } from '#src/kube/wire.ts';
import { configFolder, OPERATOR_ACCOUNT, uniqueName, type Cluster } from '#test/cluster/cluster.ts';
import { logFileOf, startProcess } from '#test/cluster/processes.ts';
import { eventually } from './eventually.ts';
import { OPERATOR_BUNDLE, OperatorProcess, type OperatorOptions } from './operator-process.ts';

/*
 * The cluster of the tests has no controllers. This plays the one of Jobs, and a kubelet: a process for each index of an Indexed Job,
 * with the arguments and variables of its pod template, and the status that tells what became of them.
 */

const LOOK_MS = 100;
const PROJECT_ROOT = join(import.meta.dirname, '..', '..');
const THIS_MACHINE = '127.0.0.0/8,::1/128';
/** The flag of the operator, for the PodTemplate of config/workers. */
export const WORKER_TEMPLATE = '--worker-template=keyferry-worker';

const JOBS = `/apis/batch/v1/namespaces/${OPERATOR_ACCOUNT.namespace}/jobs`;

type Job = Stored<V1Job>;

/** A process that runs in the place of a pod. */
export interface PlayedPod {
  readonly index: number;
  readonly process: OperatorProcess;
}

export interface PlayOptions extends Pick<OperatorOptions, 'apiserverUrl' | 'args'> {
  /** A pod that fails is made again so often. Default: as its Job says. */
  readonly failures?: number;
}

export class JobPlayer implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #options: PlayOptions;
  readonly #pods = new Map<string, PlayedPod[]>();
  readonly #over = new Set<string>();
  readonly #ending = new AbortController();
  readonly #playing: Promise<void>;
  /** Every pod that there was. */
  readonly pods: PlayedPod[] = [];
  /** Names of all Jobs that were played, in their order. */
  readonly jobs: string[] = [];

  /** With the token of the operator, as a kubelet mounts it. */
  readonly #account: string;

  private constructor(cluster: Cluster, account: string, options: PlayOptions) {
    this.#cluster = cluster;
    this.#account = account;
    this.#options = options;
    this.#playing = this.#play();
  }

  /** Installs config/workers and plays every Job from now on. */
  static async open(cluster: Cluster, options: PlayOptions = {}): Promise<JobPlayer> {
    const { code, stderr } = await cluster.kubectl(['apply', '-k', join(configFolder(), 'workers')]);
    if (code !== 0) throw new Error(stderr);
    const { namespace, name } = OPERATOR_ACCOUNT;
    return new JobPlayer(cluster, await cluster.serviceAccountDirectory(namespace, name), options);
  }

  /** The pods of the Jobs that are there and run. */
  running(): readonly PlayedPod[] {
    return this.pods.filter(({ process }) => process.isRunning);
  }

  async untilRunning(count: number): Promise<readonly PlayedPod[]> {
    return await eventually(`${count} pods run`, async () => {
      const running = this.running();
      return running.length >= count ? running : undefined;
    });
  }

  /** Another pod of an index, beside the one that there is. */
  async twin({ index }: PlayedPod): Promise<PlayedPod> {
    const [job] = await this.#list();
    if (job === undefined) throw new Error('there is no Job');
    return this.#start(job, index);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#playing;
    await Promise.all(this.running().map(async ({ process }) => process.kill()));
  }

  async #play(): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      const jobs = await this.#list();
      for (const job of jobs) await this.#playJob(job);
      this.#endOthers(jobs);
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** The pods of a Job that was deleted end. */
  #endOthers(jobs: readonly Job[]): void {
    const gone = [...this.#pods].filter(([uid]) => !jobs.some(({ metadata }) => metadata.uid === uid));
    for (const [uid, pods] of gone) {
      this.#pods.delete(uid);
      for (const { process } of pods) if (process.isRunning) process.signal('SIGTERM');
    }
  }

  async #playJob(job: Job): Promise<void> {
    const { uid, name } = job.metadata;
    if (this.#over.has(uid)) return;
    if (!this.#pods.has(uid)) this.jobs.push(name);
    const pods = this.#pods.get(uid) ?? [];
    this.#pods.set(uid, pods);
    const completions = job.spec?.completions ?? 0;
    const indexes = Array.from({ length: completions }, (_, index) => index);
    const ends = await Promise.all(indexes.map(async (index) => this.#endOf(job, index)));
    const isEvery = (end: string): readonly number[] => indexes.filter((index) => ends[index] === end);
    const completed = isEvery('completed');
    const failed = isEvery('failed');
    if (completed.length + failed.length < completions) return;
    this.#over.add(uid);
    await this.#tell(job, { completed, failed });
  }

  /** What became of an index; makes its next pod if there is none. */
  async #endOf(job: Job, index: number): Promise<'running' | 'completed' | 'failed'> {
    const ours = (this.#pods.get(job.metadata.uid) ?? []).filter((pod) => pod.index === index);
    if (ours.some(({ process }) => process.isRunning)) return 'running';
    const exits = await Promise.all(ours.map(async ({ process }) => process.exited));
    if (exits.some(({ code }) => code === 0)) return 'completed';
    if (exits.length > (this.#options.failures ?? job.spec?.backoffLimitPerIndex ?? 6)) return 'failed';
    this.#start(job, index);
    return 'running';
  }

  #start(job: Job, index: number): PlayedPod {
    const container = job.spec?.template.spec?.containers.find(({ name }) => name === 'worker');
    if (container === undefined) throw new Error('the template has no worker');
    const identity = uniqueName(`range-${index}`);
    const { apiserverUrl, args = [] } = this.#options;
    const api = new URL(apiserverUrl ?? this.#cluster.apiserverUrl);
    const started = startProcess(this.#cluster.folder, {
      name: identity,
      command: OPERATOR_BUNDLE,
      workingDirectory: PROJECT_ROOT,
      args: [
        ...(container.args ?? []),
        `--service-account-dir=${this.#account}`,
        `--identity=${identity}`,
        '--log-level=debug',
        ...args,
      ],
      environment: {
        PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
        KUBERNETES_SERVICE_HOST: api.hostname,
        KUBERNETES_SERVICE_PORT: api.port,
        KEYFERRY_ALLOW_CONNECT_TO: THIS_MACHINE,
        JOB_COMPLETION_INDEX: String(index),
      },
    });
    const logFile = logFileOf(this.#cluster.folder, identity);
    const pod = {
      index,
      process: new OperatorProcess(started, { identity, logFile, healthUrl: '', metricsUrl: '' }),
    };
    this.pods.push(pod);
    this.#pods.get(job.metadata.uid)?.push(pod);
    return pod;
  }

  async #list(): Promise<readonly Job[]> {
    return (await this.#cluster.kube<StoredList<V1Job>>('GET', JOBS)).items;
  }

  /** What a Job says once it is over; one that was deleted meanwhile says nothing. */
  async #tell(
    { metadata, spec }: Job,
    { completed, failed }: { readonly completed: readonly number[]; readonly failed: readonly number[] },
  ): Promise<void> {
    const now = new Date().toISOString().replace(/\.\d{3}Z$/, 'Z');
    const condition = (type: string): object => ({
      type,
      status: 'True',
      lastProbeTime: now,
      lastTransitionTime: now,
      reason: failed.length > 0 ? 'FailedIndexes' : 'CompletionsReached',
    });
    const types = failed.length > 0 ? ['FailureTarget', 'Failed'] : ['SuccessCriteriaMet', 'Complete'];
    const status = {
      startTime: metadata.creationTimestamp,
      ...(failed.length > 0 ? { failedIndexes: failed.join(',') } : { completionTime: now }),
      completedIndexes:
        completed.length === spec?.completions ? `0-${completed.length - 1}` : completed.join(','),
      succeeded: completed.length,
      ready: 0,
      terminating: 0,
      uncountedTerminatedPods: {},
      conditions: types.map(condition),
    };
    const headers = { 'content-type': 'application/merge-patch+json' };
    const path = `${JOBS}/${metadata.name}/status`;
    const { status: code, body } = await this.#cluster.kubeClient.reply('PATCH', path, { status }, headers);
    if (code !== 200 && code !== 404) throw new Error(JSON.stringify(body));
  }
}
