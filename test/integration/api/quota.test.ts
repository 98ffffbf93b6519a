import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { API_VERSION, KINDS } from '#src/api/group.ts';
import { aKubernetesBackend, aMigration } from '#test/builders/objects.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { eventually } from '#test/support/eventually.ts';

const cluster = sharedCluster();
afterAll(() => cluster.dispose());

const SAMPLE = join(import.meta.dirname, '..', '..', '..', 'config', 'samples', 'tenant-quota.yaml');
const Quota = z.looseObject({
  metadata: z.object({ name: z.string() }),
  spec: z.object({ hard: z.record(z.string(), z.string()) }),
});

type Object = ReturnType<typeof aMigration> | ReturnType<typeof aKubernetesBackend>;

/** The sample with these limits instead of its own. */
async function namespaceWithQuota(limit: string): Promise<string> {
  const namespace = await cluster.createNamespace('quota');
  const quota = Quota.parse(load(readFileSync(SAMPLE, 'utf8')));
  const names = Object.keys(quota.spec.hard);
  const hard = Object.fromEntries(names.map((name) => [name, limit]));
  const quotas = `/api/v1/namespaces/${namespace}/resourcequotas`;
  await cluster.kube('POST', quotas, { ...quota, spec: { hard } });
  // The API server enforces what the controller has put into the status.
  await eventually(
    'the quota is in force',
    async () => {
      const { status } = await cluster.kube<{ status: { used?: object } }>(
        'GET',
        `${quotas}/${quota.metadata.name}`,
      );
      return Object.keys(status.used ?? {}).length === names.length;
    },
    { deadlineMs: 60_000 },
  );
  return namespace;
}

describe('the quota in config/samples', () => {
  it.each([
    ['SecretMigration', (name: string): Object => aMigration(name), 'count/secretmigrations.keyferry.io'],
    ['SecretBackend', (name: string): Object => aKubernetesBackend(name), 'count/secretbackends.keyferry.io'],
  ] as const)(
    'refuses a %s more than the namespace may have, and says which limit',
    async (kind, build, name) => {
      const namespace = await namespaceWithQuota('2');
      const path = `/apis/${API_VERSION}/namespaces/${namespace}/${KINDS[kind].plural}`;
      for (const each of ['first', 'second']) await cluster.kube('POST', path, build(each));
      const reply = await cluster.kubeClient.reply('POST', path, build('third'));
      expect(reply.status).toBe(403);
      expect(reply.body).toMatchObject({
        reason: 'Forbidden',
        message: `${KINDS[kind].plural}.keyferry.io "third" is forbidden: exceeded quota: keyferry, requested: ${name}=1, used: ${name}=2, limited: ${name}=2`,
      });
    },
  );
});
