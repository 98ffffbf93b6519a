import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SecretValue } from './secret-value.ts';

describe('SecretValue', () => {
  it('never shows its bytes, however it is printed', () => {
    const value = SecretValue.fromUtf8('hunter2-canary');
    const shown = [
      String(value),
      [value].join(),
      JSON.stringify({ value }),
      inspect({ value }, { depth: 9, showHidden: true }),
      new Error('x', { cause: value }).stack ?? '',
      Object.entries(value).join(),
    ].join();
    expect(shown).not.toContain('hunter2');
    expect(shown).toContain('[secret]');
  });

  it('equals only the same bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (left, right) => {
        const same = Buffer.compare(left, right) === 0;
        expect(SecretValue.fromBytes(left).equals(SecretValue.fromBytes(right))).toBe(same);
        expect(SecretValue.fromBytes(left).equals(SecretValue.fromBytes(left.slice()))).toBe(true);
      }),
    );
  });

  it('is text exactly when its bytes survive a round trip through a string', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const survives = Buffer.from(Buffer.from(bytes).toString('utf8'), 'utf8').equals(bytes);
        expect(SecretValue.fromBytes(bytes).isText()).toBe(survives);
      }),
      { examples: [[Uint8Array.of(0xef, 0xbb, 0xbf)], [Uint8Array.of(0xff)], [Uint8Array.of(0)]] },
    );
  });
});

describe('a JSON value', () => {
  it('is not equal to the string with the same text', () => {
    const one = SecretValue.fromJson('1');
    expect(one.equals(SecretValue.fromUtf8('1'))).toBe(false);
    expect(SecretValue.fromUtf8('1').equals(one)).toBe(false);
    expect(one.asText().equals(SecretValue.fromUtf8('1'))).toBe(true);
  });

  it('equals the same value as another server writes it', () => {
    const value = SecretValue.fromJson(String.raw`{"a":[1.10,"\u003c"]}`);
    expect(value.equals(SecretValue.fromJson('{ "a" : [11e-1, "<"] }'))).toBe(true);
    expect(value.equals(SecretValue.fromJson('{"a":["1.10","<"]}'))).toBe(false);
    expect(value.equals(SecretValue.fromJson('{"a":[1.11,"<"]}'))).toBe(false);
  });

  it('never shows its text', () => {
    expect(String(SecretValue.fromJson('{"a":"hunter2"}'))).toBe('[secret]');
  });
});
