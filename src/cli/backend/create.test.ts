import { describe, expect, it } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import type { KubeRequest } from '#src/kube/client.ts';
import { isJsonObject } from '#src/kube/json.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import { ScriptedKubeClient } from '#test/support/scripted-kube-client.ts';
import { Output } from '../output.ts';
import type { TypedFlags } from '../typed-flags.ts';
import { createAll, createBackend } from './create.ts';
import { newBackend } from './manifest.ts';

const TOKEN = 'canary-token';
const FLAGS: TypedFlags = { type: 'openbao', address: 'https://bao:8200', auth: 'token', tokenStdin: true };
const { signal } = new AbortController();

/** An API server that keeps objects by path. `refuse`: what it throws instead. */
function aServer(refuse: (request: KubeRequest) => OperatorError | undefined = () => undefined) {
  const objects = new Map<string, object>();
  const client = new ScriptedKubeClient((request) => {
    const { method, path, query = {}, body } = request;
    const refused = refuse(request);
    if (refused !== undefined) throw refused;
    if (method === 'GET') {
      const found = objects.get(path);
      if (found === undefined) throw new OperatorError('NOT_FOUND', { op: 'test' });
      return found;
    }
    if (!isJsonObject(body) || !isJsonObject(body['metadata'])) throw new Error('a POST has an object');
    const { metadata } = body;
    const at = `${path}/${String(metadata['name'])}`;
    const stored = {
      ...body,
      metadata: { ...metadata, uid: `uid-of-${at}`, resourceVersion: '1', generation: 1 },
    };
    if (query['dryRun'] === undefined) objects.set(at, stored);
    return stored;
  });
  const posts = (): readonly string[] =>
    client.requests
      .filter(({ method }) => method === 'POST')
      .map(({ path, query }) => `${path.split('/').at(-1)}${query?.['dryRun'] === undefined ? '' : ' dry'}`);
  return { client, objects, posts };
}

async function create(client: ScriptedKubeClient, flags: TypedFlags = FLAGS, token = TOKEN) {
  let shown = '';
  const write = (text: string): void => void (shown += text);
  const streams = {
    stdout: { write },
    stderr: { write },
    stdin: (async function* piped() {
      yield `${token}\n`;
    })(),
  };
  const invocation = {
    flags: { namespace: 'shop' },
    env: {},
    streams,
    output: new Output(streams, {}),
    clock: systemClock,
    version: '1',
    signal,
  };
  const wanted = await newBackend('bao', 'shop', flags);
  const done = await createAll(invocation, { ...wanted, cluster: { client, signal } }).then(
    () => undefined,
    (failure: unknown) => failure,
  );
  return { failure: done, shown, invocation };
}

const BACKEND = '/apis/keyferry.io/v1alpha1/namespaces/shop/secretbackends/bao';
const SECRET = '/api/v1/namespaces/shop/secrets/bao-credentials';

describe('backend create', () => {
  it('lets the server judge the backend, creates it, and then the Secret that it owns', async () => {
    const { client, objects, posts } = aServer();
    const { failure, shown } = await create(client);
    expect(failure).toBeUndefined();
    expect(posts()).toEqual(['secretbackends dry', 'secretbackends', 'secrets']);
    expect(objects.get(SECRET)).toMatchObject({
      type: 'Opaque',
      metadata: { ownerReferences: [{ kind: 'SecretBackend', name: 'bao', uid: `uid-of-${BACKEND}` }] },
      data: { token: Buffer.from(TOKEN).toString('base64') },
    });
    expect(shown).toBe('secretbackend.keyferry.io/bao created\nsecret/bao-credentials created\n');
    expect(
      client.requests.filter(({ path, holdsNoValue }) => path.includes('/secrets') && holdsNoValue),
    ).toEqual([]);
  });

  it('completes with the same command what ended before the Secret', async () => {
    let isBroken = true;
    const { client, objects, posts } = aServer(({ path, method }) =>
      isBroken && method === 'POST' && path.endsWith('/secrets')
        ? new OperatorError('BACKEND_UNREACHABLE', { op: 'test' })
        : undefined,
    );
    const { failure, shown } = await create(client);
    expect(failure).toMatchObject({ code: 'BACKEND_UNREACHABLE' });
    expect(shown).toContain('run the same command again to complete it');
    isBroken = false;
    expect((await create(client)).failure).toBeUndefined();
    expect(posts().slice(-1)).toEqual(['secrets']);
    expect(objects.has(SECRET)).toBe(true);

    const again = await create(client);
    expect(again.failure).toMatchObject({ message: expect.stringContaining('exists already') });
  });

  it('leaves a Secret of others as it is, and creates nothing', async () => {
    const { client, objects, posts } = aServer();
    objects.set(SECRET, { metadata: { name: 'bao-credentials', uid: 'u', resourceVersion: '1' } });
    const { failure } = await create(client);
    expect(failure).toMatchObject({ message: expect.stringContaining('add --secret bao-credentials') });
    expect(posts()).toEqual([]);
  });

  it('does not ask for a secret that a policy will not let it use', async () => {
    const { client, posts } = aServer(({ query }) =>
      query?.['dryRun'] === undefined ? undefined : new OperatorError('ADMISSION_DENIED', { op: 'test' }),
    );
    const { failure } = await create(client);
    expect(failure).toMatchObject({ code: 'ADMISSION_DENIED' });
    expect(posts()).toEqual(['secretbackends dry']);
  });

  it('needs no Secret of its own to log in with a ServiceAccount or with a Secret that exists', async () => {
    const { client, posts } = aServer();
    const account = {
      ...FLAGS,
      auth: 'kubernetes',
      role: 'shop',
      serviceAccount: 'keyferry',
      tokenStdin: undefined,
    };
    expect((await create(client, account)).failure).toBeUndefined();
    expect(posts()).toEqual(['secretbackends dry', 'secretbackends']);
    const { manifest, credentials } = await newBackend('b', 'shop', { ...FLAGS, secret: 'mine' });
    expect(credentials).toBeUndefined();
    expect(manifest.spec).toMatchObject({ openbao: { auth: { token: { secretRef: { name: 'mine' } } } } });
  });
});

describe('the secret of backend create', () => {
  it('is not in manifests: they have the command for it, and nothing is read', async () => {
    const { client } = aServer();
    const { invocation } = await create(client);
    let printed = '';
    const write = (text: string): void => void (printed += text);
    const output = new Output({ ...invocation.streams, stdout: { write } }, {});
    await createBackend({ ...invocation, output }, 'bao', { ...FLAGS, output: 'yaml' });
    expect(printed).toContain(
      'kubectl create secret generic bao-credentials -n shop --from-file=token=/dev/stdin',
    );
    expect(printed).toContain('kind: SecretBackend');
    expect(printed).not.toContain(TOKEN);
  });

  it('is refused in an argument, and not repeated', async () => {
    const { client } = aServer();
    const { invocation } = await create(client);
    const refused = createBackend(invocation, 'bao', { ...FLAGS, token: TOKEN });
    await expect(refused).rejects.toThrow(/--token is refused/);
    await expect(refused).rejects.not.toThrow(TOKEN);
  });
});

describe('the flags of backend create', () => {
  it.each([
    [{ type: undefined }, '--type is missing'],
    [{ auth: undefined }, '--auth is missing'],
    [{ address: undefined }, '--address is missing'],
    [{ address: 'https://bao:8200/v1' }, 'remove /v1 or /ui'],
    [{ auth: 'approle' }, '--role-id is missing, which --auth approle needs'],
    [{ allowNamespace: ['a'] }, 'add --cluster'],
    [{ caFile: '/nonexistent/ca.pem' }, '--ca-file /nonexistent/ca.pem cannot be read'],
  ])('are refused with %j before the server is asked', async (flags, text) => {
    await expect(newBackend('bao', 'shop', { ...FLAGS, ...flags })).rejects.toThrow(text);
  });
});
