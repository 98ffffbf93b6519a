import * as fc from 'fast-check';
import { load } from 'js-yaml';
import { expect, it } from 'vitest';
import { isPrintable } from '#src/errors/printable.ts';
import { parseJson } from '#src/json/parse.ts';
import { structured } from './structured.ts';

it('objects are read back as they were, and nothing in them reaches the terminal as a command', () => {
  const strange = fc.constantFrom('\u001B[31m', '\u202E', 'a\u009Bb', 'x\ny\u001Bz', '"quoted" \\ \u200B');
  const texts = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), strange);
  const objects = fc.dictionary(
    fc.constantFrom('a', 'b', 'c'),
    fc.oneof(texts, fc.array(texts), fc.integer()),
  );
  fc.assert(
    fc.property(objects, (object) => {
      const json = structured(object, 'json');
      const yaml = structured(object, 'yaml');
      expect(parseJson(json)).toEqual({ ...object });
      expect(load(yaml) ?? {}).toEqual({ ...object });
      for (const text of [json, yaml]) expect(text.split('\n').every(isPrintable)).toBe(true);
    }),
  );
});
