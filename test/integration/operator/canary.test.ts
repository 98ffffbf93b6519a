import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  aBinaryCanary,
  aLongCanary,
  aTextCanary,
  findCanary,
  findNumber,
  type Canary,
} from '#test/support/canary.ts';

/*
 * The proof of leak.test.ts: a search that finds nothing shows something only when it is known to find. Each form is
 * planted by another way than that by which it is looked for: as a log, an event or a status would come to hold it.
 */

const text = aTextCanary('text');
const binary = aBinaryCanary('binary');
const long = aLongCanary('long', 79_193);

function inBase64(bytes: Buffer, before: string): string {
  return Buffer.concat([Buffer.from(before), bytes, Buffer.from(' behind')]).toString('base64');
}

function sha256(bytes: Buffer | string): ReturnType<typeof createHash> {
  return createHash('sha256').update(bytes);
}

const PLANTS: Readonly<Record<string, readonly [form: string, (canary: Canary) => string | Buffer]>> = {
  'the bytes': ['raw', ({ bytes }) => bytes],
  'a JSON text': ['raw', ({ bytes }) => JSON.stringify({ password: bytes.toString('utf8') })],
  'a quoting error of JSON.parse': [
    'raw',
    ({ bytes }) => `"${bytes.toString('utf8').slice(0, 10)}"... is not`,
  ],
  'a cut-off text': ['raw', ({ bytes }) => `${bytes.toString('latin1').slice(0, 20)}…`],
  'a form of the web': [
    'raw',
    ({ bytes }) => String(new URLSearchParams({ password: bytes.toString('utf8') })),
  ],
  'base64 of a text': ['base64', ({ bytes }) => inBase64(bytes, '')],
  'base64 of a text, one byte later': ['base64', ({ bytes }) => inBase64(bytes, 'x')],
  'base64 of a text, two bytes later': ['base64', ({ bytes }) => inBase64(bytes, 'xy')],
  'the URL alphabet': [
    'base64url',
    ({ bytes }) => Buffer.from(inBase64(bytes, 'x'), 'base64').toString('base64url'),
  ],
  'hexadecimal digits': ['hex', ({ bytes }) => bytes.toString('hex')],
  'capital hexadecimal digits': ['HEX', ({ bytes }) => bytes.toString('hex').toUpperCase()],
  'percent signs': ['url-encoded', ({ bytes }) => [...bytes].map((byte) => `%${hexOf(byte)}`).join('')],
  'percent signs in capitals': [
    'URL-ENCODED',
    ({ bytes }) => [...bytes].map((byte) => `%${hexOf(byte).toUpperCase()}`).join(''),
  ],
  'a Buffer as JSON': ['decimal', ({ bytes }) => JSON.stringify(bytes)],
  'a digest': ['sha256 hex', ({ bytes }) => `sha256:${sha256(bytes).digest('hex')}`],
  'a short digest': ['sha256 hex', ({ bytes }) => sha256(bytes).digest('hex').slice(0, 12)],
  'a digest in capitals': ['SHA256 HEX', ({ bytes }) => sha256(bytes).digest('hex').toUpperCase()],
  'a digest in base64': ['sha256 base64', ({ bytes }) => sha256(bytes).digest('base64')],
  'a digest in the URL alphabet': ['sha256 base64url', ({ bytes }) => sha256(bytes).digest('base64url')],
  'a digest of the base64': ['sha256 hex', ({ bytes }) => sha256(bytes.toString('base64')).digest('hex')],
};

function hexOf(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

describe('the search for a canary', () => {
  it.each(Object.entries(PLANTS))('finds it as %s', (_name, [form, plant]) => {
    for (const canary of [text, binary, long]) {
      const place = Buffer.concat([Buffer.from('{"msg":"'), Buffer.from(plant(canary)), Buffer.from('"}')]);
      expect(findCanary(canary, place), canary.name).toContain(form);
    }
  });

  it('does not find it where another one is', () => {
    const other = aTextCanary('other');
    const place = Buffer.from(
      Object.values(PLANTS)
        .map(([, plant]) => plant(other).toString('latin1'))
        .join('\n'),
    );
    expect(findCanary(other, place).length).toBeGreaterThan(0);
    expect(findCanary(text, place)).toEqual([]);
  });
});

describe('the search for a number', () => {
  it.each([
    'size=79193',
    '{"length":79193}',
    'It has 79193 bytes.',
    'all of 79193.',
    'content-length: 79193\r\n',
  ])('finds it in %j', (place) => {
    expect(findNumber(79_193, Buffer.from(place))).toBe(true);
  });

  it.each(['179193', '79193.5', '0.79193', 'a79193', '4e01-79193-8e', '791930'])(
    'does not find it in %j',
    (place) => {
      expect(findNumber(79_193, Buffer.from(place))).toBe(false);
    },
  );
});
