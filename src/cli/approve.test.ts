import { describe, expect, it } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import { scriptedSession, type Script } from '#test/support/scripted-session.ts';
import { ready, row, shownMigration } from '#test/support/shown-migrations.ts';
import { approveIn } from './approve.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const OTHER = `sha256:${'b'.repeat(64)}`;
const PLAN = { digest: DIGEST, create: 1, adopt: 0, overwrite: 0, remove: 1, metadataLost: 0 };
const KEYS = [
  row('api-key', 'key', { state: 'Pending', planned: 'Create', expected: { removal: 'Delete' } }),
];
const WAITING = { conditions: [ready('False', 'AwaitingApproval')], plan: PLAN, keys: KEYS };
const REQUIRED = { approval: { required: true } };

function waiting(script: Script = {}, spec: object = REQUIRED, status: object = WAITING) {
  return scriptedSession({ objects: [shownMigration('payments', { spec, status })], ...script });
}

describe('approve', () => {
  it('writes the digest of the plan that it has shown, and keeps what the spec has', async () => {
    const { err, out, server, session } = waiting();
    expect(await approveIn(session, 'payments', { yes: true })).toBe(0);
    expect(err()).toContain('Plan: 1 to create, 1 source to remove.');
    expect(out()).toBe('secretmigration.keyferry.io/payments approved\n');
    expect(server.get('SecretMigration', 'payments')).toMatchObject({
      spec: { approval: { required: true, digest: DIGEST }, select: { all: true } },
    });
  });

  it('asks on a terminal, and takes only a yes for one', async () => {
    const no = waiting({ answer: '\n' });
    expect(await approveIn(no.session, 'payments', {})).toBe(1);
    expect(no.server.sent('PATCH')).toEqual([]);
    const yes = waiting({ answer: 'y\n' });
    expect(await approveIn(yes.session, 'payments', {})).toBe(0);
    expect(yes.err()).toContain('Approve this plan? [y/N]');
  });

  it('needs -y or the digest where nobody can be asked', async () => {
    const { server, session } = waiting();
    await expect(approveIn(session, 'payments', {})).rejects.toThrow('--digest');
    expect(server.sent('PATCH')).toEqual([]);
    expect(await approveIn(session, 'payments', { digest: DIGEST })).toBe(0);
  });

  it('looks again after a conflict, and approves only the plan that was shown', async () => {
    let changes = 0;
    const { session } = waiting({
      before: ({ method }, given) => {
        changes += method === 'PATCH' ? 1 : 0;
        if (method === 'PATCH' && changes === 1)
          given.put(shownMigration('payments', { spec: REQUIRED, status: { ...WAITING, progress: '0/1' } }));
      },
    });
    expect(await approveIn(session, 'payments', { yes: true })).toBe(0);
    expect(changes).toBe(2);
  });

  it('approves nothing when the operator planned again meanwhile', async () => {
    const other = { ...WAITING, plan: { ...PLAN, digest: OTHER } };
    const { server, session } = waiting({
      before: ({ method }, given) => {
        if (method === 'PATCH') given.put(shownMigration('payments', { spec: REQUIRED, status: other }));
      },
    });
    await expect(approveIn(session, 'payments', { yes: true })).rejects.toThrow('another plan');
    expect(server.get('SecretMigration', 'payments')).not.toMatchObject({
      spec: { approval: { digest: OTHER } },
    });
  });

  it.each([
    ['another digest', { digest: 'other' }, {}, `its digest is ${DIGEST}`],
    [
      'one that is approved',
      {},
      { spec: { approval: { required: true, digest: DIGEST } } },
      'approved already',
    ],
    [
      'a dry run',
      {},
      { spec: { dryRun: true }, status: { conditions: [ready('True', 'DryRunCompleted')] } },
      'dry run',
    ],
    [
      'one that needs none',
      {},
      { spec: {}, status: { conditions: [ready('Unknown', 'Progressing')] } },
      'needs none',
    ],
    ['one that is not planned yet', {}, { status: {} }, 'has not planned this version'],
  ])('refuses %s', async (_what, flags, given, words) => {
    const { spec, status } = { spec: REQUIRED, status: WAITING, ...given };
    const { server, session } = waiting({}, spec, status);
    await expect(approveIn(session, 'payments', { yes: true, ...flags })).rejects.toThrow(words);
    expect(server.sent('PATCH')).toEqual([]);
  });

  it('names the right that is missing', async () => {
    const { session } = waiting({
      before: ({ method, op }) => {
        if (method === 'PATCH') throw new OperatorError('ADMISSION_DENIED', { op });
      },
    });
    await expect(approveIn(session, 'payments', { yes: true })).rejects.toThrow(
      'kubectl auth can-i approve secretmigrations.keyferry.io -n shop',
    );
  });
});
