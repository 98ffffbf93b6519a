import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Attributes } from '../document.ts';
import { compileTraveling } from './traveling.ts';

const SECRETS = { addressing: 'flat', statesAttributes: true } as const;
const PATHS = { addressing: 'tree', statesAttributes: false } as const;
const FILES = { addressing: 'flat', statesAttributes: false } as const;

const key = fc.constantFrom('team', 'tier', 'example.org/owner');
const pairs = fc.array(fc.tuple(key, fc.string()), { minLength: 1 }).map((entries) => new Map(entries));

/** A Secret as it is read: its labels are its metadata. */
const aSecret: fc.Arbitrary<Attributes> = fc.record(
  { metadata: pairs, annotations: pairs, type: fc.constant('kubernetes.io/tls') },
  { requiredKeys: [] },
);

describe('labels and annotations of a Secret', () => {
  it('come back from a store of paths as they went there with their source, whatever is mapped', () => {
    const check = (secret: Attributes, labels: string[]): void => {
      const there = compileTraveling({ source: SECRETS, destination: PATHS }, labels);
      const back = compileTraveling({ source: PATHS, destination: SECRETS }, labels);
      expect(back(there(secret, true), false)).toEqual(secret);
    };
    fc.assert(fc.property(aSecret, fc.array(key), check));
  });

  it('go along between two stores of paths', () => {
    const move = compileTraveling({ source: PATHS, destination: PATHS }, []);
    const attributes = { metadata: new Map(), labels: new Map([['a', '1']]), annotations: new Map() };
    expect(move(attributes, false)).toEqual(attributes);
  });

  it('stay with a source that stays, except the labels that are mapped', () => {
    const check = (secret: Attributes, labels: string[]): void => {
      const there = compileTraveling({ source: SECRETS, destination: PATHS }, labels)(secret, false);
      expect([there.labels, there.annotations]).toEqual([undefined, undefined]);
      expect([...(there.metadata?.keys() ?? [])].every((name) => labels.includes(name))).toBe(true);
    };
    fc.assert(fc.property(aSecret, fc.array(key), check));
  });

  it.each([
    [false, undefined],
    [true, new Map([['note', 'x']])],
  ])('go along to another Secret: annotations too if the source goes (%s)', (sourceGoes, annotations) => {
    const secret = { metadata: new Map([['team', 'web']]), annotations: new Map([['note', 'x']]) };
    const copied = compileTraveling({ source: SECRETS, destination: SECRETS }, [])(secret, sourceGoes);
    expect(copied.metadata).toEqual(secret.metadata);
    expect(copied.annotations).toEqual(annotations);
  });

  it('do not go from a path to a file: the path keeps them when its value is removed', () => {
    const move = compileTraveling({ source: PATHS, destination: FILES }, []);
    const labels = new Map([['team', 'web']]);
    expect(move({ labels, annotations: labels }, true)).toEqual({});
  });

  it('lose to the metadata that a user changed in the store of paths', () => {
    const back = compileTraveling({ source: PATHS, destination: SECRETS }, ['team']);
    const attributes = { metadata: new Map([['team', 'api']]), labels: new Map([['team', 'web']]) };
    expect(back(attributes, false).metadata).toEqual(new Map([['team', 'api']]));
  });
});
