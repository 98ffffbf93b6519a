import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { KubernetesDriver } from '#src/backends/kubernetes/driver.ts';
import type { OperatorError } from '#src/errors.ts';
import type { KubeClient, KubeRequest } from '#src/kube/client.ts';
import { collectionPath } from '#src/kube/resource.ts';
import { Informer } from '#src/runtime/informer.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { collect } from '#test/support/collect.ts';
import { failureOf } from '#test/support/documents.ts';
import { eventually } from '#test/support/eventually.ts';
import { RecordedLog, RecordedMetrics } from '#test/support/recorded.ts';
import { openAdminClient, openPodClient } from './real-client.ts';

/* What the real API server says when it refuses: src/kube/refusal.ts reads its text. */

const cluster = sharedCluster();
const secrets = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };
const configMaps = { ...secrets, plural: 'configmaps', kind: 'ConfigMap' };
const { signal } = new AbortController();
const VALUE = 'canary-8f3a1c';
const POLICIES = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies';

let admin: KubeClient;
let namespace: string;

beforeAll(async () => (admin = await openAdminClient(cluster)));
afterAll(async () => {
  await admin[Symbol.asyncDispose]();
  await cluster.dispose();
});
beforeEach(async () => (namespace = await cluster.createNamespace('refusals')));

const send = async (
  request: Pick<KubeRequest, 'path'> & Partial<KubeRequest>,
  client = admin,
): Promise<unknown> => client.request({ method: 'GET', op: 'test', target: 'object', signal, ...request });

const create = (resource: typeof secrets, more: object = {}): Promise<unknown> =>
  send({
    method: 'POST',
    path: collectionPath(resource, namespace),
    body: { apiVersion: 'v1', kind: resource.kind, metadata: { generateName: 'a-' }, ...more },
    ...(resource === secrets ? {} : { holdsNoValue: true as const }),
  });

/** The first refusal: policies and quotas take effect a moment after they exist. */
async function refusalOf(attempt: () => Promise<unknown>): Promise<OperatorError> {
  let refused: OperatorError | undefined;
  await eventually('the request is refused', async () => {
    refused = await attempt().then(
      () => undefined,
      async (failure: unknown) => failureOf(Promise.reject(failure)),
    );
    return refused !== undefined;
  });
  if (refused === undefined) throw new Error('not refused');
  return refused;
}

describe('the API server refuses, and the error says who and why:', () => {
  it('a missing right, with identity, verb, resource and namespace', async () => {
    await using pod = await openPodClient(cluster, namespace, 'default');
    const denied = await failureOf(send({ path: collectionPath(secrets, namespace) }, pod));
    expect(denied).toMatchObject({ code: 'AUTH_DENIED', status: 403 });
    expect(denied.message).toContain(
      `system:serviceaccount:${namespace}:default may not list secrets in the namespace ${namespace}.`,
    );
    const everywhere = await failureOf(send({ path: collectionPath(secrets) }, pod));
    expect(everywhere.message).toContain('may not list secrets in the cluster.');
  });

  it('a quota, with its name and what is used up', async () => {
    const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'team' } };
    const path = `/api/v1/namespaces/${namespace}/resourcequotas`;
    await send({ method: 'POST', path, body: { ...quota, spec: { hard: { 'count/secrets': '0' } } } });
    const refused = await refusalOf(() => create(secrets));
    expect(refused).toMatchObject({ code: 'ADMISSION_DENIED', status: 403, disposition: 'waiting' });
    expect(refused.message).toContain('The ResourceQuota team is used up: count/secrets.');
  });

  it('an admission policy, in its own words unless the object has values', async () => {
    const name = `${namespace}-policy`;
    const resourceRules = [
      { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['secrets', 'configmaps'] },
    ];
    const validations = [{ expression: 'false', messageExpression: "'it has ' + string(object.data.a)" }];
    const matchConstraints = { resourceRules };
    const kind = { apiVersion: 'admissionregistration.k8s.io/v1', metadata: { name } };
    const matchResources = {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
    };
    const binding = { policyName: name, validationActions: ['Deny'], matchResources };
    await send({
      method: 'POST',
      path: POLICIES,
      body: { ...kind, kind: 'ValidatingAdmissionPolicy', spec: { matchConstraints, validations } },
    });
    await send({
      method: 'POST',
      path: POLICIES.replace('policies', 'policybindings'),
      body: { ...kind, kind: 'ValidatingAdmissionPolicyBinding', spec: binding },
    });
    const shown = await refusalOf(() => create(configMaps, { data: { a: VALUE } }));
    expect(shown.code).toBe('ADMISSION_DENIED');
    expect(shown.message).toContain(`ValidatingAdmissionPolicy ${name}, binding ${name}: "it has ${VALUE}".`);
    const hidden = await refusalOf(() => create(secrets, { stringData: { a: VALUE } }));
    expect(hidden.code).toBe('ADMISSION_DENIED');
    expect(hidden.message).toContain(`ValidatingAdmissionPolicy ${name}, binding ${name}.`);
    expect(inspect(hidden)).not.toContain(VALUE);
    expect(inspect(hidden)).not.toContain(Buffer.from(VALUE).toString('base64'));
    await send({ method: 'DELETE', path: `${POLICIES}/${name}` });
  });

  it.each(['team in (a', 'team in web', '=x', 'a b'])(
    'the label selector %j, as a mistake in the spec',
    async (labelSelector) => {
      const listing = new KubernetesDriver(admin, namespace).list({ folder: '', labelSelector }, signal);
      expect(await failureOf(collect(listing))).toMatchObject({
        code: 'SPEC_INVALID',
        target: 'spec.select.labelSelector',
        hint: expect.stringContaining('a label key has at most 253 characters before "/"'),
      });
    },
  );

  it('a resource that is not served, whose definition is missing', async () => {
    const logger = new RecordedLog();
    const resource = {
      ...secrets,
      group: 'keyferry.example',
      plural: 'secretmigrations',
      kind: 'SecretMigration',
    };
    const parts = { clock: systemClock, random: Math.random, logger, metrics: new RecordedMetrics() };
    const informer = new Informer({
      ...parts,
      client: admin,
      selection: { resource },
      project: (object) => object,
    });
    const stop = new AbortController();
    const running = informer.run(stop.signal);
    await eventually('the log says so', async () => logger.lines.length > 0);
    stop.abort();
    await running;
    expect(logger.lines[0]?.fields).toMatchObject({
      summary: 'The API server does not serve secretmigrations.keyferry.example.',
      hint: expect.stringContaining('https://keyferry.io/docs/install'),
    });
  });
});
