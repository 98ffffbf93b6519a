import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { loadConfig } from '#src/config/load.ts';
import { operatorSchema } from '#src/generate/chart-flags.ts';
import { CHART, Helm, parseManifests, type Manifest } from '#test/support/helm.ts';

const MONITORING = '--api-versions=monitoring.coreos.com/v1';
const SERVED = '--api-versions=keyferry.io/v1alpha1/ClusterSecretBackend';
const DIGEST = `sha256:${'0'.repeat(64)}`;

const SECURE_METRICS = ['--set=metrics.enabled=true', '--set=metrics.certSecret=metrics-tls'];
/** Flags that are not numbers or switches. */
const TEXTS: Readonly<Record<string, unknown>> = {
  kubernetesServiceHost: 'api.example',
  logLevel: 'debug',
  auditLog: 'stdout',
  tracingEndpoint: 'http://collector.observability.svc:4318',
  clusterResourceNamespace: 'shared',
  directoryRoot: '/data',
  audiencePrefix: 'example.com/',
  allowConnectTo: ['127.0.0.0/8', '::1'],
};
const Deployment = z.object({
  spec: z.object({
    template: z.object({
      spec: z.object({ containers: z.tuple([z.object({ args: z.array(z.string()) })]) }),
    }),
  }),
});
const NamedSecrets = z.object({
  rules: z
    .array(
      z.object({
        resources: z.array(z.string()),
        verbs: z.array(z.string()),
        resourceNames: z.array(z.string()).default([]),
      }),
    )
    .optional(),
});

let helm: Helm;
beforeAll(async () => {
  helm = await Helm.find(4);
});

async function kinds(...settings: readonly string[]): Promise<readonly string[]> {
  return (await helm.template(settings)).map(({ kind }) => kind);
}

async function only(kind: string, ...settings: readonly string[]): Promise<Manifest> {
  const found = (await helm.template(settings)).filter((object) => object.kind === kind);
  expect(found).toHaveLength(1);
  return found[0] ?? expect.fail(kind);
}

async function container(...settings: readonly string[]) {
  return Deployment.parse(await only('Deployment', ...settings)).spec.template.spec.containers[0];
}

describe.each([3, 4] as const)('Helm %i', (major) => {
  it('lints the chart without a warning', async () => {
    const { code, stdout } = await (await Helm.find(major)).run(['lint', '--strict', CHART]);
    expect(code).toBe(0);
    expect(stdout).not.toMatch(/WARNING|ERROR/);
  });

  it.each<readonly [message: string, ...settings: readonly string[]]>([
    ["/operator': additional properties 'concurentMigrations' not allowed", 'operator.concurentMigrations=2'],
    ["/operator': additional properties 'watchNamespaces' not allowed", 'operator.watchNamespaces={a}'],
    ["/operator': additional properties 'leaderElection' not allowed", 'operator.leaderElection=false'],
    ['/operator/concurrentMigrations', 'operator.concurrentMigrations=65'],
    ['/operator/logLevel', 'operator.logLevel=loud'],
    ["additional properties 'replicaCount' not allowed", 'replicaCount=2'],
    ["/rbac': additional properties 'scopes' not allowed", 'rbac.scopes=strict'],
    ['/rbac/scope', 'rbac.scope=none'],
    ['/image/digest', 'image.digest=latest'],
    ['rbac.namespaces is empty', 'rbac.scope=strict'],
    ['rbac.scope is cluster: set rbac.scope to namespaces or strict', 'rbac.namespaces={payments}'],
    ['rbac.secretNames is set, but rbac.scope is cluster', 'rbac.secretNames.payments.read={a}'],
    [
      'rbac.secretNames names orders, which is not in rbac.namespaces',
      'rbac.scope=strict',
      'rbac.namespaces={payments}',
      'rbac.secretNames.orders.read={a}',
    ],
    ['rbac.serviceAccountToken is not names', 'rbac.serviceAccountNames.payments={a}'],
    ['metrics.certSecret is empty', 'metrics.enabled=true'],
    ['metrics.enabled is false: set it to true', 'metrics.serviceMonitor.enabled=true'],
    [
      'networkPolicy.egress.apiServer.cidrs is empty',
      'networkPolicy.egress.rules[0].to[0].ipBlock.cidr=10.0.0.0/8',
    ],
    ['serviceAccount.name is empty', 'serviceAccount.create=false'],
  ])('refuses bad values: %s', async (message, ...settings) => {
    const args = settings.map((setting) => `--set=${setting}`);
    const { code, stderr } = await (await Helm.find(major)).run(['template', 'keyferry', CHART, ...args]);
    expect(stderr).toContain(message);
    expect(code).not.toBe(0);
  });
});

describe('a scope', () => {
  it('strict names what the operator may do, and binds nothing to Secrets as a whole', async () => {
    const objects = await helm.template([
      '--set=rbac.scope=strict',
      '--set=rbac.namespaces={payments}',
      '--set=rbac.secretNames.payments.project={db}',
      '--set=rbac.secretNames.keyferry-system.read={shared-token}',
      '--set=rbac.serviceAccountToken=none',
      '--set=rbac.sharedBackends=false',
      '--set=rbac.aggregateRoles=false',
    ]);
    const rbac = objects.filter(({ apiVersion }) => apiVersion.startsWith('rbac.'));
    expect(rbac.map(lineOf).toSorted()).toEqual([
      'ClusterRole keyferry-cluster',
      'ClusterRole keyferry-in-use',
      'ClusterRole keyferry-in-use-cluster',
      'ClusterRole keyferry-operator',
      'ClusterRoleBinding keyferry-cluster',
      'ClusterRoleBinding keyferry-in-use-cluster',
      'Role keyferry-system/keyferry-leader-election',
      'Role keyferry-system/keyferry-named-secrets: get shared-token',
      'Role payments/keyferry-named-secrets: get,patch db',
      'RoleBinding keyferry-system/keyferry-leader-election',
      'RoleBinding keyferry-system/keyferry-named-secrets',
      'RoleBinding payments/keyferry-in-use',
      'RoleBinding payments/keyferry-named-secrets',
      'RoleBinding payments/keyferry-operator',
    ]);
  });

  it('of a release with another name has its names throughout, the Lease included', async () => {
    const text = await helm.mustRun([
      'template',
      'blue',
      CHART,
      '--namespace=blue',
      '--set=crds.enabled=false',
    ]);
    const objects = parseManifests(text);
    const foreign = objects.filter(({ metadata }) => !metadata.name.startsWith('blue-keyferry'));
    expect(foreign.map(lineOf)).toEqual(['ClusterSecretBackend kubernetes']);
    expect(text).toContain('--lease-name=blue-keyferry-operator');
    expect(text).toMatch(
      /resourceNames:\n( +- blue-keyferry-operator(-[a-z0-9]+)?\n)+ +verbs: \[get, update\]/,
    );
    expect(text).not.toContain('keyferry-system');
  });
});

/** `Kind namespace/name`, with verbs and names where a rule is about Secrets by name. */
function lineOf({ kind, metadata, ...object }: Manifest): string {
  const place = [metadata.namespace, metadata.name].filter((part) => part !== undefined).join('/');
  const { rules = [] } = NamedSecrets.parse(object);
  const named = rules.filter(({ resources }) => resources.includes('secrets'));
  const what = named.map(({ verbs, resourceNames }) => `: ${verbs.join(',')} ${resourceNames.join(',')}`);
  return `${kind} ${place}${what.join('')}`;
}

describe('the pod', () => {
  it('gets each flag that is set, as the operator spells it', async () => {
    const deployment = await only(
      'Deployment',
      '--set=operator.concurrentDocuments=256',
      '--set=operator.allowInsecureHttp=true',
      '--set=operator.allowConnectTo={127.0.0.0/8,::1}',
      '--set=operator.gracefulShutdownSeconds=3600',
    );
    expect(deployment).toHaveProperty('spec.template.spec.terminationGracePeriodSeconds', 3605);
    expect(deployment).toHaveProperty('spec.template.spec.containers.0.args', [
      'operator',
      '--lease-name=keyferry-operator',
      '--health-bind-address=[$(POD_IP)]:8081',
      '--allow-connect-to=127.0.0.0/8,::1',
      '--allow-insecure-http=true',
      '--concurrent-documents=256',
      '--graceful-shutdown-seconds=3600',
    ]);
  });

  it('gets the flags of its scope and of its metrics', async () => {
    const deployment = await only(
      'Deployment',
      '--set=rbac.scope=strict',
      '--set=rbac.namespaces={payments,orders}',
      ...SECURE_METRICS,
    );
    expect(deployment).toHaveProperty(
      'spec.template.spec.containers.0.args',
      expect.arrayContaining([
        '--watch-namespaces=payments,orders',
        '--watch-secrets=false',
        '--metrics-bind-address=[$(POD_IP)]:8443',
        '--metrics-secure=true',
        '--metrics-cert-path=/etc/keyferry/metrics',
      ]),
    );
  });

  it('has arguments that the operator accepts, for each flag among the values', async () => {
    const values: Record<string, unknown> = { ...TEXTS };
    for (const [key, { type, minimum }] of Object.entries(operatorSchema().properties ?? {})) {
      values[key] ??= type === 'boolean' ? true : minimum;
    }
    const { args } = await container(`--set-json=operator=${JSON.stringify(values)}`, ...SECURE_METRICS);
    const config = loadConfig(
      args.slice(1).map((argument) => argument.replace('$(POD_IP)', '10.0.0.7')),
      {},
    );
    expect(config).toMatchObject({ ...values, healthBindAddress: '[10.0.0.7]:8081', metricsSecure: true });
  });

  it('runs an image by digest, from the registry of a parent chart', async () => {
    const deployment = await only(
      'Deployment',
      '--set=global.imageRegistry=mirror.example',
      `--set=image.digest=${DIGEST}`,
    );
    expect(deployment).toHaveProperty(
      'spec.template.spec.containers.0.image',
      `mirror.example/keyferry/keyferry@${DIGEST}`,
    );
  });

  it('has company only with more than one replica', async () => {
    expect(await kinds()).not.toContain('PodDisruptionBudget');
    expect(await only('Deployment')).not.toHaveProperty('spec.template.spec.topologySpreadConstraints');
    expect(await kinds('--set=replicas=2')).toContain('PodDisruptionBudget');
    const spread = 'spec.template.spec.topologySpreadConstraints';
    expect(await only('Deployment', '--set=replicas=2')).toHaveProperty([...spread.split('.'), 'length'], 2);
  });
});

describe('the NetworkPolicy', () => {
  it('limits egress as soon as it is told where the API server is', async () => {
    expect(await only('NetworkPolicy')).toHaveProperty('spec.policyTypes', ['Ingress']);
    const policy = await only('NetworkPolicy', '--set=networkPolicy.egress.apiServer.cidrs={10.0.0.1/32}');
    expect(policy).toHaveProperty('spec.policyTypes', ['Ingress', 'Egress']);
    expect(policy).toHaveProperty('spec.egress.1.to.0.ipBlock.cidr', '10.0.0.1/32');
  });
});

describe('metrics', () => {
  const on = ['--set=metrics.enabled=true', '--set=metrics.secure=false'];

  it('have a ServiceMonitor and a PodMonitor only where the cluster has their API', async () => {
    const monitors = ['--set=metrics.serviceMonitor.enabled=true', '--set=metrics.podMonitor.enabled=true'];
    expect(await kinds(...on, ...monitors)).not.toContain('ServiceMonitor');
    expect(await kinds(...on, ...monitors, MONITORING)).toEqual(
      expect.arrayContaining(['Service', 'ServiceMonitor', 'PodMonitor']),
    );
  });
});

describe('rules.yaml and dashboard.json', () => {
  it('are rendered as they are, with the braces of Prometheus', async () => {
    const copy = mkdtempSync(join(tmpdir(), 'keyferry-chart-'));
    try {
      cpSync(CHART, copy, { recursive: true });
      mkdirSync(join(copy, 'files'), { recursive: true });
      const alert =
        "groups:\n  - name: keyferry\n    rules:\n      - alert: A\n        expr: '{{ $value }}'\n";
      writeFileSync(join(copy, 'files/rules.yaml'), alert);
      writeFileSync(join(copy, 'files/dashboard.json'), '{"title": "{{namespace}}"}');
      const settings = [
        '--set=metrics.rules.enabled=true',
        '--set=metrics.dashboard.enabled=true',
        MONITORING,
      ];
      const objects = parseManifests(await helm.mustRun(['template', 'keyferry', copy, ...settings]));
      const [rules] = objects.filter(({ kind }) => kind === 'PrometheusRule');
      expect(rules).toHaveProperty('spec.groups.0.rules.0.expr', '{{ $value }}');
      const [dashboard] = objects.filter(({ metadata }) => metadata.name === 'keyferry-dashboard');
      expect(dashboard).toHaveProperty(['data', 'keyferry.json'], '{"title": "{{namespace}}"}');
    } finally {
      rmSync(copy, { recursive: true });
    }
  });
});

describe('the audience prefix', () => {
  it('is the same for the operator and for the policy', async () => {
    const set = '--set=operator.audiencePrefix=example.com/';
    expect(await only('ConfigMap', set)).toHaveProperty('data.audiencePrefix', 'example.com/');
    expect(JSON.stringify(await only('Deployment', set))).toContain('--audience-prefix=example.com/');
  });

  it('is not asked for when audiences of the API server are accepted', async () => {
    const settings = await only('ConfigMap', '--set=operator.allowApiServerAudience=true');
    expect(settings).toHaveProperty('data.audiencePrefix', '');
  });
});

describe('the CRDs', () => {
  it('are kept by default, and not rendered if they are not wanted', async () => {
    const crds = (await helm.template()).filter(({ kind }) => kind === 'CustomResourceDefinition');
    expect(crds.map(({ metadata }) => metadata.annotations)).toEqual(
      crds.map(() => ({ 'helm.sh/resource-policy': 'keep' })),
    );
    expect(await kinds('--set=crds.enabled=false')).not.toContain('CustomResourceDefinition');
  });

  it('come before the default backend: it is a hook until its kind is served', async () => {
    expect(await only('ClusterSecretBackend')).toHaveProperty(['metadata', 'annotations', 'helm.sh/hook']);
    expect(await only('ClusterSecretBackend', SERVED)).not.toHaveProperty([
      'metadata',
      'annotations',
      'helm.sh/hook',
    ]);
  });
});

describe('extraObjects', () => {
  it('are rendered as templates', async () => {
    const extra = { apiVersion: 'v1', kind: 'Service', metadata: { name: '{{ .Release.Name }}-extra' } };
    const service = await only('Service', `--set-json=extraObjects=[${JSON.stringify(extra)}]`);
    expect(service.metadata.name).toBe('keyferry-extra');
  });
});
