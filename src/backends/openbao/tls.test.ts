import { rootCertificates } from 'node:tls';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SecretValue } from '#src/core/secret-value.ts';
import { OpenBaoSpecSchema } from './spec.ts';
import { readTls, type TlsMaterial } from './tls.ts';

const [oneCa = '', otherCa = ''] = rootCertificates;
const KEY = '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n-----END PRIVATE KEY-----\n';

/** What `readTls` makes of these settings, where every key of every Secret has this text. */
async function materialOf(settings: object, text: string): Promise<TlsMaterial> {
  const spec = OpenBaoSpecSchema.parse({
    address: 'https://bao.example:8200',
    auth: { token: { secretRef: { name: 'token' } } },
    ...settings,
  });
  const credentials = {
    readSecretKey: () => Promise.resolve(SecretValue.fromUtf8(text)),
    requestToken: () => Promise.reject(new Error('not asked')),
  };
  const { signal } = new AbortController();
  return readTls(spec, { credentials, namespace: 'payments', signal });
}

/** What `readTls` makes of a CA Secret with this text. */
async function authoritiesOf(text: string): Promise<string | undefined> {
  return (await materialOf({ caSecretRef: { name: 'ca' } }, text)).ca;
}

describe('the Secret of caSecretRef', () => {
  it('can have 64 KiB, as caBundle in the spec', async () => {
    const filled = `${oneCa}\n${'#'.repeat(65_535 - oneCa.length)}`;
    expect(await authoritiesOf(filled)).toHaveLength(65_536);
  });

  it('cannot have more: the backend waits, and says so', async () => {
    await expect(authoritiesOf('ä'.repeat(32_769))).rejects.toMatchObject({
      code: 'CREDENTIALS_MISSING',
      target: 'Secret payments/ca',
      message: expect.stringContaining('exceed 64 KiB'),
    });
  });

  it.each([
    ['', 'is empty'],
    [' \n', 'is empty'],
    ['my CA', 'is not PEM'],
    [KEY, 'has no certificate'],
    [
      `${oneCa}\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----`,
      'a certificate that cannot be read (number 2)',
    ],
  ])('is refused as %j: the key is named, and what is wrong with it', async (text, problem) => {
    await expect(authoritiesOf(text)).rejects.toMatchObject({
      code: 'CREDENTIALS_MISSING',
      target: 'Secret payments/ca',
      message: expect.stringContaining('Its key ca.crt, which caSecretRef names, '),
    });
    await expect(authoritiesOf(text)).rejects.toThrow(problem);
  });

  it('is trusted with more than one certificate, and text around them', async () => {
    expect(await authoritiesOf(`# root\n${oneCa}\n# other\n${otherCa}\n`)).toContain(otherCa);
  });

  it('never makes a connection trust the CAs of the system, whatever is in it', async () => {
    const text = fc.oneof(fc.string(), fc.constantFrom('', '\n', KEY, oneCa, '-----BEGIN CERTIFICATE-----'));
    await fc.assert(
      fc.asyncProperty(text, async (stored) => {
        const ca = await authoritiesOf(stored).catch(() => 'refused');
        expect(ca).not.toBe('');
        expect(ca).toBeDefined();
      }),
    );
  });
});

describe('caBundle', () => {
  it('is refused if it has no certificate that can be read, as a mistake in the spec', async () => {
    const caBundle = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----';
    await expect(materialOf({ caBundle }, '')).rejects.toMatchObject({
      code: 'SPEC_INVALID',
      target: 'spec.openbao.caBundle',
    });
  });
});

describe('the Secret of auth.cert', () => {
  it('is refused if it is empty: no certificate would be sent, and the login fail for another reason', async () => {
    const auth = { cert: { secretRef: { name: 'client' } } };
    await expect(materialOf({ auth }, '')).rejects.toMatchObject({
      code: 'CREDENTIALS_MISSING',
      target: 'Secret payments/client',
    });
  });
});
