import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import { ScriptedKubeClient } from '#test/support/scripted-kube-client.ts';
import { KubernetesCredentials } from './credentials.ts';
import { TokenRules } from './token-rules.ts';

const PREFIX = 'keyferry.io/';
const OWN = 'system:serviceaccount:keyferry-system:keyferry';
const REVIEWS = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
const { signal } = new AbortController();

const ISSUED = { status: { token: 'eyJ', expirationTimestamp: '2030-01-01T00:00:00Z' } };

/** Credentials of an operator that the API server knows by this name. */
function credentialsOf(
  options: { readonly allowApiServerAudience?: boolean; readonly review?: () => unknown } = {},
) {
  const { allowApiServerAudience = false, review = () => whoami(OWN) } = options;
  const client = new ScriptedKubeClient(({ path }) => (path === REVIEWS ? review() : ISSUED));
  const rules = new TokenRules({ client, audiencePrefix: PREFIX, allowApiServerAudience });
  return { client, credentials: new KubernetesCredentials(client, rules) };
}

function whoami(username: string): object {
  return { status: { userInfo: { username } } };
}

function tokensRequested({ requests }: ScriptedKubeClient): readonly string[] {
  return requests.map(({ path }) => path).filter((path) => path.endsWith('/token'));
}

/** The code of the failure; `issued` if there is none. */
async function verdictOf(
  { credentials }: ReturnType<typeof credentialsOf>,
  audiences: readonly string[],
  account: { readonly namespace: string; readonly name: string } = { namespace: 'payments', name: 'vault' },
): Promise<string> {
  try {
    await credentials.requestToken(account.namespace, account.name, audiences, signal);
    return 'issued';
  } catch (thrown) {
    if (thrown instanceof OperatorError) return thrown.code;
    throw thrown;
  }
}

describe('a token of a ServiceAccount', () => {
  it('is requested for audiences with the prefix', async () => {
    const rig = credentialsOf();
    expect(await verdictOf(rig, ['keyferry.io/openbao', 'keyferry.io/team'])).toBe('issued');
    expect(tokensRequested(rig.client)).toHaveLength(1);
  });

  it('is not requested for any audience without the prefix, whatever stands beside it', async () => {
    const foreign = fc.string().filter((audience) => !audience.startsWith(PREFIX));
    const own = fc.string().map((rest) => `${PREFIX}${rest}`);
    await fc.assert(
      fc.asyncProperty(foreign, fc.array(own), fc.array(own), async (audience, before, after) => {
        const rig = credentialsOf();
        expect(await verdictOf(rig, [...before, audience, ...after])).toBe('CREDENTIALS_FORBIDDEN');
        expect(tokensRequested(rig.client)).toEqual([]);
      }),
    );
  });

  it('is not requested without audiences, because the API server would add its own', async () => {
    for (const allowApiServerAudience of [false, true]) {
      const rig = credentialsOf({ allowApiServerAudience });
      expect(await verdictOf(rig, [])).toBe('CREDENTIALS_FORBIDDEN');
      expect(tokensRequested(rig.client)).toEqual([]);
    }
  });

  it('is requested for any audience once the administrator allows that of the API server', async () => {
    const rig = credentialsOf({ allowApiServerAudience: true });
    expect(await verdictOf(rig, ['https://kubernetes.default.svc'])).toBe('issued');
  });

  it.each([
    ['the operator itself', { namespace: 'keyferry-system', name: 'keyferry' }],
    ['the control plane', { namespace: 'kube-system', name: 'namespace-controller' }],
  ])('is not requested if the ServiceAccount is that of %s', async (_whose, account) => {
    for (const allowApiServerAudience of [false, true]) {
      const rig = credentialsOf({ allowApiServerAudience });
      expect(await verdictOf(rig, ['keyferry.io/openbao'], account)).toBe('CREDENTIALS_FORBIDDEN');
      expect(tokensRequested(rig.client)).toEqual([]);
    }
  });

  it('is requested for another ServiceAccount beside that of the operator', async () => {
    const rig = credentialsOf();
    const account = { namespace: 'keyferry-system', name: 'vault' };
    expect(await verdictOf(rig, ['keyferry.io/openbao'], account)).toBe('issued');
  });
});

describe('the name of the operator', () => {
  it('is asked once', async () => {
    const rig = credentialsOf();
    await verdictOf(rig, ['keyferry.io/a']);
    await verdictOf(rig, ['keyferry.io/b']);
    expect(rig.client.requests.filter(({ path }) => path === REVIEWS)).toHaveLength(1);
  });

  it.each([
    ['fails', () => Promise.reject(new OperatorError('BACKEND_UNREACHABLE', { op: 'kube.whoami' }))],
    ['tells no name', () => ({ status: {} })],
    ['tells an empty name', () => whoami('')],
  ])('lets no token through while the review %s, and is asked again', async (_what, failing) => {
    let review: () => unknown = failing;
    const rig = credentialsOf({ review: () => review() });
    const own = { namespace: 'keyferry-system', name: 'keyferry' };
    expect(await verdictOf(rig, ['keyferry.io/a'], own)).toMatch(/^(BACKEND_UNREACHABLE|REPLY_INVALID)$/);
    expect(await verdictOf(rig, ['keyferry.io/a'])).toMatch(/^(BACKEND_UNREACHABLE|REPLY_INVALID)$/);
    expect(tokensRequested(rig.client)).toEqual([]);

    review = () => whoami(OWN);
    expect(await verdictOf(rig, ['keyferry.io/a'], own)).toBe('CREDENTIALS_FORBIDDEN');
    expect(await verdictOf(rig, ['keyferry.io/a'])).toBe('issued');
  });
});
