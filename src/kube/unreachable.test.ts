import { describe, expect, it } from 'vitest';
import { explain } from '#src/errors/explain.ts';
import { silent, unreachable } from './unreachable.ts';

const server = new URL('https://10.96.0.1:443/base');
const read = { op: 'kube.list', target: 'SecretMigration', writes: false };
const failure = (code: string, more: object = {}): Error => Object.assign(new Error(code), { code, ...more });

describe('an API server that gives no answer', () => {
  it('is named with its address, so that nobody looks at a backend', () => {
    const refused = failure('ECONNREFUSED', { syscall: 'connect', address: '10.96.0.1', port: 443 });
    expect(explain(unreachable(refused, read, server))).toBe(
      'The server cannot be reached. It is the Kubernetes API server at https://10.96.0.1. Cause: ECONNREFUSED at 10.96.0.1:443 (SecretMigration). Check address, DNS, network policy and that the server runs.',
    );
  });

  it('with a certificate that is not trusted leads to its own CA, not to that of a backend', () => {
    const { hint, message } = unreachable(failure('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), read, server);
    expect(message).toContain('It is the Kubernetes API server at https://10.96.0.1.');
    expect(hint).toMatch(/ca\.crt of the ServiceAccount, or certificate-authority of the kubeconfig/);
    expect(hint).not.toContain('caBundle');
  });

  it('in time is named, too', () => {
    expect(silent({ ...read, writes: true }, server)).toMatchObject({
      code: 'DEADLINE',
      indeterminate: true,
    });
    expect(silent(read, server).message).toContain('the Kubernetes API server at https://10.96.0.1.');
  });
});
