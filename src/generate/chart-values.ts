import { z } from 'zod';
import { chartOfMetrics } from './chart-values-metrics.ts';
import { operatorSchema, type JsonSchema } from './chart-flags.ts';
import { names, object, objects, text, toggle } from './chart-value-types.ts';

const image = object('The image of the operator.', {
  registry: text('ghcr.io', 'Host of the registry.'),
  repository: text('keyferry/keyferry', 'Repository in the registry.'),
  tag: text('', 'Tag. Default: the appVersion of the chart.'),
  digest: z
    .string()
    .regex(/^(sha256:[0-9a-f]{64})?$/)
    .default('')
    .describe('Digest, sha256:…; it takes precedence over the tag. Set it in production.'),
  pullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']).default('IfNotPresent').describe('When to pull.'),
});

const namedSecrets = z.strictObject({
  read: z.array(z.string()).default([]),
  project: z.array(z.string()).default([]),
  move: z.array(z.string()).default([]),
  create: z.boolean().default(false),
});

const rbac = object('What the operator may do. docs/security/rbac.md compares the scopes.', {
  create: toggle(true, 'Create roles and bindings.'),
  scope: z
    .enum(['cluster', 'namespaces', 'strict'])
    .default('cluster')
    .describe(
      'cluster: all Secrets of all namespaces, as powerful as cluster-admin. namespaces: all Secrets of rbac.namespaces. strict: only the Secrets in rbac.secretNames.',
    ),
  namespaces: names('Namespaces to work in, for the scopes namespaces and strict. They must exist.'),
  secretNames: z
    .record(z.string(), namedSecrets)
    .default({})
    .describe(
      'Secrets by namespace, for the scopes namespaces and strict: names to read (get), to project (get, patch) and to move (get, patch, delete), and create, whether Secrets of any name can be created. Credentials of ClusterSecretBackends are in the namespace of the release.',
    ),
  serviceAccountToken: z
    .enum(['', 'none', 'names', 'cluster'])
    .default('')
    .describe(
      'Whose tokens the operator may request, to log in to backends: none, names (rbac.serviceAccountNames) or cluster (every ServiceAccount). Default: cluster in the scope cluster, otherwise names.',
    ),
  serviceAccountNames: z
    .record(z.string(), z.array(z.string()))
    .default({})
    .describe('Names of ServiceAccounts by namespace, for rbac.serviceAccountToken names.'),
  sharedBackends: toggle(true, 'Let the operator read ClusterSecretBackends and write their status.'),
  inUse: toggle(
    true,
    'Let the operator list pods, workloads, ServiceAccounts, Ingresses, Gateways and PushSecrets in its scope, to see whether a Secret is in use before it is removed. Without it, only migrations with removal.inUse Ignore remove Secrets.',
  ),
  aggregateRoles: toggle(
    true,
    'Add the kinds of Keyferry to the built-in roles view, edit and admin. Only the operator writes status.',
  ),
});

const admission = object('Policies that ask whether an author has the rights for what the operator does.', {
  enabled: toggle(true, 'Create the policies. docs/security/admission.md says what it costs to do without.'),
  allowedAddresses: names(
    'Servers that backends may name, such as https://openbao.openbao.svc:8200. Without an entry every backend of type openbao is refused.',
  ),
});

const networkPolicy = object('NetworkPolicy of the pod. Ingress is denied except to its ports.', {
  enabled: toggle(true, 'Create the NetworkPolicy.'),
  metricsFrom: objects('Peers that may scrape metrics, as in a NetworkPolicy. Default: none.'),
  egress: object('Egress is limited as soon as one of these lists has an entry.', {
    apiServer: object('The Kubernetes API.', {
      cidrs: names('CIDRs of the API server.'),
      ports: z.array(z.int().min(1).max(65_535)).default([443, 6443]).describe('Its ports.'),
    }),
    rules: objects('Egress rules for the servers of backends, as in a NetworkPolicy.'),
    dns: toggle(true, 'Allow port 53 to every address.'),
  }),
});

const pod = {
  podAnnotations: z
    .record(z.string(), z.string())
    .default({})
    .describe('Annotations of the pods, also of workers.'),
  podLabels: z.record(z.string(), z.string()).default({}).describe('Labels of the pods, also of workers.'),
  podSecurityContext: z
    .looseObject({})
    .default({
      runAsNonRoot: true,
      runAsUser: 65_532,
      runAsGroup: 65_532,
      fsGroup: 65_532,
      seccompProfile: { type: 'RuntimeDefault' },
    })
    .describe('Security context of the pod; with the next one as strict as Pod Security restricted.'),
  securityContext: z
    .looseObject({})
    .default({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    .describe('Security context of the container.'),
  resources: z
    .looseObject({})
    .default({ requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '1Gi' } })
    .describe('Resources. The heap of the operator is 512 MiB: keep the memory limit well above it.'),
  nodeSelector: z
    .record(z.string(), z.string())
    .default({ 'kubernetes.io/os': 'linux' })
    .describe('Node selector.'),
  tolerations: objects('Tolerations.'),
  affinity: z.looseObject({}).default({}).describe('Affinity.'),
  topologySpreadConstraints: objects(
    'Replaces the default, which spreads more than one replica over zones and nodes where possible.',
  ),
  priorityClassName: text('', 'Priority class, such as system-cluster-critical.'),
  extraEnv: objects('More environment variables.'),
  extraVolumes: objects('More volumes, for operator.directoryRoot or a file of operator.auditLog.'),
  extraVolumeMounts: objects('Where they are mounted.'),
};

const ChartValues = z.strictObject({
  global: z
    .looseObject({
      imageRegistry: text('', 'Takes precedence over image.registry.'),
      imagePullSecrets: objects('Pull secrets, with those of imagePullSecrets.'),
    })
    .prefault({})
    .describe('Values that a parent chart sets for all its charts.'),
  nameOverride: text('', 'Replaces the name of the chart in names of objects.'),
  fullnameOverride: text('', 'Replaces the prefix of all names of objects.'),
  replicas: z
    .int()
    .min(0)
    .max(16)
    .default(1)
    .describe(
      'Replicas. One works, the others are ready to take over; with operator.slices above 1, as many work as there are slices.',
    ),
  image,
  imagePullSecrets: objects('Pull secrets: {name: …}.'),
  operator: z.looseObject({}).default({}),
  crds: object('The CustomResourceDefinitions.', {
    enabled: toggle(true, 'Install and update them with the release.'),
    keep: toggle(
      true,
      'Keep them, and the admission policies that guard them, when the release is uninstalled. Without it, that deletes every migration.',
    ),
  }),
  rbac,
  rollout: object('Restarts of workloads whose Secrets changed. docs/rotate-without-restart.md', {
    enabled: toggle(
      false,
      'Let the operator list and patch Deployments, StatefulSets and DaemonSets in its scope. It restarts those that have the annotation keyferry.io/restart-on-change, for migrations with rollout.restart. With admission.enabled a policy refuses every other change of them by the operator.',
    ),
  }),
  workers: object('The pods of migrations with spec.parallelism. docs/scaling.md', {
    enabled: toggle(
      false,
      'Let the operator make Jobs in its namespace, whose pods move one very large migration. The right to create Jobs there is the right to run anything with the ServiceAccounts of that namespace.',
    ),
  }),
  serviceAccount: object('The identity of the operator.', {
    create: toggle(true, 'Create it.'),
    name: text('', 'Its name. Default: the name of the release.'),
    annotations: z.record(z.string(), z.string()).default({}).describe('Its annotations.'),
  }),
  defaultBackend: object('The ClusterSecretBackend kubernetes, the default for migrations.', {
    enabled: toggle(
      true,
      'Create it: migrations that name no backend then use the Secrets of their own namespace. The first installation needs helm install --wait.',
    ),
  }),
  admission,
  networkPolicy,
  podDisruptionBudget: object('Rendered for more than one replica.', {
    enabled: toggle(true, 'Create it.'),
  }),
  healthPort: z.int().min(1024).max(65_535).default(8081).describe('Port of the probes.'),
  metrics: chartOfMetrics,
  ...pod,
  extraObjects: objects('More objects, as manifests; templates in them are rendered.'),
});

/** values.schema.json: every value with its type, its default and its description. */
export function valuesSchema(): JsonSchema {
  const json = z.toJSONSchema(ChartValues, { target: 'draft-7', io: 'input' });
  return {
    ...json,
    title: 'Values of the chart keyferry',
    properties: { ...json.properties, operator: operatorSchema() },
  };
}
