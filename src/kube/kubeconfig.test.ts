import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { dump } from 'js-yaml';
import { ManualClock } from '#test/support/manual-clock.ts';
import type { KubeConnection } from './config.ts';
import { openKubeconfigConnection } from './kubeconfig.ts';

let directory: string;
beforeEach(async () => (directory = await mkdtemp(join(tmpdir(), 'keyferry-kubeconfig-'))));
afterEach(async () => await rm(directory, { recursive: true }));

interface Entries {
  readonly clusters?: Readonly<Record<string, object>>;
  readonly users?: Readonly<Record<string, object>>;
  readonly contexts?: Readonly<Record<string, object>>;
  readonly current?: string;
}

const named = (kind: string, entries: Readonly<Record<string, object>> = {}): object[] =>
  Object.entries(entries).map(([name, entry]) => ({ name, [kind]: entry }));

/** Writes a kubeconfig as YAML; returns its path. */
async function write(name: string, { clusters, users, contexts, current }: Entries): Promise<string> {
  const path = join(directory, name);
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: named('cluster', clusters),
    users: named('user', users),
    contexts: named('context', contexts),
    ...(current === undefined ? {} : { 'current-context': current }),
  };
  await writeFile(path, dump(config));
  return path;
}

const open = async (paths: readonly string[], context?: string): Promise<KubeConnection> =>
  await openKubeconfigConnection({ path: paths.join(delimiter), context, clock: new ManualClock() });

const at = (host: string): object => ({ server: `https://${host}` });
const token = (text: string): object => ({ token: text });
const bearerOf = async (connection: KubeConnection): Promise<string | undefined> =>
  await connection.authorization();

const refused = (word: string): object => ({
  code: 'CONFIG_INVALID',
  message: expect.stringContaining(word),
});

describe('a list of kubeconfig files', () => {
  test('gives each name the whole entry of the first file that has it', async () => {
    const first = await write('first', { clusters: { c: at('one') }, users: { u: token('one') } });
    const second = await write('second', {
      clusters: { c: { ...at('two'), 'proxy-url': 'http://proxy' }, d: at('four') },
      users: { u: { username: 'two', password: 'two' } },
      contexts: { x: { cluster: 'c', user: 'u' } },
      current: 'x',
    });
    const connection = await open([first, second]);
    expect(connection.server.host).toBe('one');
    expect(await bearerOf(connection)).toBe('Bearer one');
  });

  test('has the current-context of the first file that sets one', async () => {
    const none = await write('none', { clusters: { c: at('one'), d: at('two') }, users: { u: token('t') } });
    const contexts = { x: { cluster: 'c', user: 'u' }, z: { cluster: 'd', user: 'u' } };
    const first = await write('first', { contexts, current: 'x' });
    const second = await write('second', { current: 'z' });
    expect((await open([none, first, second])).server.host).toBe('one');
    expect((await open([none, second, first])).server.host).toBe('two');
    expect((await open([none, second, first], 'x')).server.host).toBe('one');
  });

  test('skips missing files, empty names and files without content, unless nothing is left', async () => {
    const all = {
      clusters: { c: at('one') },
      contexts: { x: { cluster: 'c' } },
      current: 'x',
    };
    const [present, empty] = [await write('present', all), join(directory, 'empty')];
    await writeFile(empty, '# nothing\n');
    const missing = join(directory, 'missing');
    expect((await open(['', missing, empty, present, present])).server.host).toBe('one');
    await expect(open([missing])).rejects.toMatchObject(refused(`${missing} does not exist`));
    const two = open([missing, `${missing}-too`]);
    await expect(two).rejects.toMatchObject(refused(`${missing}, ${missing}-too`));
  });

  test('is refused for a file in it that is not a kubeconfig, without a word of what the file has', async () => {
    const good = await write('good', { clusters: { c: at('one') }, contexts: { x: { cluster: 'c' } } });
    for (const text of ['token: "s3cr3t', '- s3cr3t', 'users: [{user: {token: s3cr3t}}]']) {
      const bad = join(directory, 'bad');
      await writeFile(bad, text);
      const error: unknown = await open([good, bad], 'x').catch((thrown: unknown) => thrown);
      expect(error).toMatchObject(refused(`${bad} is not a valid kubeconfig`));
      expect(String(error)).not.toContain('s3cr3t');
    }
    await expect(open([good, directory], 'x')).rejects.toMatchObject(refused(`${directory} cannot be read`));
  });
});

describe('a context', () => {
  test('that is missing is refused with the names that there are', async () => {
    const contexts = { dev: { cluster: 'c' }, test: { cluster: 'c' } };
    const path = await write('config', { clusters: { c: at('one') }, contexts });
    await expect(open([path])).rejects.toMatchObject(refused('no current-context'));
    await expect(open([path], 'prod')).rejects.toMatchObject(refused('--context to one of: dev, test'));
  });

  test.each([
    ['a cluster', { cluster: 'other' }, 'the cluster "other"'],
    ['a user', { cluster: 'c', user: 'other' }, 'the user "other"'],
    ['a user that impersonates', { cluster: 'c', user: 'as' }, 'impersonates'],
  ])('is refused for %s', async (_what, context, word) => {
    const users = { as: { token: 't', as: 'someone' } };
    const path = await write('config', { clusters: { c: at('one') }, users, contexts: { x: context } });
    await expect(open([path], 'x')).rejects.toMatchObject(refused(word));
  });

  test('does not say where the operator is, with the namespace in which its user works', async () => {
    const contexts = { x: { cluster: 'c', namespace: 'payments' } };
    const path = await write('config', { clusters: { c: at('one') }, contexts, current: 'x' });
    expect((await open([path])).namespace).toBeUndefined();
  });
});

describe('paths in a kubeconfig', () => {
  test('are relative to its own file: of a token, and of the command of a login', async () => {
    await mkdir(join(directory, 'bin'));
    await writeFile(join(directory, 'token'), 'from-file\n');
    const command = join(directory, 'bin', 'login');
    const reply = { kind: 'ExecCredential', status: { token: 'from-command' } };
    await writeFile(command, `#!/bin/sh\necho '${JSON.stringify(reply)}'\n`);
    await chmod(command, 0o755);
    const path = await write('config', {
      clusters: { c: at('one') },
      users: {
        file: { tokenFile: 'token', token: 'beside' },
        command: { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: './bin/login' } },
      },
      contexts: { file: { cluster: 'c', user: 'file' }, command: { cluster: 'c', user: 'command' } },
    });
    expect(await bearerOf(await open([path], 'file'))).toBe('Bearer from-file');
    expect(await bearerOf(await open([path], 'command'))).toBe('Bearer from-command');
  });
});
