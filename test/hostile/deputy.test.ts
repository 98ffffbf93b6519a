import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { API_VERSION } from '#src/api/group.ts';
import { aKubernetesBackend, aMigration, anOpenBaoBackend, aSecret } from '#test/builders/objects.ts';
import { OPERATOR_ACCOUNT } from '#test/cluster/cluster.ts';
import type { JsonReply } from '#test/cluster/json-client.ts';
import { aTextCanary, findCanary, type Canary } from '#test/support/canary.ts';
import { eventually } from '#test/support/eventually.ts';
import { kvPut, pathOf } from '#test/support/queries.ts';
import { Stage } from '#test/support/stage.ts';
import { Tenant } from '#test/support/tenant.ts';
import { HostileServer } from './hostile-server.ts';
import { User } from './user.ts';
import { tokenOf } from './victim.ts';

/*
 * The confused deputy: a user who may create the two kinds of a namespace, and nothing else in it, asks the operator
 * for what the user may not do. What counts is what arrives at the server of the user's choice.
 */

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
});

let tenant: Tenant;
let user: User;
let server: HostileServer;
let value: Canary;

beforeEach(async () => {
  const { cluster } = stage;
  tenant = await stage.tenant();
  server = await HostileServer.start(cluster);
  user = await User.create(cluster, tenant.namespace);
  value = aTextCanary('a value that the user may not read');
  await tenant.apply(aSecret('payroll', { key: value.bytes }));
});
afterEach(async () => {
  await user[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  stage.takeUnexpectedErrors();
});

const REFUSED = [403, 422];
const READ_SECRETS = { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list'] };

/** How long a request of the operator may take to arrive, where nothing refused it. */
const ARRIVES_MS = 8000;

/** Everything that arrived at the hostile server, as one text. */
function arrived(): Buffer {
  const parts = server.received.map(
    ({ url, headers, body }) => `${url} ${JSON.stringify(headers)} ${body.toString()}`,
  );
  return Buffer.from(parts.join('\n'));
}

interface Expected {
  /** What the operator must not give away, and whether it did. */
  readonly what: string;
  readonly given: () => boolean;
  /** What the refusal says: another reason would prove nothing. */
  readonly because: RegExp;
}

/**
 * The API server refuses the request, and says why. Where it does not, the operator has time to do what was asked, so
 * that the failure says what it gave away.
 */
async function expectRefused(reply: JsonReply, { what, given, because }: Expected): Promise<void> {
  const wasRefused = REFUSED.includes(reply.status);
  if (!wasRefused) {
    await eventually('it is given away', given, { deadlineMs: ARRIVES_MS }).catch(() => undefined);
  }
  expect({ status: reply.status, [what]: given() }).toEqual({
    status: wasRefused ? reply.status : 'refused with 403 or 422',
    [what]: false,
  });
  expect(reply.body).toMatchObject({ message: expect.stringMatching(because) });
}

/** A backend of the user at the user's own server, with these credentials. */
function hostileBackend(auth: object, name = 'mine') {
  const { cluster, mount } = tenant;
  const spec = { address: server.url, mount, caBundle: cluster.baoCaPem, auth };
  return {
    apiVersion: API_VERSION,
    kind: 'SecretBackend',
    metadata: { name },
    spec: { type: 'openbao', openbao: spec },
  };
}

const STORED_TOKEN = { token: { secretRef: { name: 'bao-token' } } };

describe('a user without a right on Secrets', () => {
  it('gets no Secret of the namespace sent to a server that the user chose', async () => {
    // The administrator of the namespace gave the backend; the user only asks for a migration.
    const { cluster, mount } = tenant;
    await tenant.apply(
      anOpenBaoBackend({ name: 'given', address: server.url, mount, caBundle: cluster.baoCaPem }),
    );
    const reply = await user.create(aMigration('steal', { to: 'given', select: { names: ['payroll'] } }));
    const wasSent = (): boolean => findCanary(value, arrived()).length > 0;
    await expectRefused(reply, {
      what: 'the Secret was sent',
      given: wasSent,
      because: /may not get Secrets/,
    });
  });

  it('gets no Secret deleted, even if the user may read and create it', async () => {
    const migration = aMigration('remove', { select: { names: ['payroll'] }, sourcePolicy: 'Delete' });
    const verbs = [...READ_SECRETS.verbs, 'create'];
    await user.mayAlso(stage.cluster, { ...READ_SECRETS, verbs });
    const reply = await user.create(migration);
    let isGone = false;
    if (!REFUSED.includes(reply.status)) {
      await tenant.untilReady('remove', { status: 'True' }, ARRIVES_MS).catch(() => undefined);
      isGone = (await tenant.secret('payroll')) === undefined;
    }
    await expectRefused(reply, {
      what: 'the Secret is gone',
      given: () => isGone,
      because: /may not delete Secrets/,
    });
  });

  it('gets no Secret created from a document at a server that the user chose', async () => {
    await kvPut(tenant, pathOf(tenant, 'planted'), { key: 'of no worth' });
    const ends = { from: 'bao', to: 'kubernetes' };
    await user.mayAlso(stage.cluster, READ_SECRETS);
    const reply = await user.create(aMigration('plant', { ...ends, select: { names: ['planted'] } }));
    let exists = false;
    if (!REFUSED.includes(reply.status)) {
      await tenant.untilReady('plant', { status: 'True' }, ARRIVES_MS).catch(() => undefined);
      exists = (await tenant.secret('planted')) !== undefined;
    }
    await expectRefused(reply, {
      what: 'a Secret was created',
      given: () => exists,
      because: /may not create Secrets/,
    });
  });

  it('gets no stored token sent to a backend of the user', async () => {
    const token = await tokenOf(tenant);
    const reply = await user.create(hostileBackend(STORED_TOKEN));
    await expectRefused(reply, {
      what: 'the token was sent',
      given: () => findCanary(token, arrived()).length > 0,
      because: /may not get Secret .*bao-token/,
    });
  });

  it('gets no stored token sent by an edited address', async () => {
    const token = await tokenOf(tenant);
    const reply = await user.patch('SecretBackend', 'bao', { spec: { openbao: { address: server.url } } });
    await expectRefused(reply, {
      what: 'the token was sent',
      given: () => findCanary(token, arrived()).length > 0,
      because: /address is immutable/,
    });
  });
});

/** A bearer token of this cluster in the body of a login. */
function sentJwt(): string | undefined {
  return server.received
    .filter(({ endpoint }) => endpoint === 'login')
    .map(({ body }) => /"jwt":"([^"]+)"/.exec(body.toString('utf8'))?.[1])
    .find((jwt) => jwt !== undefined);
}

const NO_TOKEN = /may not create tokens of ServiceAccount/;

describe('a user without a right on ServiceAccounts', () => {
  it.each([
    ['no audience', {}, /audiences/],
    [
      'the audience of the API server',
      { audiences: ['https://kubernetes.default.svc.cluster.local'] },
      NO_TOKEN,
    ],
    ['an audience of its own', { audiences: ['keyferry.io/mine'] }, NO_TOKEN],
  ])('gets no token of one with %s', async (_which, audiences, because) => {
    const kubernetes = { role: 'any', serviceAccountRef: { name: 'default' }, ...audiences };
    const reply = await user.create(hostileBackend({ kubernetes }));
    await expectRefused(reply, { what: 'a token was sent', given: () => sentJwt() !== undefined, because });
  });

  it('who is an administrator gets no token that the API server accepts, either', async () => {
    const kubernetes = { role: 'any', serviceAccountRef: { name: 'default' } };
    const backend = hostileBackend({ kubernetes });
    const path = `/apis/${API_VERSION}/namespaces/${tenant.namespace}/secretbackends`;
    const reply = await stage.cluster.kubeClient.reply('POST', path, backend);
    await expectRefused(reply, {
      what: 'a token was sent',
      given: () => sentJwt() !== undefined,
      because: /audiences/,
    });
  });
});

describe('the identity of the operator', () => {
  it('is never sent to a server, not even for an administrator', async () => {
    const { namespace, name } = OPERATOR_ACCOUNT;
    const kubernetes = { role: 'any', serviceAccountRef: { name }, audiences: ['keyferry.io/any'] };
    const path = `/apis/${API_VERSION}/namespaces/${namespace}/secretbackends`;
    const reply = await stage.cluster.kubeClient.reply('POST', path, hostileBackend({ kubernetes }));
    // Refused by the API server, or by the operator, which says so in the status.
    let wasSent = false;
    if (!REFUSED.includes(reply.status)) {
      const handled = async (): Promise<boolean> => {
        wasSent = sentJwt() !== undefined;
        return (
          wasSent ||
          (await Tenant.at(stage.cluster, namespace, '').backend('mine')).status.conditions !== undefined
        );
      };
      await eventually('the backend was handled', handled);
      await stage.cluster.kube('DELETE', `${path}/mine`);
    }
    expect(wasSent).toBe(false);
  });

  it('is refused in kube-system, too', async () => {
    const path = `/apis/${API_VERSION}/namespaces/kube-system/secretbackends`;
    const kubernetes = {
      role: 'any',
      serviceAccountRef: { name: 'namespace-controller' },
      audiences: ['keyferry.io/any'],
    };
    const reply = await stage.cluster.kubeClient.reply('POST', path, hostileBackend({ kubernetes }));
    let wasSent = false;
    if (!REFUSED.includes(reply.status)) {
      const handled = async (): Promise<boolean> => {
        wasSent = sentJwt() !== undefined;
        const backend = await Tenant.at(stage.cluster, 'kube-system', '').backend('mine');
        return wasSent || backend.status.conditions !== undefined;
      };
      await eventually('the backend was handled', handled);
      await stage.cluster.kube('DELETE', `${path}/mine`);
    }
    expect(wasSent).toBe(false);
  });
});

describe('an address in a form that a filter overlooks', () => {
  // Link-local and metadata; loopback is where the servers of this suite are.
  it.each([
    'https://169.254.169.254',
    'https://2852039166',
    'https://0xA9FEA9FE',
    'https://0251.0376.0251.0376',
    'https://[::ffff:169.254.169.254]',
    'https://[fe80::1]',
    'https://0.0.0.0',
  ])('%s is refused before a connection is made', async (address) => {
    const backend = hostileBackend(STORED_TOKEN, 'metadata');
    const openbao = { ...backend.spec.openbao, address };
    const path = `/apis/${API_VERSION}/namespaces/${tenant.namespace}/secretbackends`;
    const object = { ...backend, spec: { ...backend.spec, openbao } };
    const reply = await stage.cluster.kubeClient.reply('POST', path, object);
    if (REFUSED.includes(reply.status)) return;
    const condition = await eventually(
      'the backend has a result',
      async () => (await tenant.backend('metadata')).status.conditions?.find(({ type }) => type === 'Ready'),
      { deadlineMs: 15_000 },
    );
    expect(condition.status).toBe('False');
    expect(condition.reason).toBe('AddressForbidden');
  });
});

it('has a backend that works, so that a refusal is not an accident', async () => {
  await tenant.apply(aKubernetesBackend('other'));
  await tenant.apply(aMigration('move', { select: { names: ['payroll'] } }));
  await tenant.untilReady('move');
});
