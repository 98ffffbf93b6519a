import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import { FittingPage } from './fitting-page.ts';

/** Lists `sizes` objects of these bytes from a server whose replies have at most `max`; returns the sizes that it asked for. */
async function list(sizes: readonly number[], max: number, most: number) {
  const page = new FittingPage(most);
  const asked: number[] = [];
  const listed: number[] = [];
  while (listed.length < sizes.length) {
    const items = await page.request(async (limit) => {
      asked.push(limit);
      const found = sizes.slice(listed.length, listed.length + limit);
      if (found.reduce((sum, size) => sum + size, 0) > max)
        throw new OperatorError('REPLY_TOO_LARGE', { op: 'test' });
      return Promise.resolve(found);
    });
    listed.push(...items);
  }
  return { asked, listed };
}

describe('a page that fits', () => {
  it('gets every object, whatever their sizes, if one alone fits', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 100 }), { maxLength: 300 }), async (sizes) => {
        const { asked, listed } = await list(sizes, 100, 50);
        expect(listed).toEqual(sizes);
        expect(Math.max(0, ...asked)).toBeLessThanOrEqual(50);
      }),
    );
  });

  it('halves after one that is too large, and grows slowly again', async () => {
    const large = Array.from({ length: 20 }, () => 30);
    const small = Array.from({ length: 1_000 }, () => 1);
    const { asked } = await list([...large, ...small], 100, 48);
    expect(asked.slice(0, 5)).toEqual([48, 24, 12, 6, 3]);
    expect(asked.at(-1)).toBe(48);
    expect(asked.length).toBeLessThan(80);
  });

  it('is as large as it can be while all fit, without any request more', async () => {
    const { asked } = await list(
      Array.from({ length: 1_200 }, () => 1),
      1_000,
      500,
    );
    expect(asked).toEqual([500, 500, 500]);
  });

  it('passes on every other failure, and one object that is too large', async () => {
    const page = new FittingPage(4);
    const failing = (code: 'REPLY_TOO_LARGE' | 'SERVER_ERROR') => async () =>
      Promise.reject(new OperatorError(code, { op: 'test' }));
    await expect(page.request(failing('SERVER_ERROR'))).rejects.toMatchObject({ code: 'SERVER_ERROR' });
    await expect(page.request(failing('REPLY_TOO_LARGE'))).rejects.toMatchObject({ code: 'REPLY_TOO_LARGE' });
  });
});
