import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonShape, type JsonLimits } from './json-shape.ts';

function exceedsJson(bytes: Uint8Array, limits: JsonLimits): boolean {
  return new JsonShape(limits).exceeds(bytes);
}

const bytesOf = (text: string): Buffer => Buffer.from(text, 'utf8');

interface Shape {
  readonly tokens: number;
  readonly depth: number;
}

/** Counted on the parsed value: what the scan of the bytes must find. */
function shapeOf(value: unknown): Shape {
  if (typeof value !== 'object' || value === null) return { tokens: 0, depth: 0 };
  const members = Object.values(value).map((member) => shapeOf(member));
  const colons = Array.isArray(value) ? 0 : members.length;
  const commas = Math.max(0, members.length - 1);
  return {
    tokens: members.reduce((sum, { tokens }) => sum + tokens, 1 + colons + commas),
    depth: 1 + Math.max(0, ...members.map(({ depth }) => depth)),
  };
}

describe('the shape of JSON', () => {
  it('accepts every JSON at its own number of tokens and depth, and refuses it at one less', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), fc.boolean(), (value, indented) => {
        const { tokens: maxTokens, depth: maxDepth } = shapeOf(value);
        const bytes = bytesOf(JSON.stringify(value, undefined, indented ? 2 : 0));
        expect(exceedsJson(bytes, { maxTokens, maxDepth })).toBe(false);
        if (maxTokens === 0) return;
        expect(exceedsJson(bytes, { maxTokens: maxTokens - 1, maxDepth })).toBe(true);
        expect(exceedsJson(bytes, { maxTokens, maxDepth: maxDepth - 1 })).toBe(true);
      }),
    );
  });

  it('is the same in whatever pieces the bytes arrive', () => {
    const text = fc.stringMatching(/^[[{},:"\\a]{0,60}$/);
    const cuts = fc.array(fc.nat(60), { maxLength: 8 });
    const limits = fc.record({ maxTokens: fc.nat(20), maxDepth: fc.nat(8) });
    fc.assert(
      fc.property(text, cuts, limits, (written, at, limit) => {
        const bytes = bytesOf(written);
        const ends = [...at.map((cut) => Math.min(cut, bytes.byteLength)), bytes.byteLength].toSorted(
          (a, b) => a - b,
        );
        const shape = new JsonShape(limit);
        const pieces = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
        expect(pieces.some((piece) => shape.exceeds(piece))).toBe(exceedsJson(bytes, limit));
      }),
      { numRuns: 1_000 },
    );
  });

  it('says of any bytes in a pass whether they exceed the limits, and throws at none', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(exceedsJson(bytes, { maxTokens: 200, maxDepth: 200 })).toBe(false);
      }),
    );
  });

  it.each([
    ['arrays in arrays', '['.repeat(31 << 20)],
    ['small objects', `{${'"a":{},'.repeat(4 << 20)}`],
    ['small arrays', `[${'[],'.repeat(10 << 20)}`],
    ['numbers', `[${'1,'.repeat(15 << 20)}`],
  ])('stops early in 31 MiB of %s', (_what, text) => {
    expect(exceedsJson(bytesOf(text), { maxTokens: 100_000, maxDepth: 64 })).toBe(true);
  });

  it.each(['"[[[[{{{{,,,,::::"', String.raw`"\"[[[[\\"`, '"[[[[', String.raw`"[[[\\\"[[[`, String.raw`"\\`])(
    'does not count what is in a string: %s',
    (text) => {
      expect(exceedsJson(bytesOf(text), { maxTokens: 0, maxDepth: 0 })).toBe(false);
    },
  );
});
