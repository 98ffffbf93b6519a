import { mkdir, rm, writeFile } from 'node:fs/promises';
import * as fc from 'fast-check';
import { describeDriver } from './driver-suite.ts';
import type { Place } from './suite/subject.ts';
import { DirectoryFixture } from '#test/support/directory-fixture.ts';

async function openPlace(): Promise<Place> {
  const fixture = await DirectoryFixture.open();
  return {
    driver: fixture.driver(),
    denied: fixture.withoutRights(fixture.driver()),
    unreachable: fixture.driver({ path: 'not-mounted' }),
    traffic: async (during) => fixture.changesDuring(during),
    recreate: async (address, field, text) => {
      await rm(fixture.path(address), { recursive: true });
      await mkdir(fixture.path(address), { mode: 0o700 });
      await writeFile(fixture.path(address, field), text);
    },
    [Symbol.asyncDispose]: async () => fixture[Symbol.asyncDispose](),
  };
}

/** What a file may be called that is no document of its own: one dot at the begin is usual. */
const fieldName: fc.Arbitrary<string> = fc.oneof(
  fc.stringMatching(/^[-_a-zA-Z0-9][-._a-zA-Z0-9 @=:+~,%#?]{0,30}[-._a-zA-Z0-9]$/),
  fc.constantFrom(
    'value',
    '.dockerconfigjson',
    '.env',
    'ünï',
    '世界',
    '__proto__',
    'constructor',
    'x'.repeat(255),
  ),
);

describeDriver({
  kind: 'directory',
  open: openPlace,
  manyNames: 620,
  largeTextBytes: 1_048_576,
  tooLargeBytes: 1_048_577,
  fieldName,
  // Files have no type, no labels and no end.
  holds: 'bytes',
  // A folder that is not there waits for somebody to make it; no server is down that would come back by itself.
  unreachableAs: 'FOLDER_MISSING',
  hostileAddresses: [
    '',
    '.',
    '..',
    '...',
    '../tokens/a',
    '../../other/a',
    'a/b',
    '/a',
    'a/',
    '/etc/passwd',
    '.a',
    '.a.migrated.bak',
    '.a.keyferry-0123456789ab',
    '..data',
    'lost+found',
    'a\\b',
    '..\\a',
    'a\tb',
    'a\nb',
    'a\0b',
    'a ',
    ' a',
    'a\u202Eb',
    'a\u00A0b',
    'a\uD800b',
    'a\uFFFDb',
    'x'.repeat(221),
    'ü'.repeat(111),
  ],
});
