import type { CoreV1Event, V1Pod } from '@kubernetes/client-node';
import type { Stored, StoredList } from '#src/kube/wire.ts';
import { z } from 'zod';
import { eventually, GiveUp } from '#test/support/eventually.ts';
import type { Cluster } from '../cluster.ts';
import type { KubectlResult } from '../kubectl.ts';
import { WORKLOAD_IMAGE, WORKLOAD_PROGRAM } from './images.ts';

const START_DEADLINE_MS = 60_000;
const GRACE_SECONDS = 5;

/** A pod that shows what it resolves from Secrets. */
export interface PodRequest {
  readonly namespace: string;
  readonly name: string;
  /** Variable → key of a Secret. The pod shows variables whose name starts with KF_. */
  readonly env?: Readonly<Record<`KF_${string}`, { readonly secret: string; readonly key: string }>>;
  /** Secrets of which each key becomes a variable, KF_ and its name. */
  readonly envFrom?: readonly string[];
  /** Secrets that become folders, /etc/kf/<name of the Secret>. */
  readonly volumes?: readonly string[];
}

type PodPlace = Pick<PodRequest, 'namespace' | 'name'>;

/** What a pod finds: variable → bytes, and `<Secret>/<key>` → bytes of the file. */
export interface PodContent {
  readonly env: Readonly<Record<string, Buffer>>;
  readonly files: Readonly<Record<string, Buffer>>;
}

const Base64 = z.string().transform((text) => Buffer.from(text, 'base64'));
const ContentSchema = z.object({ env: z.record(z.string(), Base64), files: z.record(z.string(), Base64) });

/** A pod of the workload image that has started. */
export class RunningPod {
  readonly namespace: string;
  readonly name: string;
  /** What it found when it started, as its log says. */
  readonly printed: PodContent;
  readonly #cluster: Cluster;

  constructor(cluster: Cluster, request: PodRequest, printed: PodContent) {
    this.namespace = request.namespace;
    this.name = request.name;
    this.printed = printed;
    this.#cluster = cluster;
  }

  /** What it finds now: variables never change, files follow the Secret within seconds. */
  async look(): Promise<PodContent> {
    const result = await this.exec([WORKLOAD_PROGRAM, 'print']);
    if (result.code !== 0) throw new Error(`exec in pod ${this.name}: ${result.stderr}`);
    return parseContent(result.stdout);
  }

  /** Runs a command in the pod, which holds nothing but the workload's own program. */
  async exec(command: readonly string[]): Promise<KubectlResult> {
    return await this.#cluster.kubectl(['exec', '-n', this.namespace, this.name, '--', ...command]);
  }

  async logs(): Promise<string> {
    return await readLog(this.#cluster, this);
  }

  /** Resolves when the kubelet has stopped it and unmounted its volumes. */
  async delete(): Promise<void> {
    await deletePod(this.#cluster, this);
  }
}

/** Creates the pod and waits until it has printed what it found. Throws with the pod's events when it does not start. */
export async function runPod(
  cluster: Cluster,
  request: PodRequest,
  hasSeccomp: boolean,
): Promise<RunningPod> {
  await cluster.kube(
    'POST',
    `/api/v1/namespaces/${request.namespace}/pods`,
    podManifest(request, hasSeccomp),
  );
  try {
    return new RunningPod(cluster, request, parseContent(await firstLine(cluster, request)));
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    throw new Error([what, ...(await eventsOf(cluster, request))].join('\n'), { cause: error });
  }
}

async function firstLine(cluster: Cluster, place: PodPlace): Promise<string> {
  return await eventually(
    `pod ${place.namespace}/${place.name} has printed what it found`,
    async () => {
      const pod = await cluster.kube<Stored<V1Pod>>('GET', podPath(place));
      if (pod.status?.phase === 'Failed') throw new GiveUp(`pod ${place.namespace}/${place.name} failed`);
      if (pod.status?.phase !== 'Running') return false;
      const log = await readLog(cluster, place);
      return log.endsWith('\n') && log;
    },
    { deadlineMs: START_DEADLINE_MS, pollMs: 100 },
  );
}

/** What kubelet and scheduler say about the pod: why it does not start. */
async function eventsOf(cluster: Cluster, pod: PodPlace): Promise<readonly string[]> {
  const events = await cluster.kube<StoredList<CoreV1Event>>(
    'GET',
    `/api/v1/namespaces/${pod.namespace}/events?fieldSelector=involvedObject.name%3D${pod.name}`,
  );
  return events.items.map(({ reason, message }) => `${reason}: ${message}`);
}

/** Deletes the pod and waits until the kubelet has confirmed that it is gone; none of that name is no error. */
export async function deletePod(cluster: Cluster, pod: PodPlace): Promise<void> {
  await cluster.kubeClient.reply('DELETE', podPath(pod), { gracePeriodSeconds: GRACE_SECONDS });
  await eventually(
    `pod ${pod.namespace}/${pod.name} is gone`,
    async () => (await cluster.kubeClient.reply('GET', podPath(pod))).status === 404,
  );
}

async function readLog(cluster: Cluster, pod: PodPlace): Promise<string> {
  const result = await cluster.kubectl(['logs', '-n', pod.namespace, pod.name]);
  if (result.code !== 0) throw new Error(`logs of pod ${pod.name}: ${result.stderr}`);
  return result.stdout;
}

function parseContent(text: string): PodContent {
  return ContentSchema.parse(JSON.parse(text));
}

function podPath({ namespace, name }: PodPlace): string {
  return `/api/v1/namespaces/${namespace}/pods/${name}`;
}

/** As strict as the profile "restricted" of the Pod Security Standards; see `Node.hasSeccomp` for its last part. */
function podManifest(request: PodRequest, hasSeccomp: boolean): object {
  const volumes = request.volumes ?? [];
  const container = {
    name: 'workload',
    image: WORKLOAD_IMAGE,
    imagePullPolicy: 'Never',
    env: Object.entries(request.env ?? {}).map(([name, { secret, key }]) => ({
      name,
      valueFrom: { secretKeyRef: { name: secret, key } },
    })),
    envFrom: (request.envFrom ?? []).map((name) => ({ prefix: 'KF_', secretRef: { name } })),
    volumeMounts: volumes.map((name) => ({ name, mountPath: `/etc/kf/${name}`, readOnly: true })),
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
  };
  return {
    metadata: { name: request.name },
    spec: {
      containers: [container],
      volumes: volumes.map((name) => ({ name, secret: { secretName: name } })),
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 65532,
        ...(hasSeccomp ? { seccompProfile: { type: 'RuntimeDefault' } } : {}),
      },
      dnsPolicy: 'Default',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: GRACE_SECONDS,
    },
  };
}
