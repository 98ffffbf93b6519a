import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { meantMountPath, mountIsInside, prefixRepeats, prefixWithoutRepeats } from './mistakes.ts';

const segment = fc
  .stringMatching(/^[a-z0-9_-]{1,8}$/)
  .filter((text) => !/^(data|metadata|auth|login)$/.test(text));
const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('/'));
const kvVersion = fc.constantFrom<(1 | 2)[]>(1, 2);

describe('a prefix', () => {
  it('is what it says, if it starts with neither the mount nor a part of the API', () => {
    fc.assert(
      fc.property(path, path, kvVersion, (mount, prefix, version) => {
        fc.pre(prefix !== mount && !prefix.startsWith(`${mount}/`));
        expect(prefixWithoutRepeats({ mount, prefix, kvVersion: version })).toBeUndefined();
        expect(prefixWithoutRepeats({ mount, prefix: '', kvVersion: version })).toBeUndefined();
      }),
    );
  });

  it('means the folder after what it repeats', () => {
    fc.assert(
      fc.property(path, path, fc.constantFrom('data', 'metadata'), (mount, folder, tree) => {
        fc.pre(folder !== mount && !folder.startsWith(`${mount}/`));
        for (const prefix of [`${tree}/${folder}`, `${mount}/${folder}`, `${mount}/${tree}/${folder}`]) {
          const place = { mount, prefix, kvVersion: 2 } as const;
          expect(prefixWithoutRepeats(place)).toBe(folder);
          expect(prefixRepeats(folder, place).hint).toContain(`pathPrefix to ${folder};`);
        }
      }),
    );
  });

  it('may start with data/ in KV version 1, whose API has no such part', () => {
    expect(prefixWithoutRepeats({ mount: 'kv', prefix: 'data/a', kvVersion: 1 })).toBeUndefined();
  });
});

describe('a mount that is a path in another one', () => {
  it('becomes the mount and a prefix', () => {
    fc.assert(
      fc.property(path, path, path, (real, folder, prefix) => {
        const place = { mount: `${real}/data/${folder}`, prefix, kvVersion: 2 } as const;
        expect(mountIsInside(real, place).hint).toBe(
          `Set spec.openbao.mount to ${real} and spec.openbao.pathPrefix to ${folder}/${prefix}.`,
        );
      }),
    );
  });
});

describe('the path of an auth method', () => {
  it('is meant without auth/ and /login', () => {
    fc.assert(
      fc.property(path, (meant) => {
        for (const wrong of [`auth/${meant}`, `${meant}/login`, `auth/${meant}/login`])
          expect(meantMountPath(wrong)).toBe(meant);
        expect(meantMountPath(meant)).toBeUndefined();
      }),
    );
  });
});
