import { describe, expect, it } from 'vitest';
import { SecretValue } from '#src/core/secret-value.ts';
import { OperatorError } from '#src/errors.ts';
import type { AccessLog } from '#src/ports.ts';
import { ManualClock, settle } from '#test/support/manual-clock.ts';
import type { BackendCredentials, CredentialSource } from './credentials.ts';
import { recordedCredentials } from './recorded-credentials.ts';

const { signal } = new AbortController();
const use = {
  backend: { kind: 'SecretBackend', namespace: 'team', name: 'bao' },
  address: 'https://bao:8200',
};

/** Says what was asked and recorded, in order; `release` lets the log write. */
function aSource({
  isOpen = true,
  fails,
}: { readonly isOpen?: boolean; readonly fails?: OperatorError } = {}) {
  const seen: unknown[] = [];
  const open = Promise.withResolvers<void>();
  if (isOpen) open.resolve();
  const accessLog: AccessLog = {
    record: async (record) => {
      seen.push(record);
      await open.promise;
    },
  };
  const take = async <T>(what: string, value: T): Promise<T> => {
    seen.push(what);
    return fails === undefined ? Promise.resolve(value) : Promise.reject(fails);
  };
  const source: CredentialSource = {
    readSecretKey: async () => take('read', SecretValue.fromUtf8('canary')),
    requestToken: async () => take('issued', { token: SecretValue.fromUtf8('canary'), expiresAt: 0 }),
  };
  const clock = new ManualClock();
  const credentials: BackendCredentials = recordedCredentials(source, { clock, accessLog })(use);
  return { credentials, seen, clock, release: open.resolve };
}

const secret = { kind: 'Secret', namespace: 'team', name: 'token' };
const readRecord = { operation: 'readCredential', credential: secret, keys: ['token'], ...use };

describe('recorded credentials', () => {
  it('name the Secret or ServiceAccount, the backend and the address, and no value', async () => {
    const { credentials, seen } = aSource();
    await credentials.readSecretKey('team', 'token', 'token', signal);
    await credentials.requestToken('team', 'vault', ['private-audience'], signal);
    await credentials.login('auth/kubernetes/login', async () => Promise.resolve('canary'), signal);
    const account = { kind: 'ServiceAccount', namespace: 'team', name: 'vault' };
    expect(seen).toEqual([
      'read',
      { ...readRecord, outcome: 'done' },
      'issued',
      { operation: 'requestToken', credential: account, ...use, outcome: 'done' },
      { operation: 'login', path: 'auth/kubernetes/login', ...use, outcome: 'done' },
    ]);
    expect(JSON.stringify(seen)).not.toMatch(/canary|private-audience/);
  });

  it('record what failed, by its code', async () => {
    const failure = new OperatorError('CREDENTIALS_MISSING', { op: 'test' });
    const { credentials, seen } = aSource({ fails: failure });
    await expect(credentials.readSecretKey('team', 'token', 'token', signal)).rejects.toBe(failure);
    expect(seen).toEqual(['read', { ...readRecord, outcome: 'CREDENTIALS_MISSING' }]);
  });

  it('are returned only after the record is written', async () => {
    const { credentials, clock, release } = aSource({ isOpen: false });
    let returned = false;
    const reading = credentials.readSecretKey('team', 'token', 'token', signal).finally(() => {
      returned = true;
    });
    await clock.advance(4_000);
    expect(returned).toBe(false);
    release();
    await expect(reading).resolves.toBeDefined();
  });

  it('are neither returned nor read again while the log is blocked, and the error says so', async () => {
    const { credentials, seen, clock, release } = aSource({ isOpen: false });
    const blocked = { code: 'AUDIT_LOG_BLOCKED' };
    const first = expect(credentials.readSecretKey('team', 'token', 'token', signal)).rejects.toMatchObject(
      blocked,
    );
    await clock.advance(6_000);
    await first;
    let loggedIn = false;
    const login = async (): Promise<void> => {
      loggedIn = true;
      return Promise.resolve();
    };
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const again = expect(credentials.login('auth/x/login', login, signal)).rejects.toMatchObject(blocked);
      await clock.advance(6_000);
      await again;
    }
    expect(loggedIn).toBe(false);
    expect(seen).toHaveLength(2); // One access, one record: a blocked log collects none.
    release();
    await settle();
    await credentials.login('auth/x/login', login, signal);
    expect(loggedIn).toBe(true);
  });

  it('pass on an abort unchanged, and record the access all the same', async () => {
    const { credentials, seen } = aSource({ isOpen: false });
    const stop = new AbortController();
    const reading = credentials.readSecretKey('team', 'token', 'token', stop.signal);
    await settle();
    const reason = new Error('shutdown');
    stop.abort(reason);
    await expect(reading).rejects.toBe(reason);
    expect(seen).toContainEqual({ ...readRecord, outcome: 'done' });
  });
});
