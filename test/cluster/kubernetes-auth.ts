import { eventually } from '#test/support/eventually.ts';
import { ReplyError } from './json-client.ts';

const REVIEWER = { namespace: 'kube-system', name: 'bao-token-reviewer' } as const;
/** As long as a kept demo may live: nothing renews this token. */
const REVIEWER_TOKEN_SECONDS = 30 * 24 * 3600;

/** What is needed of a cluster here; `Cluster` has it. */
interface ClusterAccess {
  readonly apiserverUrl: string;
  readonly apiserverCaPem: string;
  kube<T>(method: string, path: string, body?: unknown): Promise<T>;
  bao<T>(method: string, path: string, body?: unknown): Promise<T>;
  requestToken(namespace: string, name: string, options: { expirationSeconds: number }): Promise<string>;
}

export interface KubernetesRole {
  /** Name of the role; also of the policy that it gives. */
  readonly role: string;
  readonly serviceAccounts: readonly string[];
  readonly namespaces: readonly string[];
  /** HCL of the policy. */
  readonly policy: string;
  /** Without one, both servers accept a token for any audience. */
  readonly audience?: string;
  /** Default `kubernetes`. */
  readonly mountPath?: string;
  /** Default 1h. */
  readonly tokenTtl?: string;
}

/**
 * Enables the KV server's `kubernetes` auth method against this cluster's apiserver, with a ServiceAccount of its own
 * that may create TokenReviews and nothing else. Calling it again renews the configuration.
 */
export async function enableKubernetesAuth(cluster: ClusterAccess, mountPath = 'kubernetes'): Promise<void> {
  await createReviewer(cluster);
  const mounts = await cluster.bao<Record<string, unknown>>('GET', 'sys/auth');
  if (!Object.hasOwn(mounts, `${mountPath}/`)) {
    await cluster.bao('POST', `sys/auth/${mountPath}`, { type: 'kubernetes' });
  }
  await cluster.bao('POST', `auth/${mountPath}/config`, {
    kubernetes_host: cluster.apiserverUrl,
    kubernetes_ca_cert: cluster.apiserverCaPem,
    token_reviewer_jwt: await cluster.requestToken(REVIEWER.namespace, REVIEWER.name, {
      expirationSeconds: REVIEWER_TOKEN_SECONDS,
    }),
    disable_local_ca_jwt: true,
  });
}

async function createReviewer(cluster: ClusterAccess): Promise<void> {
  await createUnlessExists(cluster, `/api/v1/namespaces/${REVIEWER.namespace}/serviceaccounts`, {
    metadata: { name: REVIEWER.name },
  });
  await createUnlessExists(cluster, '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: REVIEWER.name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:auth-delegator' },
    subjects: [{ kind: 'ServiceAccount', ...REVIEWER }],
  });
}

/** Writes a policy and a role of the `kubernetes` auth method that gives it to these ServiceAccounts. */
export async function createKubernetesRole(cluster: ClusterAccess, role: KubernetesRole): Promise<void> {
  await cluster.bao('PUT', `sys/policies/acl/${role.role}`, { policy: role.policy });
  await cluster.bao('POST', `auth/${role.mountPath ?? 'kubernetes'}/role/${role.role}`, {
    bound_service_account_names: role.serviceAccounts,
    bound_service_account_namespaces: role.namespaces,
    token_policies: [role.role],
    token_ttl: role.tokenTtl ?? '1h',
    ...(role.audience === undefined ? {} : { audience: role.audience }),
  });
}

/** POSTs the object; one that is already there stays as it is. */
async function createUnlessExists(cluster: ClusterAccess, path: string, object: object): Promise<void> {
  try {
    await cluster.kube('POST', path, object);
  } catch (error) {
    if (!(error instanceof ReplyError && error.status === 409)) throw error;
  }
}

/** Waits until the namespace controller has given the namespace its default ServiceAccount. */
export async function waitForServiceAccount(
  cluster: ClusterAccess,
  namespace: string,
  name: string,
): Promise<void> {
  await eventually(`ServiceAccount ${namespace}/${name} exists`, () =>
    cluster.kube('GET', `/api/v1/namespaces/${namespace}/serviceaccounts/${name}`),
  );
}
