import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileMetadata } from './metadata.ts';

const key = fc.constantFrom('team', 'tier', '__proto__', 'example.org/owner', '');
const metadata = fc.array(fc.tuple(key, fc.string())).map((pairs) => new Map(pairs));
const kind = fc.constantFrom('flat' as const, 'tree' as const);

describe('the metadata that are copied', () => {
  it('are all metadata between backends of one kind, whatever is named', () => {
    const check = (store: 'flat' | 'tree', all: Map<string, string>, labels: string[]) => {
      expect(compileMetadata({ source: store, destination: store }, labels)(all)).toEqual(all);
    };
    fc.assert(fc.property(kind, metadata, fc.array(key), check));
  });

  it('are those that are named, unchanged, between backends of two kinds, in both directions', () => {
    const check = (source: 'flat' | 'tree', all: Map<string, string>, labels: string[]) => {
      const destination = source === 'flat' ? 'tree' : 'flat';
      const traveling = compileMetadata({ source, destination }, labels)(all) ?? new Map();
      for (const name of all.keys()) {
        expect(traveling.get(name)).toBe(labels.includes(name) ? all.get(name) : undefined);
      }
      expect([...traveling.keys()].filter((name) => !all.has(name))).toEqual([]);
    };
    fc.assert(fc.property(kind, metadata, fc.array(key), check));
  });

  it('are undefined, not an empty map, when none is named', () => {
    const filter = compileMetadata({ source: 'flat', destination: 'tree' }, []);
    expect(filter(new Map([['team', 'payments']]))).toBeUndefined();
    expect(filter(undefined)).toBeUndefined();
  });
});
