import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configFolder } from '#test/cluster/cluster.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { Helm, parseManifests, type Manifest } from '#test/support/helm.ts';

/*
 * The chart and config/ install the same. Rules, policies and CRDs of the chart are generated from config/ and crds/; who gets
 * which rules in a scope, and the pod, are compared here.
 */

const cluster = sharedCluster();
let helm: Helm;
beforeAll(async () => {
  helm = await Helm.find(4);
});
afterAll(() => cluster.dispose());

const SCOPES: readonly (readonly [scope: string, settings: readonly string[]])[] = [
  ['cluster', []],
  [
    'namespaces',
    [
      '--set=rbac.scope=namespaces',
      '--set=rbac.namespaces={payments}',
      '--set=rbac.serviceAccountNames.payments={payments-vault}',
    ],
  ],
  [
    'strict',
    [
      '--set=rbac.scope=strict',
      '--set=rbac.namespaces={payments}',
      '--set=rbac.secretNames.payments.read={openbao-token}',
      '--set=rbac.secretNames.payments.move={payments-db,payments-smtp}',
      '--set=rbac.secretNames.payments.create=true',
    ],
  ],
];
/** Objects that only one of the two has: config/ makes the namespace, and the chart takes the CRDs along. */
const NOT_COMPARED: ReadonlySet<string> = new Set(['Namespace', 'CustomResourceDefinition']);

async function kustomized(folder: string): Promise<readonly Manifest[]> {
  const { code, stdout, stderr } = await cluster.kubectl(['kustomize', folder]);
  if (code !== 0) throw new Error(stderr);
  return parseManifests(stdout);
}

/** Objects by name, without what tells an installer: labels but those of aggregation, and annotations of Helm. */
function comparable(objects: readonly Manifest[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    objects
      .filter(({ kind }) => !NOT_COMPARED.has(kind))
      .map((object) => {
        const { name, namespace, labels = {}, annotations = {} } = object.metadata;
        const own = {
          labels: only(labels, 'rbac.authorization'),
          annotations: only(annotations, 'keyferry.io/'),
        };
        return [`${object.kind} ${namespace ?? ''}/${name}`, { ...object, metadata: own }];
      }),
  );
}

function only(map: Readonly<Record<string, string>>, prefix: string) {
  return Object.fromEntries(Object.entries(map).filter(([key]) => key.startsWith(prefix)));
}

const WORKLOAD: ReadonlySet<string> = new Set(['Deployment', 'NetworkPolicy']);
/** What a scope consists of: identity, roles, policies and default backend. */
function scopeOf(objects: readonly Manifest[]): Readonly<Record<string, unknown>> {
  return comparable(objects.filter(({ kind }) => !WORKLOAD.has(kind)));
}

describe('the chart', () => {
  it.each(SCOPES)('grants and asks in the scope %s what config/scopes does', async (scope, settings) => {
    const expected = scopeOf(await kustomized(configFolder(scope)));
    expect(Object.keys(expected).length).toBeGreaterThan(15);
    expect(withoutEmpty(scopeOf(await helm.template(settings)))).toEqual(withoutEmpty(expected));
  });

  it('grants with rollout.enabled what config/rollouts does, and otherwise no change of workloads', async () => {
    const withRestarts = scopeOf(await helm.template(['--set=rollout.enabled=true']));
    const without = scopeOf(await helm.template());
    const expected = scopeOf(await kustomized(join(configFolder(), 'rollouts', 'cluster')));
    expect(Object.keys(expected)).toHaveLength(4);
    expect(withRestarts).toEqual({ ...without, ...expected });
    const { 'ClusterRole /keyferry-in-use': lists, ...others } = without;
    expect(JSON.stringify(lists)).not.toMatch(/"verbs":(?!\["list"\])/);
    expect(JSON.stringify(others)).not.toContain('statefulsets');
  });

  it('makes with workers.enabled what config/workers has, and otherwise no right to make Jobs', async () => {
    const settings = ['--set=workers.enabled=true'];
    const rendered = await helm.template(settings);
    const without = await helm.template();
    const applied = await kustomized(join(configFolder(), 'workers'));
    const isTemplate = ({ kind }: { readonly kind: string }): boolean => kind === 'PodTemplate';
    expect(scopeOf(rendered.filter((each) => !isTemplate(each)))).toEqual({
      ...scopeOf(without),
      ...scopeOf(applied.filter((each) => !isTemplate(each))),
    });
    expect(Object.keys(scopeOf(without)).filter((name) => name.includes('worker'))).toEqual([]);
    expect(without.filter(isTemplate)).toEqual([]);
    const [worker] = rendered.filter(isTemplate);
    const [expected] = applied.filter(isTemplate);
    const podOf = (object: unknown) => JSON.parse(JSON.stringify(object)).template.spec;
    const { containers, ...pod } = podOf(worker);
    const { containers: plain, ...plainPod } = podOf(expected);
    expect(pod).toEqual(plainPod);
    // The flags and variables of the operator, of which config/ has none.
    const { args, env: _env, ...container } = containers[0];
    const { args: command, ...plainContainer } = plain[0];
    expect({ ...container, image: '' }).toEqual({ ...plainContainer, image: '' });
    expect(args[0]).toBe('worker');
    expect(command).toEqual(['worker']);
    const operator = rendered.find(({ kind }) => kind === 'Deployment');
    expect(JSON.stringify(operator)).toContain('--worker-template=keyferry-worker');
  });

  it('labels the pods of a Job as those of the operator, so that both have the identity and the proxies of the cluster', async () => {
    const settings = ['--set=podLabels.of=both', '--set-string=podAnnotations.inject=false'];
    const rendered = await helm.template(['--set=workers.enabled=true', ...settings]);
    const pods = rendered.filter(({ kind }) => ['Deployment', 'PodTemplate'].includes(kind));
    const templates = pods
      .map((object) => JSON.parse(JSON.stringify(object)))
      .map((each) => each.template ?? each.spec.template);
    expect(templates).toHaveLength(2);
    for (const { metadata } of templates)
      expect(metadata).toMatchObject({ labels: { of: 'both' }, annotations: { inject: 'false' } });
  });

  it.each(SCOPES)(
    'grants nothing of config/in-use in the scope %s without rbac.inUse',
    async (_scope, settings) => {
      const without = scopeOf(await helm.template([...settings, '--set=rbac.inUse=false']));
      const removed = Object.keys(scopeOf(await helm.template(settings))).filter(
        (name) => !(name in without),
      );
      expect(removed).toHaveLength(4);
      expect(removed.filter((name) => !name.includes('/keyferry-in-use'))).toEqual([]);
      expect(JSON.stringify(without)).not.toMatch(/statefulsets|"pods"/);
    },
  );

  it.each(['namespaces', 'strict'])(
    'grants with rollout.enabled in the scope %s only there',
    async (scope) => {
      const settings = [`--set=rbac.scope=${scope}`, '--set=rbac.namespaces={payments,orders}'];
      const rendered = scopeOf(await helm.template([...settings, '--set=rollout.enabled=true']));
      const names = Object.keys(rendered).filter((name) => name.includes('rollouts'));
      const bindings = ['RoleBinding orders/keyferry-rollouts', 'RoleBinding payments/keyferry-rollouts'];
      const policy = ['ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding'];
      const everywhere = ['ClusterRole', ...policy].map((kind) => `${kind} /keyferry-rollouts`);
      expect(names.toSorted()).toEqual([...everywhere, ...bindings].toSorted());
      const [binding] = Object.values(
        scopeOf(await kustomized(join(configFolder(), 'scopes', 'bindings', 'rollouts'))),
      );
      expect(bindings.map((name) => rendered[name])).toEqual([binding, binding]);
    },
  );

  it('renders the Deployment and the NetworkPolicy of config/default', async () => {
    const rendered = (await helm.template()).filter(({ kind }) => WORKLOAD.has(kind));
    const applied = (await kustomized(join(configFolder(), 'default'))).filter(({ kind }) =>
      WORKLOAD.has(kind),
    );
    expect(applied).toHaveLength(WORKLOAD.size);
    expect(comparable(rendered)).toEqual(comparable(applied));
  });
});

/** Without the addresses, of which there are none yet, and what a ServiceAccount leaves to its pods. */
function withoutEmpty(objects: Readonly<Record<string, unknown>>): unknown {
  const skip = (key: string, value: unknown): unknown => {
    if (key === 'automountServiceAccountToken') return undefined;
    return key === 'data' && JSON.stringify(value) === '{"addresses":""}' ? undefined : value;
  };
  return JSON.parse(JSON.stringify(objects, skip));
}
