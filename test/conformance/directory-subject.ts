import { mkdir, rm, writeFile } from 'node:fs/promises';
import * as fc from 'fast-check';
import type { Driver } from '#src/backends/driver.ts';
import { DirectoryFixture, type DirectoryOptions } from '#test/support/directory-fixture.ts';
import type { TestStore, Subject } from './suite/subject.ts';

/** How a suite gets its driver: from the factory, or with layers around it. */
export type MakeDriver = (
  fixture: DirectoryFixture,
  options: DirectoryOptions & { readonly withoutRights?: true },
) => Driver;

/** The driver of the factory, without layers. */
export const bareDriver: MakeDriver = (fixture, { withoutRights, ...options }) => {
  const driver = fixture.driver(options);
  return withoutRights ? fixture.withoutRights(driver) : driver;
};

async function openTestStore(make: MakeDriver): Promise<TestStore> {
  const fixture = await DirectoryFixture.open();
  return {
    driver: make(fixture, {}),
    denied: make(fixture, { withoutRights: true }),
    // One that has not failed yet: after its first failure, all layers together say that the backend is not Ready.
    get unreachable(): Driver {
      return make(fixture, { path: 'not-mounted' });
    },
    traffic: async (during) => fixture.changesDuring(during),
    recreate: async (address, field, text) => {
      await rm(fixture.path(address), { recursive: true });
      await mkdir(fixture.path(address), { mode: 0o700 });
      await writeFile(fixture.path(address, field), text);
    },
    createIllegal: async () => {
      await fixture.put('line\nbreak', 'v');
      for (const byte of [0xfe, 0xff])
        await writeFile(Buffer.concat([Buffer.from(fixture.path('bytes-')), Buffer.of(byte)]), 'v');
      return ['line\\u{a}break', 'bytes-\\xfe', 'bytes-\\xff'];
    },
    [Symbol.asyncDispose]: async () => fixture[Symbol.asyncDispose](),
  };
}

/** Names that a key can have. One dot at the start is common. */
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

/** A directory as a subject of the suite. */
export function aDirectory(kind: string, make: MakeDriver): Subject {
  return {
    kind,
    open: async () => openTestStore(make),
    manyNames: 620,
    largeTextBytes: 1_048_576,
    tooLargeBytes: 1_048_577,
    fieldName,
    // Files have no type, no labels and no expiry.
    holds: 'bytes',
    // A missing folder must be created by a user; a server that is down comes back without one.
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
  };
}
