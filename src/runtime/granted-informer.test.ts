import { beforeEach, describe, expect, it } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import type { KubeObject } from '#src/kube/client.ts';
import { ManualClock, settle } from '#test/support/manual-clock.ts';
import { RecordedLog, RecordedMetrics } from '#test/support/recorded.ts';
import { ScriptedKubeClient } from '#test/support/scripted-kube-client.ts';
import { GrantedInformer } from './granted-informer.ts';

const resource = { group: 'g.io', version: 'v1', plural: 'things', kind: 'Thing', namespaced: false };

let clock: ManualClock;
let log: RecordedLog;
let stop: AbortController;

beforeEach(() => {
  clock = new ManualClock();
  log = new RecordedLog();
  stop = new AbortController();
});

function start(answer: () => boolean) {
  const client = new ScriptedKubeClient(({ method }) =>
    method === 'POST'
      ? { status: { allowed: answer() } }
      : {
          kind: 'ThingList',
          metadata: { resourceVersion: '1' },
          items: [{ metadata: { name: 'x', uid: 'u', resourceVersion: '1' } }],
        },
  );
  const informer = new GrantedInformer<KubeObject>({
    client,
    selection: { resource },
    project: (object) => object,
    clock,
    random: () => 0.5,
    logger: log,
    metrics: new RecordedMetrics(),
  });
  const running = informer.run(stop.signal);
  const lists = (): number => client.requests.filter(({ method }) => method === 'GET').length;
  const warnings = () => log.lines.filter(({ level }) => level === 'warn');
  return { informer, lists, running, warnings };
}

describe('the cache of a resource that is not needed', () => {
  it('asks for the right, then lists', async () => {
    const { informer, warnings } = start(() => true);
    await informer.synced;
    expect([...informer.store.keys()]).toEqual(['x']);
    expect(informer.isGranted).toBe(true);
    expect(warnings()).toEqual([]);
  });

  it('sends no list without the right, says so once, and counts as synced', async () => {
    const { informer, lists, warnings } = start(() => false);
    await informer.synced;
    await clock.advance(600_000);
    expect(informer).toMatchObject({ hasSynced: true, isGranted: false });
    expect(informer.store.size).toBe(0);
    expect(lists()).toBe(0);
    expect(warnings().map(({ fields }) => fields)).toEqual([
      {
        resource: 'things.g.io',
        grant: 'list and watch on things.g.io in all namespaces',
        hint: 'Grant it: https://keyferry.io/docs/security/rbac.',
      },
    ]);
  });

  it('is filled once the right is granted, and only then counts as known', async () => {
    let granted = false;
    const { informer } = start(() => granted);
    await settle();
    granted = true;
    expect(informer.isGranted).toBe(false);
    await clock.advance(60_000);
    expect([...informer.store.keys()]).toEqual(['x']);
    expect(informer).toMatchObject({ hasSynced: true, isGranted: true });
    expect(log.lines.map(({ message }) => message)).toContain('a resource is used now');
  });

  it('asks again soon when the question fails: it is not synced meanwhile', async () => {
    let fails = true;
    const { informer, lists } = start(() => {
      if (fails) throw new OperatorError('BACKEND_UNREACHABLE', { op: 'test' });
      return false;
    });
    await settle();
    expect(informer.hasSynced).toBe(false);
    fails = false;
    await clock.advance(2_000);
    expect(informer.hasSynced).toBe(true);
    expect(lists()).toBe(0);
  });

  it('ends when its signal aborts', async () => {
    const { informer, running } = start(() => false);
    await informer.synced;
    stop.abort();
    await running;
  });
});
