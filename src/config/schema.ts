import { isIP } from 'node:net';
import { z } from 'zod';

/**
 * Every setting of the operator: its type, its default, and the description that `--help` prints. The flag is the
 * kebab-case of the key (`leaderElection` → `--leader-election`); the variable is the flag in upper case with the prefix
 * `KEYFERRY_` (`KEYFERRY_LEADER_ELECTION`). A flag takes precedence over its variable, the variable over the default.
 */
export const ConfigSchema = z.object({
  kubeconfig: text()
    .optional()
    .meta({ env: 'KUBECONFIG' })
    .describe(
      'Kubeconfig file, or several with ":" between them, merged as kubectl does. Default: the service account of the pod; outside of a pod ~/.kube/config.',
    ),
  context: text()
    .optional()
    .describe(
      'Context of the kubeconfig. Default: its current-context. A pod with this flag needs a kubeconfig.',
    ),
  serviceAccountDir: text()
    .default('/var/run/secrets/kubernetes.io/serviceaccount')
    .describe('Folder with token, ca.crt and namespace of the service account of the pod.'),
  kubernetesServiceHost: text()
    .optional()
    .meta({ env: 'KUBERNETES_SERVICE_HOST' })
    .describe('Host of the Kubernetes API, used without --kubeconfig.'),
  kubernetesServicePort: whole(1, 65_535)
    .default(443)
    .meta({ env: 'KUBERNETES_SERVICE_PORT' })
    .describe('Port of the Kubernetes API, used without --kubeconfig.'),
  leaderElection: flag()
    .default(true)
    .describe(
      'Reconcile only while this replica holds the Lease. Set to false only if there is one replica.',
    ),
  leaderElectionNamespace: text()
    .optional()
    .describe(
      'Namespace of the Lease. Default: the namespace of the pod; with a kubeconfig keyferry-system.',
    ),
  leaseName: objectName().default('keyferry-operator').describe('Name of the Lease.'),
  slices: whole(1, 16)
    .default(1)
    .describe(
      'Slices of the work that replicas share, each with a Lease; not more replicas work at the same time. All replicas need the same number. 1: one replica works.',
    ),
  identity: text().optional().describe('Name of this replica in the Lease. Default: the host name.'),
  healthBindAddress: bindAddress()
    .default(':8081')
    .describe(
      'Address that serves /healthz and /readyz, as host:port or :port. The kubelet must reach it; $(POD_IP):8081 is the narrowest that works.',
    ),
  metricsBindAddress: bindAddress()
    .optional()
    .describe(
      'Address that serves /metrics, as host:port or :port. Default: 127.0.0.1:8080, or :8443 with --metrics-secure.',
    ),
  metricsSecure: flag()
    .default(false)
    .describe(
      'Serve /metrics over HTTPS, and only to clients whose token may get /metrics. Needs --metrics-cert-path and config/rbac/metrics-auth.yaml.',
    ),
  metricsCertPath: text()
    .regex(/^\//, { error: 'must be an absolute path' })
    .optional()
    .describe('Folder of the certificate of --metrics-secure. A changed certificate is used within seconds.'),
  metricsCertName: fileName()
    .default('tls.crt')
    .describe('File of the certificate in --metrics-cert-path, as PEM.'),
  metricsCertKey: fileName()
    .default('tls.key')
    .describe('File of its private key in --metrics-cert-path, as PEM.'),
  logLevel: z
    .enum(['debug', 'info', 'warn', 'error'], { error: 'must be debug, info, warn or error' })
    .default('info')
    .describe('Lowest level that is logged: debug, info, warn or error.'),
  auditLog: text()
    .regex(/^(off|stdout|\/.*)$/s, { error: 'must be off, stdout or the absolute path of a file' })
    .default('off')
    .describe(
      'Where to record every access to a value or a credential: off, stdout or the absolute path of a file. Migrations wait while the audit log cannot be written.',
    ),
  tracingEndpoint: collectorUrl()
    .optional()
    .meta({ env: 'OTEL_EXPORTER_OTLP_ENDPOINT' })
    .describe(
      'Base URL of an OpenTelemetry collector for traces, sent by OTLP over HTTP, such as http://collector.observability:4318. Default: none; nothing is traced.',
    ),
  tracingSamplePercent: whole(0, 100)
    .default(100)
    .describe('Percentage of reconciles that are traced, with --tracing-endpoint.'),
  watchNamespaces: namespaces()
    .optional()
    .describe(
      'Namespaces to work in, with commas between them; objects in others are ignored, and no right there is needed. Default: all.',
    ),
  watchSecrets: flag()
    .default(true)
    .describe(
      'Notice changed credentials of backends by a watch on Secrets. Set to false if the operator may get Secrets by name only; the next probe of a backend then notices.',
    ),
  clusterResourceNamespace: objectName()
    .optional()
    .describe(
      'Namespace of the Secrets and ServiceAccounts that ClusterSecretBackends refer to. Default: the namespace of the pod; with a kubeconfig keyferry-system.',
    ),
  directoryRoot: text()
    .regex(/^\/./s, { error: 'must be an absolute path below /' })
    .optional()
    .describe('Root folder of the backends of type directory. Default: none; such backends are refused.'),
  concurrentMigrations: whole(1, 64)
    .default(4)
    .describe('Maximum number of concurrent migrations; at most half of them are of one namespace.'),
  concurrentDocuments: whole(1, 256)
    .default(32)
    .describe('Maximum number of concurrent documents of one migration.'),
  workerTemplate: objectName()
    .optional()
    .describe(
      'Name of a PodTemplate in the namespace of the operator, for the pods of migrations with spec.parallelism. Default: none; such migrations wait. Needs config/workers.',
    ),
  allowInsecureHttp: flag()
    .default(false)
    .describe(
      'Accept backends with a plain http address. Secret values and tokens are then sent unencrypted.',
    ),
  audiencePrefix: text()
    .default('keyferry.io/')
    .describe(
      'Prefix of every audience for which backends request tokens of ServiceAccounts. No other system of the cluster may accept such an audience.',
    ),
  allowApiServerAudience: flag()
    .default(false)
    .describe(
      'Accept audiences without the prefix, for roles that name another audience. A server can then use a token for the audience of the API server against the Kubernetes API.',
    ),
  allowBackendsInOwnNamespace: flag()
    .default(false)
    .describe(
      'Accept SecretBackends in the namespace of the operator and in --cluster-resource-namespace. Their authors can use the credentials of ClusterSecretBackends.',
    ),
  allowConnectTo: ranges()
    .prefault('')
    .describe(
      'Addresses that backends may have although they are loopback, link-local, a metadata service or the API server: a comma-separated list of CIDRs or addresses.',
    ),
  gracefulShutdownSeconds: whole(1, 3600)
    .default(30)
    .describe(
      'Seconds to end in, after SIGTERM, a failure or the loss of the Lease. Running reconciles have half of it. One second later the process exits, whatever is still open.',
    ),
  statusIntervalSeconds: whole(1, 300)
    .default(5)
    .describe('Minimum number of seconds between two progress updates of the status of a migration.'),
  waitingRetrySeconds: whole(1, 3600)
    .default(30)
    .describe('Seconds between retries while another object or a permission is missing.'),
  probeIntervalSeconds: whole(1, 3600)
    .default(60)
    .describe(
      'Seconds between two probes of a backend that migrations use; without any, five times as many, at most 300.',
    ),
});
export type Config = Readonly<z.infer<typeof ConfigSchema>>;
export type ConfigKey = keyof Config;

/** One setting of the command line. */
export interface Setting {
  readonly key: ConfigKey;
  /** Without the two dashes. */
  readonly flag: string;
  readonly env: string;
  readonly description: string;
  readonly default: string | undefined;
  /** `--flag` alone means true. */
  readonly isSwitch: boolean;
}

/** All settings in the order of the schema. */
export const SETTINGS: readonly Setting[] = Object.entries(ConfigSchema.shape).map(([key, schema]) => {
  const flag = key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const { description, env } = schema.meta() ?? {};
  const absent = schema.safeParse(undefined).data;
  return {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Object.entries forgets the type of the keys
    key: key as ConfigKey,
    flag,
    env: typeof env === 'string' ? env : `KEYFERRY_${flag.toUpperCase().replaceAll('-', '_')}`,
    description: description ?? '',
    default: String(absent ?? '') || undefined,
    isSwitch: typeof absent === 'boolean',
  };
});

function text() {
  return z.string({ error: 'needs a value' }).min(1, { error: 'must not be empty' });
}

/** Without credentials, which a log of flags would show: OTEL_EXPORTER_OTLP_HEADERS has them. */
function collectorUrl() {
  const error = 'must be http://host:port or https://host:port, without user, query and fragment';
  return text()
    .regex(/^https?:\/\/[^\s@?#]+$/, { error, abort: true })
    .refine((url) => URL.canParse(url), { error });
}

function fileName() {
  return text().regex(/^[^/]+$/, { error: 'must be the name of a file' });
}

function objectName() {
  return text()
    .max(253)
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/, {
      error: 'must be a name of lower case letters, digits, "-" and "."',
    });
}

/** Names of namespaces, each once. */
function namespaces() {
  const error = 'must be names of namespaces with commas between them';
  return text()
    .transform((list) => [...new Set(list.split(',').map((name) => name.trim()))])
    .refine((names) => names.every((name) => /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)), { error });
}

/** A whole number, written in decimal. */
function whole(lowest: number, highest: number) {
  const error = `must be a whole number from ${lowest} to ${highest}`;
  return z
    .string({ error })
    .regex(/^[0-9]{1,9}$/, { error, abort: true })
    .transform(Number)
    .pipe(z.int({ error }).min(lowest, { error }).max(highest, { error }));
}

function flag() {
  return z.enum(['true', 'false'], { error: 'must be true or false' }).transform((word) => word === 'true');
}

/** Addresses and CIDRs, separated by commas. */
function ranges() {
  const error = 'must be a comma-separated list of CIDRs or addresses';
  return z
    .string({ error })
    .transform((list) =>
      list
        .split(',')
        .map((range) => range.trim())
        .filter((range) => range !== ''),
    )
    .refine((list) => list.every(isRange), { error });
}

function isRange(range: string): boolean {
  const [address = '', prefix, ...rest] = range.split('/');
  const bits = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  if (rest.length > 0 || address.includes('%')) return false;
  return prefix === undefined ? bits > 0 : /^[0-9]{1,3}$/.test(prefix) && Number(prefix) <= bits;
}

function bindAddress() {
  const error = 'must be host:port or :port';
  return z
    .string({ error })
    .regex(/^([A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$/, { error, abort: true })
    .refine((address) => Number(address.slice(address.lastIndexOf(':') + 1)) <= 65_535, { error });
}
