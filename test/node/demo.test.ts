import { execFileSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findHelm } from '#test/cluster/helm-tools.ts';
import { KUBERNETES_SERVICE_ADDRESS } from '#test/cluster/identities.ts';
import { writeImage } from '#test/cluster/node/images.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { readState } from '#test/cluster/state.ts';
import {
  installChart,
  migrate,
  rotate,
  setUpOpenBao,
  startOpenBao,
  type Place,
} from '#test/support/demo-in-pods.ts';
import { hasBuildah } from '#test/support/image-archive.ts';
import { Site } from './site.ts';

/* What `make kind` runs in a kind cluster, here with the node of the harness, its KV server and the shell of this machine. */

const IMAGE = 'keyferry.test/openbao:1';
/** The user of the pods. */
const USER = 65_532;

const suite = sharedCluster();
let site: Site;
let place: Place;

afterAll(async () => suite.dispose());

describe.skipIf(!hasBuildah)('the scenario of make kind', () => {
  beforeAll(async () => {
    site = await Site.open(suite);
    await site.node.importImage(await serverImage());
    await site.node.offerVolume('openbao-data', USER);
    place = await placeOf(site);
  });
  afterAll(async () => {
    await site?.[Symbol.asyncDispose]();
  });

  it('has its KV server in a pod, the operator from the chart, and a workload that reads the migrated values', async () => {
    const api = { 'kubernetes.default.svc': KUBERNETES_SERVICE_ADDRESS };
    site.node.serveNames(api);
    await startOpenBao(place);
    site.node.serveNames({ ...api, 'openbao.openbao.svc': await addressOfServer() });
    await setUpOpenBao(place);
    await installChart(place);
    const seen = await migrate(place);
    expect(seen).toMatch(/^secretmigration\S*payments\s/m);
    expect(seen).toMatch(/^secret\/database\s/m);
  });

  it('rotates a value in OpenBao, and a pod that runs sees it in its file', async () => {
    await rotate(place);
  });

  it('can be run again', async () => {
    await setUpOpenBao(place);
    await installChart(place);
    await migrate(place);
  });
});

async function placeOf({ cluster, node, folder }: Site): Promise<Place> {
  const setup = { kubeconfig: cluster.kubeconfigPath, home: folder };
  return {
    kubectl: { ...setup, program: readState(cluster.stateFile).kubectl },
    helm: { ...setup, program: await findHelm(4, () => undefined) },
    product: cluster.isOpenBao ? 'openbao' : 'vault',
    adapt: (manifest) => adapted(manifest, { isOpenBao: cluster.isOpenBao, hasSeccomp: node.hasSeccomp }),
    values: node.hasSeccomp ? {} : { podSecurityContext: { seccompProfile: null } },
  };
}

/** The image, and what a Vault or a runc does not have. */
function adapted(
  manifest: string,
  has: { readonly isOpenBao: boolean; readonly hasSeccomp: boolean },
): string {
  const withImage = manifest.replaceAll('OPENBAO_IMAGE', IMAGE);
  const sealed = has.isOpenBao ? withImage : withImage.replace(/"seal": \{.*\},$/m, '"disable_mlock": true,');
  return has.hasSeccomp ? sealed : sealed.replaceAll(/^ +seccompProfile: .*\n/gm, '');
}

/** The KV server as `bao`, a shell and `sleep`, with the libraries that they are linked to. */
async function serverImage(): Promise<string> {
  const shell = realpathSync('/bin/sh');
  const sleep = realpathSync('/bin/sleep');
  const linked = execFileSync('ldd', [shell, sleep], { encoding: 'utf8' });
  const libraries = [...linked.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, path = '']) => path);
  const files = { '/bin/bao': site.cluster.baoProgram, '/bin/sh': shell, '/bin/sleep': sleep };
  return await writeImage(site.folder, {
    name: 'openbao',
    reference: IMAGE,
    files: { ...files, ...Object.fromEntries(libraries.map((path) => [path, realpathSync(path)])) },
  });
}

async function addressOfServer(): Promise<string> {
  const pod = await site.cluster.kube<{ status: { podIP?: string } }>(
    'GET',
    '/api/v1/namespaces/openbao/pods/openbao-0',
  );
  return pod.status.podIP ?? '';
}
