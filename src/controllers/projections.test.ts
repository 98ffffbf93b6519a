import { expect, test } from 'vitest';
import { aMigration } from '#test/builders/objects.ts';
import { projectMigration } from './projections.ts';

const METADATA = { name: 'moving', namespace: 'a', uid: 'u', resourceVersion: '1', generation: 1 };

test('a migration is kept without its rows, which are not even read', () => {
  const rows = [{ state: 'Verified' }];
  const status = { progress: '1/1', keys: rows, exceptions: rows };
  const stored = { ...aMigration('moving'), metadata: METADATA, status };
  const kept = projectMigration(stored);
  expect(kept.status).toMatchObject({ progress: '1/1' });
  expect(Object.values(kept.status)).not.toContainEqual(rows);
});

test('a migration without a status is kept', () => {
  const kept = projectMigration({ ...aMigration('moving'), metadata: METADATA });
  expect(kept.spec.source.backendRef?.name).toBe('kubernetes');
});
