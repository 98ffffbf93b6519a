import { describe, expect, it } from 'vitest';
import { API_VERSION } from '#src/api/group.ts';
import { isPrintable } from '#src/errors/printable.ts';
import { tableOfBackends } from './list.ts';
import { descriptionOf } from './describe.ts';
import { toBackend } from './stored.ts';

const NOW = Date.parse('2026-11-27T12:00:00Z');

function aBackend(message = 'The Secret is missing.', server = '2.6.0') {
  const object = {
    apiVersion: API_VERSION,
    kind: 'SecretBackend',
    metadata: {
      name: 'bao',
      namespace: 'shop',
      uid: 'u',
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: '2026-11-27T09:00:00Z',
    },
    spec: {
      type: 'openbao',
      openbao: { address: 'https://bao:8200', auth: { token: { secretRef: { name: 'bao-credentials' } } } },
    },
    status: {
      observedGeneration: 1,
      capabilities: ['Versions'],
      server: { product: 'OpenBao', version: server },
      conditions: [
        {
          type: 'Ready',
          status: 'False',
          reason: 'CredentialsMissing',
          message,
          observedGeneration: 1,
          lastTransitionTime: '2026-11-27T11:59:00Z',
        },
      ],
    },
  };
  const backend = toBackend(object);
  if (backend === undefined) throw new Error('the backend is valid');
  return { object, backend };
}

describe('backend describe', () => {
  it('says in words what works, what the backend reads and what uses it', () => {
    const usage = {
      uses: [{ namespace: 'shop', name: 'payments', as: ['destination' as const] }],
      isComplete: true,
    };
    const text = descriptionOf(aBackend().backend, usage, NOW).join('\n');
    expect(text).toMatch(/^Login: +token in the Secret bao-credentials$/m);
    expect(text).toContain('Ready is False since 60s: CredentialsMissing');
    expect(text).toContain('The Secret with the credentials of a backend is missing or incomplete.');
    expect(text).toContain('  Versions  Earlier versions stay readable after a newer write.');
    expect(text).toContain('  bao-credentials in shop');
    expect(text).toContain('  shop/payments as destination');
  });

  it('says that others can use it where the user may not list all migrations', () => {
    const text = descriptionOf(aBackend().backend, { uses: [], isComplete: false }, NOW).join('\n');
    expect(text).toContain('there can be more');
    expect(text).not.toContain('  none');
  });

  it('shows nothing that a terminal obeys', () => {
    const { backend } = aBackend('\u001B]0;owned\u0007 \u202E', '\u001B[31m2');
    const text = descriptionOf(backend, { uses: [], isComplete: true }, NOW).join('\n');
    for (const line of text.split('\n')) expect(isPrintable(line), line).toBe(true);
  });
});

describe('backend list', () => {
  it('has the columns of kubectl get', () => {
    const { object, backend } = aBackend();
    const listed = [{ object, backend }];
    expect(tableOfBackends(listed, { nowMs: NOW, isWide: false, namespace: 'shop' })).toBe(
      [
        'NAME                            READY   STATUS               TYPE      DEFAULT   AGE',
        'secretbackend.keyferry.io/bao   False   CredentialsMissing   openbao             3h',
      ].join('\n'),
    );
    expect(tableOfBackends(listed, { nowMs: NOW, isWide: true, namespace: undefined })).toContain(
      'NAMESPACE',
    );
  });
});
