import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attachNode, type Node } from '#test/cluster/node/node.ts';
import type { RunningPod } from '#test/cluster/node/pod.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { eventually } from '#test/support/eventually.ts';

const cluster = sharedCluster();
/** No text, and with a NUL: a file must carry any bytes. An environment cannot. */
const ANY_BYTES = Buffer.from([0xff, 0x00, 0x0a, 0xfe]);

let node: Node;
let namespace: string;
let pod: RunningPod;

async function createSecret(name: string, data: Readonly<Record<string, Buffer>>): Promise<void> {
  await cluster.kube('POST', `/api/v1/namespaces/${namespace}/secrets`, {
    metadata: { name },
    data: toBase64(data),
  });
}

function toBase64(data: Readonly<Record<string, Buffer>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, value.toString('base64')]));
}

beforeAll(async () => {
  node = attachNode(cluster);
  namespace = await cluster.createNamespace('pods');
  await createSecret('database', { user: Buffer.from('app'), password: Buffer.from('päss\nword ') });
  await createSecret('keystore', { 'key.bin': ANY_BYTES, empty: Buffer.alloc(0) });
  pod = await node.runPod({
    namespace,
    name: 'workload',
    env: { KF_PASSWORD: { secret: 'database', key: 'password' } },
    envFrom: ['database'],
    volumes: ['keystore'],
  });
});

afterAll(async () => {
  await pod?.delete();
  await cluster.deleteNamespace(namespace);
  await cluster.dispose();
});

describe('a pod on the real node', () => {
  it('finds keys of a Secret in its environment, one by one and all at once', () => {
    expect(pod.printed.env).toEqual({
      KF_PASSWORD: Buffer.from('päss\nword '),
      KF_user: Buffer.from('app'),
      KF_password: Buffer.from('päss\nword '),
    });
  });

  it('finds the keys of a Secret as files, byte for byte', () => {
    expect(pod.printed.files).toEqual({ 'keystore/key.bin': ANY_BYTES, 'keystore/empty': Buffer.alloc(0) });
  });

  it('shows its log, one line, through the apiserver', async () => {
    expect((await pod.logs()).trimEnd().split('\n')).toHaveLength(1);
  });

  it('runs a command, and says how it failed', async () => {
    expect(await pod.look()).toEqual(pod.printed);
    expect((await pod.exec(['/no/such/program'])).code).not.toBe(0);
  });

  it('sees a changed Secret in its files, and the environment of its start', async () => {
    const rotated = Buffer.from('rotated');
    await createSecret('rotating', { token: Buffer.from('first') });
    const rotating = await node.runPod({
      namespace,
      name: 'rotating',
      envFrom: ['rotating'],
      volumes: ['rotating'],
    });
    await cluster.kube(
      'PATCH',
      `/api/v1/namespaces/${namespace}/secrets/rotating`,
      { data: toBase64({ token: rotated }) },
      { 'content-type': 'application/merge-patch+json' },
    );
    const seen = await eventually('the file has changed', async () => {
      const content = await rotating.look();
      return content.files['rotating/token']?.equals(rotated) === true && content;
    });
    expect(seen.env).toEqual({ KF_token: Buffer.from('first') });
    await rotating.delete();
  });

  it('is gone with its name free once it is deleted', async () => {
    const request = { namespace, name: 'again', envFrom: ['database'] };
    const first = await node.runPod(request);
    await first.delete();
    const second = await node.runPod(request);
    expect(second.printed).toEqual(first.printed);
    await second.delete();
  });
});
