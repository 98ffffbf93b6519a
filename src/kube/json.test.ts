import { expect, it } from 'vitest';
import { jsonOfReply } from './json.ts';

const about = { op: 'test', target: 'test' };

it.each([
  ['a field of a custom resource', String.raw`{"a":1,"b\\":2}`, String.raw`{"a":1,"b\"":2}`, ['a', 'b"']],
  [
    'a field that begins as one of managedFields',
    String.raw`{"c":1,"v:\\":2}`,
    String.raw`{"c":1,"v:\n":2}`,
    ['c', 'v:\n'],
  ],
])('reads the name of %s, whatever was parsed before', (_what, earlier, text, names) => {
  JSON.parse(earlier);
  expect(Object.keys(jsonOfReply(Buffer.from(text), about) ?? {})).toEqual(names);
});
