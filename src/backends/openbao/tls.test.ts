import { describe, expect, it } from 'vitest';
import { SecretValue } from '#src/core/secret-value.ts';
import { OpenBaoSpecSchema } from './spec.ts';
import { readTls } from './tls.ts';

/** What `readTls` makes of a CA Secret with this text. */
async function authoritiesOf(text: string): Promise<string | undefined> {
  const spec = OpenBaoSpecSchema.parse({
    address: 'https://bao.example:8200',
    auth: { token: { secretRef: { name: 'token' } } },
    caSecretRef: { name: 'ca' },
  });
  const credentials = {
    readSecretKey: () => Promise.resolve(SecretValue.fromUtf8(text)),
    requestToken: () => Promise.reject(new Error('not asked')),
  };
  const { signal } = new AbortController();
  return (await readTls(spec, { credentials, namespace: 'payments', signal })).ca;
}

describe('the Secret of caSecretRef', () => {
  it('can have 64 KiB, as caBundle in the spec', async () => {
    expect(await authoritiesOf('x'.repeat(65_536))).toHaveLength(65_536);
  });

  it('cannot have more: the backend waits, and says so', async () => {
    await expect(authoritiesOf('ä'.repeat(32_769))).rejects.toMatchObject({
      code: 'CREDENTIALS_MISSING',
      target: 'Secret payments/ca',
      message: expect.stringContaining('exceed 64 KiB'),
    });
  });
});
