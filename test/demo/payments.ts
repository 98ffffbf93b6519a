import type { V1Secret } from '@kubernetes/client-node';
import type { Wire } from '#src/kube/wire.ts';
import { randomBytes } from 'node:crypto';
import { createAuthority, issueCertificate } from '#test/cluster/pki.ts';

/** A Secret as the demo creates it; `data` is base64 as in the API. */
type DemoSecret = Wire<V1Secret>;

const BIG_TEXT_BYTES = 1_000_000;

function secret(
  name: string,
  values: Readonly<Record<string, string | Buffer>>,
  more: { readonly type?: string; readonly immutable?: true } = {},
): DemoSecret {
  const data = Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')]);
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name },
    type: 'Opaque',
    ...more,
    data: Object.fromEntries(data),
  };
}

/** Random printable text of exactly `bytes` bytes. */
function text(bytes: number): string {
  return randomBytes(bytes).toString('base64').slice(0, bytes);
}

/** Twelve typical Secrets of a team, with the details that careless tools lose. The values are random. */
export async function paymentsSecrets(): Promise<readonly DemoSecret[]> {
  const authority = await createAuthority('payments-demo-ca');
  const tls = await issueCertificate(authority, {
    commonName: 'payments.example',
    dnsNames: ['payments.example'],
    usages: ['server'],
  });
  const login = Buffer.from(`robot:${text(24)}`).toString('base64');
  const registries = JSON.stringify({ auths: { 'registry.example': { auth: login } } });
  return [
    secret('api-key', { 'api-key': text(40) }),
    secret('database', { username: 'payments', password: `pässwörd ✓ ${text(12)}`, 'read-only': text(24) }),
    secret('tls', { 'tls.crt': tls.certificate, 'tls.key': tls.key }, { type: 'kubernetes.io/tls' }),
    secret('registry', { '.dockerconfigjson': registries }, { type: 'kubernetes.io/dockerconfigjson' }),
    secret('keystore', { 'keystore.p12': randomBytes(4096), password: text(16) }),
    secret('feature-flags', { enabled: '', disabled: '' }),
    secret('word-list', { 'words.txt': text(BIG_TEXT_BYTES) }),
    secret('signing-key', { key: randomBytes(32) }, { immutable: true }),
    secret('app-config', { 'application.properties': `a=${text(8)}\n`, 'log4j2.prod.xml': '<Config/>\n' }),
    secret('smtp', { username: 'mailer', password: text(20) }, { type: 'kubernetes.io/basic-auth' }),
    secret('deploy-key', { 'ssh-privatekey': tls.key }, { type: 'kubernetes.io/ssh-auth' }),
    secret('webhook', {
      payload: '{"amount": 12345678901234567890, "html": "<b>&amp;</b>"}\n',
      nul: Buffer.of(0),
    }),
  ];
}
