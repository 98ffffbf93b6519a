import { isJsonObject } from '#src/kube/json.ts';
import type { Examined, Finding } from './finding.ts';

/** Minors of Kubernetes 1 that Keyferry is tested with: docs/compatibility.md. */
export const TESTED_MINORS = { least: 35, most: 37 } as const;

/** The API server answers, and has a version that Keyferry is tested with. Throws if it does not answer. */
export async function checkVersions({ cluster, version }: Examined): Promise<readonly Finding[]> {
  const { client, signal } = cluster;
  const reply = await client.request({
    method: 'GET',
    path: '/version',
    op: 'doctor.version',
    target: 'API server',
    signal,
  });
  const git =
    isJsonObject(reply) && typeof reply['gitVersion'] === 'string' ? reply['gitVersion'] : 'unknown';
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(git) ?? [];
  const { least, most } = TESTED_MINORS;
  const isTested = major === '1' && Number(minor) >= least && Number(minor) <= most;
  const range = `1.${least} to 1.${most}`;
  const found = `Kubernetes ${git}, keyferry ${version}.`;
  if (isTested) return [{ level: 'ok', check: 'versions', found }];
  return [
    {
      level: 'warning',
      check: 'versions',
      found: `${found} It is tested with Kubernetes ${range}.`,
      fix: 'kubectl version    # then upgrade the cluster, or use a release of keyferry for it',
    },
  ];
}
