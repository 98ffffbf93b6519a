import { describe, expect, it } from 'vitest';
import { ALL, BUILT_IN, INJECTABLE, OPTIONAL, type UsingKind, type UsingObject } from './kinds.ts';

const KINDS = [...BUILT_IN, ...OPTIONAL, ...INJECTABLE];

function kindOf(name: string): UsingKind {
  const found = KINDS.find(({ resource }) => resource.kind === name);
  if (found === undefined) throw new Error(`no kind ${name}`);
  return found;
}

function usedBy(kind: string, object: object): readonly unknown[] {
  const metadata: UsingObject['metadata'] = { namespace: 'ns' };
  return [...new Set(kindOf(kind).secretsOf({ metadata, ...object }))];
}

const env = (name: string) => ({ env: [{ name: 'A', valueFrom: { secretKeyRef: { name, key: 'k' } } }] });

const POD_SPECS: readonly (readonly [where: string, spec: object])[] = [
  ['a variable', { containers: [env('db')] }],
  ['the environment', { containers: [{ envFrom: [{ secretRef: { name: 'db' } }] }] }],
  ['a variable of an init container', { initContainers: [env('db')] }],
  ['a variable of an ephemeral container', { ephemeralContainers: [env('db')] }],
  [
    'the environment of an ephemeral container',
    { ephemeralContainers: [{ envFrom: [{ secretRef: { name: 'db' } }] }] },
  ],
  ['a volume', { volumes: [{ secret: { secretName: 'db' } }] }],
  ['a projected volume', { volumes: [{ projected: { sources: [{ secret: { name: 'db' } }] } }] }],
  ['the driver of a CSI volume', { volumes: [{ csi: { nodePublishSecretRef: { name: 'db' } } }] }],
  ['the pull of an image', { imagePullSecrets: [{ name: 'db' }] }],
  ['an Azure file share', { volumes: [{ azureFile: { secretName: 'db' } }] }],
  ...['cephfs', 'cinder', 'flexVolume', 'iscsi', 'rbd', 'scaleIO', 'storageos'].map(
    (driver) =>
      [`a volume of ${driver}`, { volumes: [{ [driver]: { secretRef: { name: 'db' } } }] }] as const,
  ),
];

describe('a Secret is in use', () => {
  it.each(POD_SPECS)('by a pod that needs it for %s', (_where, spec) => {
    expect(usedBy('Pod', { spec })).toEqual(['db']);
  });

  const spec = { containers: [env('db')] };
  it.each(['Deployment', 'StatefulSet', 'DaemonSet', 'Job'])('by the pod template of a %s', (kind) => {
    expect(usedBy(kind, { spec: { template: { spec } } })).toEqual(['db']);
  });

  it.each<readonly [kind: string, object: object]>([
    ['CronJob', { spec: { jobTemplate: { spec: { template: { spec } } } } }],
    ['ServiceAccount', { imagePullSecrets: [{ name: 'db' }] }],
    ['ServiceAccount', { secrets: [{ name: 'db' }] }],
    ['Ingress', { spec: { tls: [{ hosts: ['a'] }, { secretName: 'db' }] } }],
    ['Ingress', nginx('auth-secret', 'db')],
    ['Ingress', nginx('auth-tls-secret', 'ns/db')],
    ['Gateway', { spec: { listeners: [{ name: 'http' }, { tls: { certificateRefs: [{ name: 'db' }] } }] } }],
    ['Gateway', certificate({ name: 'db', namespace: 'ns', kind: 'Secret', group: '' })],
    ['Gateway', { spec: { backendTLS: { clientCertificateRef: { name: 'db' } } } }],
    [
      'Gateway',
      { spec: { listeners: [{ tls: { frontendValidation: { caCertificateRefs: [{ name: 'db' }] } } }] } },
    ],
    ['ReferenceGrant', { spec: { to: [{ group: '', kind: 'Secret', name: 'db' }] } }],
  ])('by a %s: %j', (kind, object) => {
    expect(usedBy(kind, object)).toEqual(['db']);
  });

  it('with every other one of the namespace, by a ReferenceGrant without a name', () => {
    expect(usedBy('ReferenceGrant', { spec: { to: [{ group: '', kind: 'Secret' }] } })).toEqual([ALL]);
  });

  it.each(INJECTABLE.map(({ resource }) => resource.kind))('by a %s that takes its CA from it', (kind) => {
    const annotations = { 'cert-manager.io/inject-ca-from-secret': 'ns/db' };
    expect(usedBy(kind, { metadata: { annotations } })).toEqual(['ns/db']);
  });
});

describe('a Secret is not in use', () => {
  const spec = { containers: [env('db')] };
  it.each<readonly [what: string, kind: string, object: object]>([
    ['a pod that is over', 'Pod', { spec, status: { phase: 'Succeeded' } }],
    ['a pod that failed', 'Pod', { spec, status: { phase: 'Failed' } }],
    ['a pod with a ConfigMap of its name', 'Pod', { spec: { volumes: [{ configMap: { name: 'db' } }] } }],
    ['a Job that is complete', 'Job', { spec: { template: { spec } }, status: over('Complete') }],
    ['a Job that failed', 'Job', { spec: { template: { spec } }, status: over('Failed') }],
    ['an Ingress that takes it from another namespace', 'Ingress', nginx('auth-secret', 'other/db')],
    [
      'a Gateway that takes it from another namespace',
      'Gateway',
      certificate({ name: 'db', namespace: 'other' }),
    ],
    ['a Gateway with a ConfigMap of its name', 'Gateway', certificate({ name: 'db', kind: 'ConfigMap' })],
    [
      'a grant for Services',
      'ReferenceGrant',
      { spec: { to: [{ group: '', kind: 'Service', name: 'db' }] } },
    ],
    ['a webhook without an annotation', 'ValidatingWebhookConfiguration', {}],
    ['an object that is not as expected', 'Deployment', { spec: 'x' }],
  ])('by %s', (_what, kind, object) => {
    expect(usedBy(kind, object)).toEqual([]);
  });

  it.each(['Running', 'Pending', 'Unknown'])('only when its pods are over: not %s', (phase) => {
    expect(usedBy('Pod', { spec, status: { phase } })).toEqual(['db']);
  });
});

it('lists each kind where the API server has it', () => {
  expect(KINDS.map(({ resource: { group, version, plural } }) => `${group}/${version}/${plural}`)).toEqual([
    'apps/v1/deployments',
    'apps/v1/statefulsets',
    'apps/v1/daemonsets',
    'batch/v1/cronjobs',
    'batch/v1/jobs',
    'networking.k8s.io/v1/ingresses',
    '/v1/serviceaccounts',
    '/v1/pods',
    'gateway.networking.k8s.io/v1/gateways',
    'gateway.networking.k8s.io/v1beta1/referencegrants',
    'admissionregistration.k8s.io/v1/validatingwebhookconfigurations',
    'admissionregistration.k8s.io/v1/mutatingwebhookconfigurations',
    'apiregistration.k8s.io/v1/apiservices',
    'apiextensions.k8s.io/v1/customresourcedefinitions',
  ]);
});

function nginx(name: string, value: string): object {
  return {
    metadata: { namespace: 'ns', annotations: { [`nginx.ingress.kubernetes.io/${name}`]: value } },
    spec: {},
  };
}

function certificate(reference: object): object {
  return { spec: { listeners: [{ tls: { certificateRefs: [reference] } }] } };
}

function over(type: string): object {
  return {
    conditions: [
      { type: 'Suspended', status: 'False' },
      { type, status: 'True' },
    ],
  };
}
