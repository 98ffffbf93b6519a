import { API_VERSION } from '#src/api/group.ts';
import { eventually } from '#test/support/eventually.ts';
import type { JsonReply } from './json-client.ts';

/** The list of the administrator in a test: what harness, tests and samples use. */
const ADDRESSES = [
  'https://127.0.0.1:*',
  'http://127.0.0.1:*',
  'https://[::1]:*',
  'https://bao.example:*',
  'https://bao.example.com:8200',
  'https://openbao.openbao.svc:8200',
  'https://10.20.30.40:8200',
  'https://*.wild.example:8443',
  'https://default.example',
];
const LISTED = 'https://127.0.0.1:1';
const NOT_LISTED = 'https://not-listed.example:1';
const SETTINGS = '/api/v1/namespaces/keyferry-system/configmaps/keyferry-admission';
const BACKENDS = `/apis/${API_VERSION}/namespaces/default/secretbackends?dryRun=All`;

/** What is needed of a cluster here; `Cluster` has it. */
interface ClusterAccess {
  kube<T>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<T>;
  readonly kubeClient: { reply(method: string, path: string, body?: unknown): Promise<JsonReply> };
}

/** Sets keys of keyferry-admission, as an administrator does. */
export async function setAdmission(
  cluster: ClusterAccess,
  data: Readonly<Record<string, string | null>>,
): Promise<void> {
  await cluster.kube('PATCH', SETTINGS, { data }, { 'content-type': 'application/merge-patch+json' });
}

/** Allows the addresses of the harness, and waits until the list is in force. */
export async function allowHarnessAddresses(cluster: ClusterAccess): Promise<void> {
  await setAdmission(cluster, { addresses: ADDRESSES.join('\n') });
  await untilAdmissionWorks(cluster, LISTED);
}

/** Allows one more address, and waits until it is in force. */
export async function allowAddress(cluster: ClusterAccess, address: string): Promise<void> {
  await setAdmission(cluster, { addresses: [...ADDRESSES, address].join('\n') });
  await untilAdmissionWorks(cluster, address);
}

/**
 * Waits until the apiserver asks the policies of config/admission and knows that `listed` is on the list: it reads both a
 * moment after they were written.
 */
export async function untilAdmissionWorks(cluster: ClusterAccess, listed: string): Promise<void> {
  const statusOf = async (address: string): Promise<number> => {
    const auth = { token: { secretRef: { name: 'none' } } };
    const spec = { type: 'openbao', openbao: { address, auth } };
    const object = { apiVersion: API_VERSION, kind: 'SecretBackend', metadata: { name: 'list' }, spec };
    return (await cluster.kubeClient.reply('POST', BACKENDS, object)).status;
  };
  await eventually('the admission policies work', async () => {
    const [known, unknown] = [await statusOf(listed), await statusOf(NOT_LISTED)];
    if (known === 201 && unknown === 403) return true;
    throw new Error(`HTTP ${known} for a listed address, ${unknown} for another`);
  });
}
