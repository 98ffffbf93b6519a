import { describe, expect, it } from 'vitest';
import { SecretValue } from '#src/core/secret-value.ts';
import type { ReadResult, StoredDocument } from '#src/core/document.ts';
import { OperatorError } from '#src/errors.ts';
import type { AccessRecord } from '#src/ports.ts';
import { audit } from './audit.ts';
import type { BackupStore, CopyStore, Driver, ReadOutcome } from '../driver.ts';
import { permitted } from '#test/support/permit.ts';

const { signal } = new AbortController();
const accessor = {
  migration: { namespace: 'ns', name: 'm', uid: 'u' },
  backend: { kind: 'SecretBackend', namespace: 'ns', name: 'bao' },
};
const stored: StoredDocument = {
  address: 'db',
  fields: new Map([
    ['user', SecretValue.fromBytes(Buffer.from('canary'))],
    ['password', SecretValue.fromBytes(Buffer.from('canary'))],
  ]),
  attributes: {},
  version: { identity: 'i', revision: '7' },
};
const present: ReadResult = { state: 'present', document: stored };

/** A driver that expects only these calls, with a log whose write the test resolves. */
function anAudited(calls: Partial<Driver>) {
  const records: AccessRecord[] = [];
  const written = Promise.withResolvers<void>();
  const log = {
    record: async (record: AccessRecord) => {
      records.push(record);
      await written.promise;
    },
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a call that the test does not expect fails
  const inner = { backups: undefined, projections: undefined, ...calls } as Driver;
  return { driver: audit(inner, log, accessor), records, written };
}

async function* outcomes(...all: readonly ReadOutcome[]): AsyncGenerator<ReadOutcome> {
  yield* all;
  await Promise.resolve();
}

describe('an audited driver', () => {
  it('returns what it read only after the record is written', async () => {
    const { driver, records, written } = anAudited({ read: async () => Promise.resolve(present) });
    let returned = false;
    const reading = driver.read('db', signal).finally(() => {
      returned = true;
    });
    await new Promise(setImmediate);
    expect(returned).toBe(false);
    expect(records).toEqual([
      {
        operation: 'read',
        ...accessor,
        path: 'db',
        version: '7',
        keys: ['password', 'user'],
        outcome: 'present',
      },
    ]);
    written.resolve();
    expect(await reading).toBe(present);
    expect(JSON.stringify(records)).not.toContain('canary');
  });

  it('records each of many reads, and the code of each failure', async () => {
    const error = new OperatorError('AUTH_DENIED', { op: 'x.read' });
    const { driver, records, written } = anAudited({
      readMany: () =>
        outcomes(
          { address: 'a', result: present },
          { address: 'b', result: { state: 'absent' } },
          { address: 'c', result: { state: 'deleted', version: stored.version } },
          { address: 'd', error },
        ),
    });
    written.resolve();
    const seen = await Array.fromAsync(driver.readMany(['a', 'b', 'c', 'd'], signal));
    expect(seen.map(({ address }) => address)).toEqual(['a', 'b', 'c', 'd']);
    expect(records.map(({ path, outcome }) => `${path} ${outcome}`)).toEqual([
      'a present',
      'b absent',
      'c deleted',
      'd AUTH_DENIED',
    ]);
  });

  it('records a refused read and a failed change, and throws what they threw', async () => {
    const denied = new OperatorError('AUTH_DENIED', { op: 'x.read' });
    const changed = new OperatorError('VERSION_CONFLICT', { op: 'x.write' });
    const { driver, records, written } = anAudited({
      read: async () => Promise.reject(denied),
      write: async () => Promise.reject(changed),
      delete: async () => Promise.resolve(),
    });
    written.resolve();
    await expect(driver.read('a', signal)).rejects.toBe(denied);
    await expect(driver.write(stored, 'absent', permitted(signal))).rejects.toBe(changed);
    await driver.delete('a', stored.version, permitted(signal));
    expect(records.map(({ operation, outcome }) => `${operation} ${outcome}`)).toEqual([
      'read AUTH_DENIED',
      'write VERSION_CONFLICT',
      'delete done',
    ]);
  });

  it('passes versions on without a record: no value is accessed', async () => {
    const told = { address: 'db', state: 'present', version: stored.version } as const;
    const { driver, records } = anAudited({
      versions: async function* versions() {
        yield* [told];
        await Promise.resolve();
      },
    });
    expect(await Array.fromAsync(driver.versions({ folder: '' }, signal))).toEqual([told]);
    expect(records).toEqual([]);
  });

  it('records a check for a backup by the name of the backup', async () => {
    const backups = {
      addressOf: (address: string) => `${address}.bak`,
      has: async (address: string) => Promise.resolve(address === 'a'),
    };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only what the test calls
    const { driver, records, written } = anAudited({ backups: backups as unknown as BackupStore });
    written.resolve();
    expect([await driver.backups?.has('a', signal), await driver.backups?.has('b', signal)]).toEqual([
      true,
      false,
    ]);
    expect(records.map(({ operation, path, outcome }) => `${operation} ${path} ${outcome}`)).toEqual([
      'read a.bak present',
      'read b.bak absent',
    ]);
  });
});

describe('an audited driver of a store that keeps copies', () => {
  it('records a kept copy, and each one that was discarded or could not be', async () => {
    const error = new OperatorError('AUTH_DENIED', { op: 'x.discard' });
    const copies: CopyStore = {
      keep: async (address) => Promise.resolve(`${address}.copy`),
      async *discardExpired() {
        yield* [{ address: 'a.copy' }, { address: 'b.copy', error }];
        await Promise.resolve();
      },
    };
    const { driver, records, written } = anAudited({ copies });
    written.resolve();
    await driver.copies?.keep('a', stored.version, '2026-11-27T20:00:00Z', permitted(signal));
    expect(await Array.fromAsync(driver.copies?.discardExpired(0, permitted(signal)) ?? [])).toHaveLength(2);
    expect(records.map(({ operation, path, outcome }) => `${operation} ${path} ${outcome}`)).toEqual([
      'backup a done',
      'delete a.copy done',
      'delete b.copy AUTH_DENIED',
    ]);
  });
});

describe('an audited driver whose store shows what it stored', () => {
  it('records a write whose reply shows the value as a write and a read, with its version', async () => {
    const { driver, records, written } = anAudited({ writeAndRead: async () => Promise.resolve(stored) });
    written.resolve();
    expect(await driver.writeAndRead?.(stored, 'absent', permitted(signal))).toEqual(stored);
    expect(records.map(({ operation, outcome, version }) => ({ operation, outcome, version }))).toEqual([
      { operation: 'write', outcome: 'done', version: undefined },
      { operation: 'read', outcome: 'present', version: '7' },
    ]);
    expect(anAudited({}).driver.writeAndRead).toBeUndefined();
  });
});
