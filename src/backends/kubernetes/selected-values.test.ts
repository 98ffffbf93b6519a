import { describe, expect, it } from 'vitest';
import type { ReadOutcome } from '../driver.ts';
import type { ReadScope } from '../hints.ts';
import { OperatorError } from '#src/errors.ts';
import type { KubeRequest } from '#src/kube/client.ts';
import { collect } from '#test/support/collect.ts';
import { ScriptedKubeClient } from '#test/support/scripted-kube-client.ts';
import { KubernetesDriver } from './driver.ts';

/*
 * Which values leave the API server. It is scripted, because no real one tells; test/conformance/kubernetes.test.ts has the same
 * selectors on a real one.
 */

const { signal } = new AbortController();

interface Stored {
  readonly type?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** True if all terms of the form `key=value` and `key!=value` hold. */
function matches(selector: string | undefined, valueOf: (key: string) => string | undefined): boolean {
  return (selector ?? '')
    .split(/(?<!\\),/)
    .filter((term) => term !== '')
    .every((term) => {
      const [, key = '', sign, value] = /^([^!=]+)(!?=)(.*)$/.exec(term.replaceAll(/\\(.)/g, '$1')) ?? [];
      return (valueOf(key) === value) === (sign === '=');
    });
}

/** A namespace with these Secrets, whose values it counts as they leave. */
class Namespace {
  readonly values: string[] = [];
  readonly requests: string[] = [];
  readonly driver: KubernetesDriver;
  readonly #secrets: ReadonlyMap<string, Stored>;

  constructor(secrets: Readonly<Record<string, Stored>>) {
    this.#secrets = new Map(Object.entries(secrets));
    this.driver = new KubernetesDriver(new ScriptedKubeClient((request) => this.#answer(request)), 'ns');
  }

  async read(names: readonly string[], scope?: ReadScope): Promise<ReadonlyMap<string, string>> {
    const outcomes: readonly ReadOutcome[] = await collect(this.driver.readMany(names, signal, scope));
    expect(outcomes).toHaveLength(new Set(names).size);
    return new Map(
      outcomes.map((each) => [each.address, 'result' in each ? each.result.state : 'error'] as const),
    );
  }

  #answer(request: KubeRequest): unknown {
    if (request.op === 'kube.secret.review') return { status: { allowed: true } };
    const name = /\/secrets\/(.+)$/.exec(request.path)?.[1];
    if (name !== undefined) {
      this.requests.push('get');
      if (!this.#secrets.has(name)) throw new OperatorError('NOT_FOUND', { op: 'test' });
      this.values.push(name);
      return this.#object(name);
    }
    const withValues = request.accept === undefined;
    this.requests.push(withValues ? 'values' : 'metadata');
    const names = [...this.#secrets.keys()].filter((each) => this.#isListed(each, request));
    if (withValues) this.values.push(...names);
    return { metadata: {}, items: names.map((each) => this.#object(each)) };
  }

  #isListed(name: string, { query = {} }: KubeRequest): boolean {
    const { labels = {}, type = 'Opaque' } = this.#secrets.get(name) ?? {};
    const fields = new Map([
      ['metadata.name', name],
      ['type', type],
    ]);
    return (
      matches(query['labelSelector'], (key) => labels[key]) &&
      matches(query['fieldSelector'], (key) => fields.get(key))
    );
  }

  #object(name: string): object {
    const { labels = {}, type = 'Opaque' } = this.#secrets.get(name) ?? {};
    return {
      metadata: { name, uid: `uid-${name}`, resourceVersion: '1', labels },
      type,
      data: { k: 'dg==' },
    };
  }
}

const many = (prefix: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}-${String(index).padStart(3, '0')}`);
const all = (names: readonly string[], stored: Stored = {}): Readonly<Record<string, Stored>> =>
  Object.fromEntries(names.map((name) => [name, stored]));
const wanted = many('app', 20);

describe('values of Secrets that nobody selected do not leave the server', () => {
  it('when few are named among many: each is read by name', async () => {
    const there = new Namespace({ ...all(many('other', 100)), ...all(wanted) });
    await there.read(wanted);
    expect(there.values.toSorted()).toEqual(wanted);
    expect(there.requests).toEqual(['metadata', ...wanted.map(() => 'get')]);
  });

  it('when most are named: the server leaves out the others by their names', async () => {
    const there = new Namespace({ ...all(many('other', 7)), ...all(wanted) });
    expect(
      [...(await there.read([...wanted, 'absent'])).values()].filter((each) => each === 'absent'),
    ).toHaveLength(1);
    expect(there.values.toSorted()).toEqual(wanted);
    expect(there.requests).toEqual(['metadata', 'values', 'get']);
  });

  it('when they are selected by labels: the server gets the selector', async () => {
    const there = new Namespace({ ...all(many('other', 500)), ...all(wanted, { labels: { team: 'web' } }) });
    await there.read(wanted, { labelSelector: 'team=web', listed: 20 });
    expect(there.values.toSorted()).toEqual(wanted);
    expect(there.requests).toEqual(['values']);
  });

  it('when types are excluded, and never those of types that no migration touches, nor backups', async () => {
    const odd = 'example.org/a,b=c\\d';
    const there = new Namespace({
      ...all(many('tls', 30), { type: 'kubernetes.io/tls' }),
      ...all(many('odd', 30), { type: odd }),
      ...all(many('release', 30), { type: 'helm.sh/release.v1' }),
      ...all(many('token', 30), { type: 'kubernetes.io/service-account-token' }),
      ...all(many('kept', 30), { labels: { 'keyferry.io/backup': 'true' } }),
      ...all(wanted),
    });
    await there.read(wanted, { listed: 20, withoutTypes: ['kubernetes.io/tls', odd] });
    expect(there.values.toSorted()).toEqual(wanted);
    expect(there.requests).toEqual(['values']);
  });

  it('when Keyferry created them among others', async () => {
    const ours = { 'app.kubernetes.io/managed-by': 'keyferry' };
    const there = new Namespace({ ...all(many('other', 100)), ...all(wanted, { labels: ours }) });
    await there.read(wanted, { areOurs: true });
    expect(there.values.toSorted()).toEqual(wanted);
    expect(there.requests).toEqual(['metadata', 'values']);
  });
});

describe('what a page does not show', () => {
  it('is read by name where it lost its label or has another type', async () => {
    const there = new Namespace({
      ...all(wanted, { labels: { team: 'web' } }),
      moved: {},
      release: { type: 'helm.sh/release.v1' },
    });
    const names = [...wanted, 'moved', 'release', 'gone'];
    const states = await there.read(names, { labelSelector: 'team=web', listed: names.length });
    expect([...states].filter(([, state]) => state !== 'present')).toEqual([['gone', 'absent']]);
    expect(there.requests).toEqual(['values', 'get', 'get', 'get']);
  });

  it('is absent by one list of names, not by a request each', async () => {
    const there = new Namespace(all(many('other', 30)));
    const states = await there.read(many('gone', 100));
    expect(new Set(states.values())).toEqual(new Set(['absent']));
    expect(there.values).toEqual([]);
    expect(there.requests).toEqual(['metadata', 'metadata']);
  });
});

function rowsOf(secrets: readonly (readonly [string, string, Readonly<Record<string, string>>])[]) {
  return secrets.map(([name, type, labels]) => ({
    cells: [name, type, 1, '5s'],
    object: { metadata: { name, uid: `uid-${name}`, resourceVersion: '7', labels } },
  }));
}

describe('a listing that counts what it leaves out', () => {
  const table = {
    metadata: {},
    columnDefinitions: ['Name', 'Type', 'Data', 'Age'].map((name) => ({ name })),
    rows: rowsOf([
      ['a', 'Opaque', {}],
      ['b', 'kubernetes.io/tls', { team: 'web' }],
      ['token', 'kubernetes.io/service-account-token', {}],
      ['release', 'helm.sh/release.v1', {}],
      ['a.migrated-bak', 'Opaque', { 'keyferry.io/backup': 'true' }],
    ]),
  };

  async function listed(reply: unknown) {
    const client = new ScriptedKubeClient(({ op }) =>
      op === 'kube.secret.review' ? { status: { allowed: true } } : reply,
    );
    const leftOut: string[] = [];
    const versions: string[] = [];
    const query = {
      folder: '',
      leftOut: (reason: string) => void leftOut.push(reason),
      onVersion: (address: string, { revision }: { readonly revision: string }) =>
        void versions.push(`${address} ${revision}`),
    };
    const entries = await collect(new KubernetesDriver(client, 'ns').list(query, signal));
    const lists = client.requests.filter(({ op }) => op === 'kube.secret.listMetadata');
    return { entries, leftOut, lists, versions };
  }

  it('is one list, which has the type and the version of each Secret and no value', async () => {
    const { entries, leftOut, lists, versions } = await listed(table);
    expect(entries).toEqual([
      { address: 'a', labels: {}, type: 'Opaque' },
      { address: 'b', labels: { team: 'web' }, type: 'kubernetes.io/tls' },
    ]);
    expect(leftOut.toSorted()).toEqual(['Backup', 'ExcludedType', 'ExcludedType']);
    expect(versions).toEqual(['a 7', 'b 7']);
    expect(lists.map(({ query }) => query)).toEqual([
      expect.objectContaining({ fieldSelector: undefined, labelSelector: undefined }),
    ]);
    expect(lists[0]?.accept).toMatch(/^application\/json;as=Table;g=meta\.k8s\.io;v=v1,/);
  });

  it('leaves the types open where the server sends no table', async () => {
    const items = table.rows.map(({ object }) => object);
    const { entries, leftOut } = await listed({ metadata: {}, items });
    expect(entries.map((each) => 'type' in each)).toEqual([false, false, false, false]);
    expect(leftOut).toEqual(['Backup']);
  });
});
