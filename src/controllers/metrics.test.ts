import { describe, expect, it } from 'vitest';
import { parseClusterSecretBackend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { parseSecretMigration, type SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { PrometheusMetrics } from '#src/telemetry/metrics.ts';
import { aKubernetesBackend, aMigration } from '#test/builders/objects.ts';
import { CACHE_GAUGES, samplesOf, type CachedObjects } from './metrics.ts';

const SINCE = '2026-01-01T00:00:00Z';

function aCondition(type: string, status: string, observedGeneration = 1) {
  return { type, status, observedGeneration, lastTransitionTime: SINCE, reason: 'Completed', message: '' };
}

function finished(name: string, status: object = {}): SecretMigration {
  const parsed = parseSecretMigration({
    ...aMigration(name),
    metadata: { name, namespace: 'ns', uid: name, resourceVersion: '1', generation: 1 },
    status: {
      summary: {
        total: 3,
        pending: 0,
        copied: 0,
        verified: 1,
        removed: 2,
        conflict: 0,
        failed: 0,
        skipped: 0,
      },
      conditions: [aCondition('Ready', 'True'), aCondition('Succeeded', 'True')],
      ...status,
    },
  });
  if (!parsed.ok) throw new Error(parsed.problems.join());
  return parsed.value;
}

/** The lines that a process serves that has only read these objects. */
async function linesOf(objects: Partial<CachedObjects>): Promise<readonly string[]> {
  const metrics = new PrometheusMetrics();
  metrics.computeAtScrape(CACHE_GAUGES, () => samplesOf({ migrations: [], backends: [], ...objects }));
  const { body } = await metrics.exposition();
  return body.split('\n').filter((line) => /^secretmigration_[a-z_]+\{.*name="/.test(line));
}

describe('the metrics of a migration that finished in an earlier process', () => {
  it('are those of its status', async () => {
    const lines = await linesOf({ migrations: [finished('m')] });
    const about = 'namespace="ns",name="m"';
    expect(lines).toEqual(
      expect.arrayContaining([
        `secretmigration_keys{${about},state="removed"} 2`,
        `secretmigration_keys{${about},state="failed"} 0`,
        `secretmigration_condition{${about},type="Ready",status="True"} 1`,
        `secretmigration_condition{${about},type="Succeeded",status="False"} 0`,
        `secretmigration_condition{${about},type="Stalled",status="False"} 1`,
        `secretmigration_last_success_timestamp_seconds{${about}} ${Date.parse(SINCE) / 1000}`,
      ]),
    );
  });

  it('are Unknown while its conditions are about an earlier spec', async () => {
    const conditions = [aCondition('Ready', 'True', 0), aCondition('Succeeded', 'False')];
    const lines = await linesOf({ migrations: [finished('m', { conditions, summary: undefined })] });
    expect(lines).toContain(
      'secretmigration_condition{namespace="ns",name="m",type="Ready",status="Unknown"} 1',
    );
    expect(lines.join()).not.toMatch(/last_success|_keys/);
  });
});

it('a backend has a metric of its readiness, also before the first probe', async () => {
  const metadata = { name: 'shared', uid: 'u', resourceVersion: '1', generation: 1 };
  const { spec } = aKubernetesBackend();
  const object = { apiVersion: 'keyferry.io/v1alpha1', kind: 'ClusterSecretBackend', metadata, spec };
  const ready = parseClusterSecretBackend({
    ...object,
    status: { conditions: [aCondition('Ready', 'True')] },
  });
  const fresh = parseClusterSecretBackend({ ...object, metadata: { ...metadata, name: 'fresh' } });
  if (!ready.ok || !fresh.ok) throw new Error('both are valid');
  const lines = await linesOf({ backends: [ready.value, fresh.value] });
  const series = (name: string, type: string, status: string): string =>
    `secretmigration_backend_condition{kind="ClusterSecretBackend",namespace="",name="${name}",type="${type}",status="${status}"} 1`;
  expect(lines.filter((line) => line.endsWith(' 1'))).toEqual([
    series('shared', 'Ready', 'True'),
    series('shared', 'Stalled', 'False'),
    series('fresh', 'Ready', 'Unknown'),
    series('fresh', 'Stalled', 'Unknown'),
  ]);
});
