import { expect, test } from 'vitest';
import type { KubeObject } from '#src/kube/client.ts';
import { objectKey, parseObjectKey, Store } from './store.ts';

function object(name: string, labels: Record<string, string>, namespace = 'ns'): KubeObject {
  return { metadata: { name, namespace, uid: name, resourceVersion: '1', labels } };
}

test('an index follows changes and removals', () => {
  const store = new Store<KubeObject>({ team: (each) => Object.values(each.metadata.labels ?? {}) });
  store.set(object('a', { team: 'red' }));
  store.set(object('b', { team: 'red' }));
  const names = (team: string): string[] => store.byIndex('team', team).map((each) => each.metadata.name);
  expect(names('red')).toEqual(['a', 'b']);
  store.set(object('a', { team: 'blue' }));
  expect([names('red'), names('blue')]).toEqual([['b'], ['a']]);
  store.delete('ns/b');
  expect(names('red')).toEqual([]);
  expect(() => store.byIndex('color', 'red')).toThrowError(expect.objectContaining({ code: 'INVARIANT' }));
});

test('readers cannot change cached objects', () => {
  const store = new Store<KubeObject>();
  const cached = object('a', { team: 'red' });
  store.set(cached);
  expect(() => Object.assign(store.get('ns/a')?.metadata.labels ?? {}, { team: 'x' })).toThrow(TypeError);
});

test('keys and names convert into each other', () => {
  expect(parseObjectKey(objectKey({ namespace: 'ns', name: 'a' }))).toEqual({ namespace: 'ns', name: 'a' });
  expect(parseObjectKey(objectKey({ name: 'a' }))).toEqual({ name: 'a' });
});
