import { describe, expect, it } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import type { WatchEvent, WatchRequest } from '#src/kube/client.ts';
import { ManualClock, settle } from '#test/support/manual-clock.ts';
import { aStoredMigration } from '#test/support/migration-rows.ts';
import { endedAtOnce, ScriptedKubeClient, untilAborted } from '#test/support/scripted-kube-client.ts';
import { watchObjects, type Look } from './watch-objects.ts';

const DOWN = new OperatorError('BACKEND_UNREACHABLE', { op: 'kube.list' });
const choice = {
  kind: 'SecretMigration' as const,
  namespace: 'shop',
  fieldSelector: 'metadata.name=payments',
};

function listOf(...items: readonly object[]) {
  return { kind: 'SecretMigrationList', metadata: { resourceVersion: '7' }, items };
}

function watching(
  answers: readonly (() => unknown)[],
  watches: readonly ((request: WatchRequest) => AsyncIterable<WatchEvent>)[],
) {
  const [clock, stop] = [new ManualClock(), new AbortController()];
  const [left, leftWatches] = [[...answers], [...watches]];
  const asked: WatchRequest[] = [];
  const client = new ScriptedKubeClient(
    () => left.shift()?.(),
    (request) => {
      asked.push(request);
      return (leftWatches.shift() ?? untilAborted)(request);
    },
  );
  const looks: Look[] = [];
  const ended = (async () => {
    for await (const look of watchObjects({ client, choice, clock, signal: stop.signal })) looks.push(look);
  })();
  return { asked, client, clock, ended, looks, stop };
}

describe('a watch for a person', () => {
  it('begins at the list, and passes changes on', async () => {
    const changed = async function* events(): AsyncGenerator<WatchEvent> {
      yield { type: 'BOOKMARK', object: {} };
      yield { type: 'MODIFIED', object: aStoredMigration() };
      yield { type: 'DELETED', object: aStoredMigration() };
    };
    const { asked, client, ended, looks, stop } = watching([() => listOf(aStoredMigration())], [changed]);
    await settle();
    expect(looks.map(({ kind }) => kind)).toEqual(['all', 'changed', 'deleted']);
    expect(client.requests[0]?.query).toMatchObject({ fieldSelector: 'metadata.name=payments' });
    expect(asked[0]?.query).toMatchObject({ resourceVersion: '7', watch: 'true' });
    stop.abort(new Error('enough'));
    await ended;
  });

  it('lists again when the server ended the watch, after a pause', async () => {
    const list = () => listOf();
    const { clock, ended, looks, stop } = watching([list, list], [endedAtOnce, untilAborted]);
    await settle();
    expect(looks.map(({ kind }) => kind)).toEqual(['all']);
    await clock.advance(2_000);
    expect(looks.map(({ kind }) => kind)).toEqual(['all', 'all']);
    stop.abort(new Error('enough'));
    await ended;
  });

  it('says that the connection is lost, and goes on when the server is there again', async () => {
    const list = () => listOf();
    const down = () => Promise.reject(DOWN);
    const { clock, ended, looks, stop } = watching([list, down, down, list], [endedAtOnce, untilAborted]);
    await clock.advance(60_000);
    expect(looks.map(({ kind }) => kind)).toEqual(['all', 'lost', 'lost', 'all']);
    stop.abort(new Error('enough'));
    await ended;
  });

  it('lists again when its position is too old, and says nothing of it', async () => {
    const expired = () => {
      throw new OperatorError('WATCH_EXPIRED', { op: 'kube.watch' });
    };
    const list = () => listOf();
    const { clock, ended, looks, stop } = watching([list, list], [expired, untilAborted]);
    await clock.advance(2_000);
    expect(looks.map(({ kind }) => kind)).toEqual(['all', 'all']);
    stop.abort(new Error('enough'));
    await ended;
  });

  it('fails with the first list: a person who may not list learns it', async () => {
    const denied = new OperatorError('AUTH_DENIED', { op: 'kube.list', status: 403 });
    const { ended } = watching([() => Promise.reject(denied)], []);
    await expect(ended).rejects.toBe(denied);
  });
});
