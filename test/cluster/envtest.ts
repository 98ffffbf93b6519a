import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isReachable } from './published.ts';

const run = promisify(execFile);

/** What setup-envtest uses when nobody names another index (its remote/http_client.go). */
const INDEX = 'https://raw.githubusercontent.com/kubernetes-sigs/controller-tools/HEAD/envtest-releases.yaml';
const DOWNLOAD_TIMEOUT_MS = 600_000;

/** `fetchEnvtest` takes its programs from here. */
export interface EnvtestRequest {
  /** `1.37` */
  readonly minor: string;
  readonly folder: string;
  readonly environment: NodeJS.ProcessEnv;
}

/**
 * Downloads the newest published etcd, kube-apiserver and kubectl of a Kubernetes minor with setup-envtest, which compares each
 * archive with the SHA-512 of its index. KEYFERRY_ENVTEST_INDEX names another index. Throws with the reason, after 2 s when
 * the index cannot be reached.
 */
export async function fetchEnvtest({ minor, folder, environment }: EnvtestRequest): Promise<void> {
  const index = environment['KEYFERRY_ENVTEST_INDEX'] ?? INDEX;
  if (!(await isReachable(index))) throw new Error(`${index} cannot be reached`);
  const args = [
    'tool',
    'setup-envtest',
    'use',
    `${minor}.x`,
    '--bin-dir',
    folder,
    '--index',
    index,
    '-p',
    'path',
  ];
  await run('go', args, {
    cwd: join(import.meta.dirname, 'envtest'),
    env: { ...environment, GOFLAGS: '-mod=readonly' },
    timeout: DOWNLOAD_TIMEOUT_MS,
  });
}

/** The programs of this name that `fetchEnvtest` has put into the folder for this minor. */
export async function envtestPrograms(
  name: string,
  minor: string,
  folder: string,
): Promise<readonly string[]> {
  // As its store/store.go lays them out: k8s/1.37.0-linux-amd64/etcd.
  const releases = await readdir(join(folder, 'k8s')).catch(() => []);
  return releases
    .filter((release) => release.startsWith(`${minor}.`))
    .map((release) => join(folder, 'k8s', release, name));
}
