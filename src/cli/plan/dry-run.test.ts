import { describe, expect, it } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import { scriptedSession, type Script } from '#test/support/scripted-session.ts';
import { ready, row, shownMigration, stalled } from '#test/support/shown-migrations.ts';
import { Problem } from '../problem.ts';
import { planExisting, planFile, planNew } from './carry-out.ts';
import { temporaryName } from './dry-run.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const PLANNED = {
  namespace: 'shop',
  name: 'payments',
  spec: {
    source: { backendRef: { name: 'kubernetes' } },
    destination: { backendRef: { name: 'openbao' } },
    select: { all: true },
    sourcePolicy: 'Delete',
    suspend: true,
    approval: { required: true },
    undo: true,
  },
};
const HOW = { format: undefined, timeoutMs: 60_000 };
const TEMPORARY = 'payments-plan-i0000';
const PLAN = { create: 1, adopt: 1, overwrite: 0, remove: 2, metadataLost: 0 };

const ROWS = [
  row('api-key', 'key', { state: 'Pending', reason: 'WouldCreate' }),
  row('database', 'password', { state: 'Pending', reason: 'WouldAdopt' }),
  row('database', 'user', { state: 'Pending', reason: 'WouldAdopt' }),
];

/** The operator has planned what is read. */
function planned(status: object = {}): NonNullable<Script['status']> {
  const conditions = [ready('True', 'DryRunCompleted')];
  return ({ metadata }) =>
    metadata.name === TEMPORARY
      ? { observedGeneration: 1, conditions, plan: PLAN, keys: ROWS, ...status }
      : undefined;
}

describe('a plan that the operator makes', () => {
  it('comes from a dry run of the same spec, without what belongs to the run itself, and leaves nothing', async () => {
    const { out, server, session } = scriptedSession({ status: planned() });
    expect(await planNew(session, PLANNED, HOW)).toBe(2);
    expect(server.sent('POST')).toMatchObject([
      {
        metadata: { namespace: 'shop', name: TEMPORARY, labels: { 'keyferry.io/temporary': 'plan' } },
        spec: { select: { all: true }, sourcePolicy: 'Delete', dryRun: true },
      },
    ]);
    expect(JSON.stringify(server.sent('POST'))).not.toMatch(/suspend|approval|undo/);
    expect([...server.objects.keys()]).toEqual([]);
    expect(out()).toBe(
      [
        'ACTION   DOCUMENT   DESTINATION     KEYS            REASON',
        'create   api-key    shop/api-key    key',
        'adopt    database   shop/database   password,user',
        '',
        'Plan: 1 to create, 1 to adopt, 2 sources to remove.',
        '',
      ].join('\n'),
    );
  });

  it('is nothing where the destination has everything and the sources stay', async () => {
    const plan = { ...PLAN, create: 0, adopt: 1, remove: 0 };
    const { out, session } = scriptedSession({ status: planned({ plan, keys: ROWS.slice(1) }) });
    expect(await planNew(session, PLANNED, HOW)).toBe(0);
    expect(out()).toContain('Nothing to do: 1 to adopt.\n');
  });

  it('shows conflicts and failures first, and fails where a document cannot be planned', async () => {
    const keys = [
      ...ROWS,
      row('smtp', 'password', {
        state: 'Conflict',
        reason: 'DestinationDiffers',
        message: 'It has other bytes.',
      }),
      row('big', 'blob', { state: 'Failed', reason: 'TooLarge', message: 'It does not fit.' }),
    ];
    const conditions = [ready('False', 'PartiallyFailed')];
    const { out, session } = scriptedSession({ status: planned({ conditions, keys }) });
    expect(await planNew(session, PLANNED, HOW)).toBe(1);
    const lines = out().split('\n');
    expect(lines.slice(0, 2)).toEqual([
      'cannot be planned: big: TooLarge: It does not fit.',
      'conflict: smtp: DestinationDiffers: It has other bytes.',
    ]);
    expect(out()).toContain('1 conflict, 1 that cannot be planned');
  });

  it('is one document for programs', async () => {
    const { out, session } = scriptedSession({ status: planned() });
    await planNew(session, PLANNED, { ...HOW, format: 'json' });
    expect(JSON.parse(out())).toMatchObject({
      migration: 'shop/payments',
      totals: { create: 1, adopt: 1, remove: 2 },
      documents: [
        { action: 'create', name: 'api-key' },
        { action: 'adopt', keys: ['password', 'user'] },
      ],
      isComplete: true,
    });
  });
});

describe('the temporary SecretMigration', () => {
  it('goes when the operator can make no plan', async () => {
    const conditions = [ready('False', 'InvalidSpec', 'spec.select is wrong.'), stalled('InvalidSpec')];
    const { server, session } = scriptedSession({ status: planned({ conditions }) });
    await expect(planNew(session, PLANNED, HOW)).rejects.toThrow('InvalidSpec: spec.select is wrong.');
    expect([...server.objects.keys()]).toEqual([]);
  });

  it('goes when the time is over, after a hint that no operator works', async () => {
    const { err, server, session } = scriptedSession({ status: () => ({ observedGeneration: -1 }) });
    await expect(planNew(session, PLANNED, HOW)).rejects.toThrow('made no plan of shop/payments in time');
    expect(err()).toContain('No operator has looked at it yet');
    expect([...server.objects.keys()]).toEqual([]);
  });

  it('goes at Ctrl-C, also where the reply to its creation was lost', async () => {
    const stop = new AbortController();
    const { server, session } = scriptedSession({
      signal: stop.signal,
      before: ({ method }, { objects }) => {
        if (method !== 'POST') return;
        objects.set(`SecretMigration/${TEMPORARY}`, Object(shownMigration(TEMPORARY)));
        stop.abort(new Error('SIGINT'));
      },
    });
    await expect(planNew(session, PLANNED, HOW)).rejects.toThrow('SIGINT');
    expect([...server.objects.keys()]).toEqual([]);
  });

  it('goes also where the request for it arrives after the first look', async () => {
    const stop = new AbortController();
    let deletions = 0;
    const { server, session } = scriptedSession({
      signal: stop.signal,
      before: ({ method }, given) => {
        if (method === 'POST') stop.abort(new Error('SIGINT'));
        if (method === 'DELETE') deletions += 1;
        if (deletions === 2) given.put(shownMigration(TEMPORARY));
      },
    });
    await expect(planNew(session, PLANNED, HOW)).rejects.toThrow('SIGINT');
    expect([deletions, ...server.objects.keys()]).toEqual([2]);
  });

  it('is not deleted where the API server refused to create it: another object may have the name', async () => {
    const { server, session } = scriptedSession({ objects: [shownMigration(TEMPORARY)] });
    await expect(planNew(session, PLANNED, HOW)).rejects.toThrow(OperatorError);
    expect([...server.objects.keys()]).toEqual([`SecretMigration/${TEMPORARY}`]);
  });

  it('is named where it cannot be deleted', async () => {
    const { err, session } = scriptedSession({
      status: planned(),
      before: ({ method, op }) => {
        if (method === 'DELETE') throw new OperatorError('AUTH_DENIED', { op });
      },
    });
    expect(await planNew(session, PLANNED, HOW)).toBe(2);
    expect(err()).toContain(`kubectl delete secretmigration ${TEMPORARY} -n shop`);
  });

  it('has a name that fits, whatever the original is called', () => {
    expect(temporaryName('a'.repeat(253), () => 0.999).length).toBeLessThanOrEqual(253);
    expect(temporaryName(`${'a'.repeat(239)}.b`, () => 0)).toMatch(/^a+-plan-00000$/);
  });
});

describe('the plan of a migration that exists', () => {
  const AWAITING = {
    conditions: [ready('False', 'AwaitingApproval')],
    plan: { ...PLAN, digest: DIGEST },
    keys: ROWS.map((each) => ({ ...each, expected: { removal: 'Delete' } })),
  };

  it('is the one that waits for an approval, with its digest', async () => {
    const { out, err, server, session } = scriptedSession({
      objects: [shownMigration('payments', { status: AWAITING })],
    });
    expect(await planExisting(session, 'payments', HOW)).toBe(2);
    expect(out()).toMatch(/^ACTION +DOCUMENT +DESTINATION +KEYS +SOURCE +REASON$/m);
    expect(out()).toMatch(/^create +api-key +shop\/api-key +key +remove$/m);
    expect(out()).toContain(`Plan: 1 to create, 1 to adopt, 2 sources to remove.\nDigest: ${DIGEST}\n`);
    expect(err()).toContain('kubectl keyferry approve payments -n shop');
    expect(server.sent('POST')).toEqual([]);
  });

  it('says which sources a gate holds, and has no work where the migration is taken back', async () => {
    const held = { state: 'Pending', planned: 'Create', expected: { removal: 'Delete', held: 'InUse' } };
    const keys = [row('api-key', 'key', { ...held, message: 'A pod uses it.' })];
    const { out, session } = scriptedSession({
      objects: [shownMigration('payments', { status: { ...AWAITING, keys } })],
    });
    await planExisting(session, 'payments', HOW);
    expect(out()).toMatch(/^note: api-key: A pod uses it\.$/m);
    expect(out()).toMatch(/^create +api-key +shop\/api-key +key +hold$/m);
    const undone = scriptedSession({ objects: [shownMigration('payments', { spec: { undo: true } })] });
    await expect(planExisting(undone.session, 'payments', HOW)).rejects.toThrow('is taken back');
    expect(undone.server.sent('POST')).toEqual([]);
  });

  it('is nothing after the migration has completed', async () => {
    const conditions = [ready('True', 'Completed'), { ...ready('True', 'Completed'), type: 'Succeeded' }];
    const { err, server, session } = scriptedSession({
      objects: [shownMigration('payments', { status: { conditions } })],
    });
    expect(await planExisting(session, 'payments', HOW)).toBe(0);
    expect(err()).toContain('has completed');
    expect(server.sent('POST')).toEqual([]);
  });

  it('does not miss the sources that an earlier run removed', async () => {
    const keys = [row('gone', 'key', { state: 'Removed' })];
    const conditions = [ready('False', 'PartiallyFailed')];
    const missing = [row('gone', '', { state: 'Failed', reason: 'SourceMissing' }), ...ROWS];
    const { out, session } = scriptedSession({
      objects: [shownMigration('payments', { status: { conditions, keys } })],
      status: planned({ conditions, keys: missing }),
    });
    expect(await planExisting(session, 'payments', HOW)).toBe(2);
    expect(out()).not.toContain('gone');
  });

  it('says that there is no such migration, and how to find its name', async () => {
    const { session } = scriptedSession({});
    await expect(planExisting(session, 'payment', HOW)).rejects.toThrow(
      'kubectl get secretmigrations -n shop',
    );
  });
});

describe('a file of manifests', () => {
  const plan = async (stdin: string, namespace?: string) => {
    const scripted = scriptedSession({ stdin, status: planned() });
    const code = await planFile(scripted.session, { file: '-', namespace }, HOW);
    return { code, ...scripted };
  };

  it('is planned migration by migration, and other kinds are left out', async () => {
    const { code, server } = await plan(
      [
        'apiVersion: v1\nkind: Secret\nmetadata: { name: token }\nstringData: { token: hunter2 }',
        'apiVersion: keyferry.io/v1alpha1\nkind: SecretMigration\nmetadata: { name: payments }\nspec: { destination: { backendRef: { name: openbao } }, select: { all: true } }',
      ].join('\n---\n'),
    );
    expect(code).toBe(2);
    expect(server.sent('POST')).toMatchObject([{ spec: { select: { all: true }, dryRun: true } }]);
  });

  it('is never quoted where it is wrong', async () => {
    const wrong = plan('stringData: { token: hunter2');
    await expect(wrong).rejects.toThrow(/^The standard input is not valid YAML/);
    await expect(wrong).rejects.not.toThrow(/hunter2/);
  });

  it('needs a SecretMigration, of the namespace that -n names', async () => {
    await expect(plan('kind: Secret')).rejects.toThrow('has no SecretMigration');
    const elsewhere =
      'apiVersion: keyferry.io/v1alpha1\nkind: SecretMigration\nmetadata: { name: payments, namespace: shop }';
    await expect(plan(elsewhere, 'other')).rejects.toThrow(Problem);
  });
});
