import { describe, expect, it } from 'vitest';
import { aParsedMigration } from '#test/support/migration-rows.ts';
import { jobOf, stateOf } from './job.ts';

const migration = aParsedMigration({ spec: { parallelism: { pods: 4 } } });
const WORKER = { name: 'worker', image: 'keyferry', args: ['worker', '--log-level=debug'] };
const template = {
  template: {
    metadata: { labels: { team: 'a' } },
    spec: {
      restartPolicy: 'OnFailure',
      containers: [{ name: 'proxy' }, WORKER],
      volumes: [{ name: 'files' }],
    },
  },
};

describe('the Job of a migration', () => {
  it('has a pod for each range, which is what the PodTemplate says and knows its migration', () => {
    const job = jobOf(migration, { namespace: 'keyferry-system', template });
    expect(job?.metadata).toMatchObject({ name: 'keyferry-uid-payments', namespace: 'keyferry-system' });
    expect(job?.spec).toMatchObject({ completionMode: 'Indexed', completions: 4, parallelism: 4 });
    const flags = ['--migration=shop/payments', '--uid=uid-payments', '--generation=1', '--pods=4'];
    expect(job?.spec.template).toEqual({
      metadata: { labels: { team: 'a', 'keyferry.io/migration-uid': 'uid-payments' } },
      spec: {
        restartPolicy: 'Never',
        containers: [{ name: 'proxy' }, { ...WORKER, args: [...WORKER.args, ...flags] }],
        volumes: [{ name: 'files' }],
      },
    });
  });

  it('is not made of a PodTemplate without its container', () => {
    const other = { template: { spec: { containers: [{ name: 'other' }] } } };
    expect(jobOf(migration, { namespace: 'keyferry-system', template: other })).toBeUndefined();
    expect(jobOf(migration, { namespace: 'keyferry-system', template: undefined })).toBeUndefined();
  });

  it.each([
    ['active', {}],
    ['active', { conditions: [{ type: 'Complete', status: 'False' }] }],
    ['complete', { conditions: [{ type: 'Complete', status: 'True' }] }],
    ['failed', { conditions: [{ type: 'Failed', status: 'True' }], failedIndexes: '1,3-4' }],
  ])('is %s with the status %j', (state, status) => {
    const metadata = { ...migration.metadata, annotations: { 'keyferry.io/generation': '1' } };
    const job = { apiVersion: 'batch/v1', kind: 'Job', metadata, status };
    expect(stateOf(job, { generation: 1 })).toMatchObject({ state, isCurrent: true });
    expect(stateOf(job, { generation: 2 }).isCurrent).toBe(false);
  });

  it('has as many pods that run as its controller counts, and an unknown number before that', () => {
    const { metadata } = migration;
    const countOf = (status: object): number | undefined => {
      const job = { apiVersion: 'batch/v1', kind: 'Job', metadata, status };
      return stateOf(job, { generation: 1 }).runningPods;
    };
    expect(countOf({ active: 4, ready: 0 })).toBe(0);
    expect(countOf({ active: 4, ready: 3 })).toBe(3);
    expect(countOf({})).toBeUndefined();
    expect(countOf({ ready: 'all' })).toBeUndefined();
  });
});
