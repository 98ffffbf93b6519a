import { describe, expect, it } from 'vitest';
import { RECONCILE_REQUESTED_ANNOTATION } from '#src/api/group.ts';
import { parseSecretMigration, type SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { aMigration } from '#test/builders/objects.ts';
import { nextTask, type Task } from './task.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const UNTIL = '2026-01-01T00:01:00Z';

interface State {
  readonly spec?: object;
  readonly status?: object;
  readonly requested?: string;
  readonly isReady?: boolean;
}

function migrationIn({ spec = {}, status = {}, requested, isReady = true }: State): SecretMigration {
  const migration = aMigration('m');
  const annotations = requested === undefined ? {} : { [RECONCILE_REQUESTED_ANNOTATION]: requested };
  const ready = {
    type: 'Ready',
    status: 'True',
    observedGeneration: isReady ? 2 : 1,
    lastTransitionTime: '2026-01-01T00:00:00Z',
    reason: 'Completed',
    message: '',
  };
  const parsed = parseSecretMigration({
    ...migration,
    metadata: { name: 'm', namespace: 'ns', uid: 'u', resourceVersion: '1', generation: 2, annotations },
    spec: { ...migration.spec, ...spec },
    status: { observedGeneration: 2, conditions: [ready], ...status },
  });
  if (!parsed.ok) throw new Error(parsed.problems.join());
  return parsed.value;
}

function taskOf(state: State, nowMs = NOW, awaitsProbe = false): Task {
  return nextTask(migrationIn(state), { nowMs, awaitsProbe, isFollowed: false, probeWaitMs: 30_000 });
}

/** The task of a migration in mode Sync whose changes this process knows. */
function followingTaskOf(state: State, more: { awaitsProbe?: boolean; isFollowed?: boolean } = {}): Task {
  const migration = migrationIn({ ...state, spec: { mode: 'Sync', ...state.spec } });
  const now = { nowMs: NOW, awaitsProbe: false, isFollowed: true, probeWaitMs: 30_000, ...more };
  return nextTask(migration, now);
}

const FALLBACK = {
  spec: { source: { backendRef: { name: 'kubernetes' }, fallback: { prefix: 'old_', untilTime: UNTIL } } },
  status: { fallback: { state: 'Active', hits: 0 } },
};
const BACKUPS = { backupTTLSeconds: 60, sourcePolicy: 'Backup' };

describe('the next task of a migration', () => {
  it('is to take it back while spec.undo asks for that, once, and when another try is requested', () => {
    const spec = { undo: true };
    expect(taskOf({ spec, isReady: false })).toEqual({ kind: 'undo' });
    expect(taskOf({ spec })).toEqual({ kind: 'wait' });
    expect(taskOf({ spec: { ...spec, ...BACKUPS } })).toEqual({ kind: 'wait' });
    expect(taskOf({ spec, requested: 'now' })).toEqual({ kind: 'undo' });
    expect(taskOf({ spec: { ...spec, suspend: true }, isReady: false })).toEqual({ kind: 'suspend' });
    expect(taskOf({ spec: { undo: false }, isReady: false })).toEqual({ kind: 'run' });
  });

  it('is a run while this generation has not completed, and when another run is requested', () => {
    expect(taskOf({ isReady: false })).toEqual({ kind: 'run' });
    expect(taskOf({ requested: 'now' })).toEqual({ kind: 'run' });
  });

  it('is to wait once the generation and the requested run have completed', () => {
    expect(taskOf({})).toEqual({ kind: 'wait' });
    expect(taskOf({ requested: 'now', status: { lastHandledReconcileAt: 'now' } })).toEqual({ kind: 'wait' });
  });

  it('is maintenance when backups of a completed migration expire', () => {
    expect(taskOf({ spec: BACKUPS })).toEqual({ kind: 'maintain' });
    expect(taskOf({ spec: BACKUPS, isReady: false })).toEqual({ kind: 'run' });
  });

  it('is to show the suspension, except of a completed migration', () => {
    expect(taskOf({ spec: { suspend: true }, isReady: false })).toEqual({ kind: 'suspend' });
    expect(taskOf({ spec: { suspend: true, ...BACKUPS } })).toEqual({ kind: 'suspend' });
    expect(taskOf({ spec: { suspend: true } })).toEqual({ kind: 'wait' });
  });

  it('is to wait while a plan awaits approval, until it is approved or a run is requested', () => {
    const approval = { required: true };
    const digest = `sha256:${'0'.repeat(64)}`;
    const ready = { type: 'Ready', status: 'False', observedGeneration: 2, reason: 'AwaitingApproval' };
    const conditions = [{ ...ready, lastTransitionTime: '2026-01-01T00:00:00Z', message: '' }];
    const plan = { digest, create: 1, adopt: 0, overwrite: 0, remove: 0, metadataLost: 0 };
    const status = { conditions, plan };
    expect(taskOf({ spec: { approval }, status })).toEqual({ kind: 'wait' });
    expect(taskOf({ spec: { approval }, status }, NOW, true)).toEqual({ kind: 'wait' });
    expect(taskOf({ spec: { approval }, status, requested: 'now' })).toEqual({ kind: 'run' });
    expect(taskOf({ spec: { approval: { ...approval, digest } }, status })).toEqual({ kind: 'run' });
    expect(taskOf({ spec: { approval, suspend: true }, status })).toEqual({ kind: 'suspend' });
    expect(taskOf({ spec: {}, status })).toEqual({ kind: 'run' });
  });

  it('is to wait for the first probe of a backend, unless the migration is suspended or completed', () => {
    const wait = { kind: 'wait', afterMs: 30_000 };
    expect(taskOf({ isReady: false }, NOW, true)).toEqual(wait);
    expect(taskOf({ spec: BACKUPS }, NOW, true)).toEqual(wait);
    expect(taskOf({ spec: { suspend: true }, isReady: false }, NOW, true)).toEqual({ kind: 'suspend' });
    expect(taskOf({}, NOW, true)).toEqual({ kind: 'wait' });
  });

  it('is to end the fallback, at its time and only once', () => {
    expect(taskOf(FALLBACK, NOW)).toEqual({ kind: 'wait', afterMs: 60_000 });
    expect(taskOf(FALLBACK, NOW + 60_000)).toEqual({ kind: 'endFallback' });
    const ended = { ...FALLBACK, status: { fallback: { state: 'Ended', hits: 0 } } };
    expect(taskOf(ended, NOW + 60_000)).toEqual({ kind: 'wait' });
  });
});

describe('the task of a migration in mode Sync', () => {
  it('is a pass until this process has made one, and then what changed, whatever Ready says', () => {
    expect(followingTaskOf({}, { isFollowed: false })).toEqual({ kind: 'run' });
    expect(followingTaskOf({})).toEqual({ kind: 'follow' });
    expect(followingTaskOf({ isReady: false })).toEqual({ kind: 'follow' });
  });

  it('is a pass when a user requests one, until it was answered', () => {
    expect(followingTaskOf({ requested: 'now' })).toEqual({ kind: 'run' });
    expect(followingTaskOf({ requested: 'now', status: { lastHandledReconcileAt: 'now' } })).toEqual({
      kind: 'follow',
    });
  });

  it('waits for a backend, and while it is suspended', () => {
    expect(followingTaskOf({}, { awaitsProbe: true })).toEqual({ kind: 'wait', afterMs: 30_000 });
    expect(followingTaskOf({ spec: { suspend: true } })).toEqual({ kind: 'suspend' });
  });

  it('is that of mode Once for a dry run', () => {
    expect(followingTaskOf({ spec: { dryRun: true } })).toEqual({ kind: 'wait' });
  });
});
