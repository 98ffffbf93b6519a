import { describe, expect, it } from 'vitest';
import { decide, restartPatch } from './workload.ts';

const CHANGED = new Map([['db', '7']]);
const OPTED_IN = { annotations: { 'keyferry.io/restart-on-change': 'true' } };
const POD = { containers: [{ envFrom: [{ secretRef: { name: 'db' } }] }] };

function aDeployment(metadata: object = OPTED_IN, spec: object = {}, restartedFor?: string): object {
  const annotations = restartedFor === undefined ? {} : { 'keyferry.io/restarted-for': restartedFor };
  return { metadata, spec: { template: { metadata: { annotations }, spec: POD }, ...spec } };
}

describe('a workload that uses a changed Secret', () => {
  it('restarts if its owner opted in', () => {
    const decision = decide(aDeployment(), CHANGED);
    expect(decision).toEqual({ kind: 'restart', restart: { text: '{"db":"7"}', names: ['db'] } });
  });

  it('restarts by an annotation of its pod template, and nothing else', () => {
    expect(restartPatch({ text: '{"db":"7"}', names: ['db'] })).toEqual({
      spec: { template: { metadata: { annotations: { 'keyferry.io/restarted-for': '{"db":"7"}' } } } },
    });
  });

  it('restarts without metadata of its pods', () => {
    const spec = { template: { spec: POD } };
    expect(decide({ metadata: OPTED_IN, spec }, CHANGED).kind).toBe('restart');
  });

  it.each<readonly [why: string, object: unknown]>([
    ['nobody opted in', aDeployment({})],
    ['its annotations are null', aDeployment({ annotations: null })],
    [
      'the annotation has another value',
      aDeployment({ annotations: { 'keyferry.io/restart-on-change': 'yes' } }),
    ],
    ['it is being deleted', aDeployment({ ...OPTED_IN, deletionTimestamp: '2026-01-01T00:00:00Z' })],
    ['it was restarted for this revision', aDeployment(OPTED_IN, {}, '{"db":"7"}')],
    ['its pods no longer use it', aDeployment(OPTED_IN, { template: { spec: { containers: [] } } })],
    ['it has no pod template', { metadata: OPTED_IN, spec: {} }],
    ['it is no object', 'db'],
  ])('stays if %s', (_why, object) => {
    expect(decide(object, CHANGED)).toEqual({ kind: 'nothing' });
  });

  it('stays while it is paused', () => {
    expect(decide(aDeployment(OPTED_IN, { paused: true }), CHANGED).kind).toBe('paused');
  });
});
