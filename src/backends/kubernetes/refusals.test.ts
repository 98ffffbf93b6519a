import { describe, expect, it } from 'vitest';
import type { Attributes } from '#src/core/document.ts';
import { SecretValue } from '#src/core/secret-value.ts';
import { documentRefusalOf } from './refusals.ts';

function refusalWith(attributes: Attributes) {
  return documentRefusalOf({ address: 'a', fields: new Map(), attributes });
}

function refusal(fields: Record<string, string>, type?: string) {
  return documentRefusalOf({
    address: 'a',
    fields: new Map(Object.entries(fields).map(([name, text]) => [name, SecretValue.fromUtf8(text)])),
    attributes: type === undefined ? {} : { type },
  });
}

describe('a document to store as a Secret', () => {
  it.each(['a b', 'ünï', 'a/b', '', '.', '..', '..data', 'x'.repeat(254)])(
    'cannot have the key %j',
    (key) => {
      expect(refusal({ [key]: 'v' })?.reason).toBe('KeyRefused');
    },
  );

  it.each([
    ['a b', '"a b"'],
    ['x'.repeat(300), `"${'x'.repeat(57)}…"`],
    ['a\u001b[31m', String.raw`"a\u{1b}[31m"`],
  ])('names the key %j that it cannot have, as a terminal can take it', (key, shown) => {
    const { message = '' } = refusal({ fine: 'v', [key]: 'v' }) ?? {};
    expect(message).toContain(`The key ${shown} must be`);
    expect(Buffer.byteLength(message)).toBeLessThanOrEqual(256);
  });

  it('names the label that it cannot have', () => {
    const { message = '' } =
      refusalWith({
        metadata: new Map([
          ['team', 'a b'],
          ['x'.repeat(99), ''],
        ]),
      }) ?? {};
    expect(message).toContain('The label "team" cannot be one of a Secret');
    expect(message).not.toContain('a b"');
  });

  it.each(['.dockerconfigjson', 'tls.crt', '_', '-', 'A.b-c_9', 'x'.repeat(253)])(
    'can have the key %j',
    (key) => {
      expect(refusal({ [key]: 'v' })).toBeUndefined();
    },
  );

  it.each([
    ['team', 'payments'],
    ['example.org/team', ''],
    ['a.b-c_D', 'x'.repeat(63)],
    [`${'a'.repeat(253)}/${'b'.repeat(63)}`, 'v'],
  ])('can have the label %j: %j', (key, value) => {
    expect(refusalWith({ metadata: new Map([[key, value]]) })).toBeUndefined();
  });

  it.each([
    ['', 'v'],
    ['a b', 'v'],
    ['/a', 'v'],
    ['a/', 'v'],
    ['a/b/c', 'v'],
    ['UPPER.org/a', 'v'],
    ['-a', 'v'],
    ['a', 'two words'],
    ['a', 'x'.repeat(64)],
    ['a', '-'],
    ['x'.repeat(64), 'v'],
    ['app.kubernetes.io/managed-by', 'Helm'],
    ['keyferry.io/backup', 'true'],
  ])('cannot have the label %j: %j', (key, value) => {
    expect(refusalWith({ metadata: new Map([[key, value]]) })?.reason).toBe('MetadataRefused');
  });

  it.each([
    '\u00a0helm.sh/release.v1',
    'kubernetes.io/service-account-token ',
    '\tbootstrap.kubernetes.io/token\n',
  ])('cannot have the type %j: spaces around a refused type do not make it another one', (type) => {
    expect(refusal({ a: 'v' }, type)?.reason).toBe('TypeRefused');
  });

  it('cannot expire', () => {
    expect(refusalWith({ expiresAt: '2030-01-01T00:00:00Z' })?.reason).toBe('ExpiryRefused');
  });

  it('is measured by the sum of its values', () => {
    const half = 'x'.repeat(524_288);
    expect(refusal({ a: half, b: half })).toBeUndefined();
    expect(refusal({ a: half, b: half, c: 'x' })?.reason).toBe('TooLarge');
  });
});

describe('a Secret with a type', () => {
  it.each([
    ['kubernetes.io/tls', 'tls.crt'],
    ['kubernetes.io/dockerconfigjson', 'other'],
    ['kubernetes.io/ssh-auth', 'other'],
  ])('of type %s needs the keys of that type', (type, key) => {
    expect(refusal({ [key]: 'v' }, type)?.reason).toBe('TypeRefused');
  });

  it.each([
    ['kubernetes.io/dockerconfigjson', { '.dockerconfigjson': '{"auths":{' }],
    ['kubernetes.io/dockerconfigjson', { '.dockerconfigjson': '[]' }],
    ['kubernetes.io/dockercfg', { '.dockercfg': '"hunter2"' }],
    ['kubernetes.io/basic-auth', { user: 'hunter2' }],
    ['kubernetes.io/ssh-auth', { 'ssh-privatekey': '' }],
  ])('of type %s needs the values of that type: not %j', (type, fields) => {
    const found = refusal(fields, type);
    expect(found?.reason).toBe('TypeRefused');
    expect(found?.message).toContain(`A Secret of type ${type} needs `);
    expect(found?.message).not.toContain('hunter2');
  });

  it.each([
    ['kubernetes.io/dockerconfigjson', { '.dockerconfigjson': ' {"auths":{}}\n', more: '' }],
    ['kubernetes.io/dockercfg', { '.dockercfg': 'null' }],
    ['kubernetes.io/basic-auth', { password: '' }],
    ['kubernetes.io/ssh-auth', { 'ssh-privatekey': 'x' }],
    ['kubernetes.io/tls', { 'tls.crt': '', 'tls.key': '' }],
    ['example.org/any', {}],
  ])('of type %s can have %j', (type, fields) => {
    expect(refusal(fields, type)).toBeUndefined();
  });
});
