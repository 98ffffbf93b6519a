import * as fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Driver, Entry, ReadOutcome } from '#src/backends/driver.ts';
import { mapConcurrently } from '#src/io/map-concurrently.ts';
import { sameVersion } from '#src/core/document.ts';
import type { ErrorCode } from '#src/errors.ts';
import { aDocument, codeOf, contentOf, documents, presentIn, versionIn, type Holdings } from './documents.ts';

/** One kind of store, as the suite needs it. Everything that differs between drivers is declared here. */
export interface Subject {
  readonly kind: string;
  /** Makes a place of its own, and drivers for it. */
  readonly open: () => Promise<Place>;
  /** Names that need more than one page. */
  readonly manyNames: number;
  /** Bytes of ASCII text that one field must be able to hold. */
  readonly largeTextBytes: number;
  /** Bytes of text that must be refused before anything is sent. */
  readonly tooLargeBytes: number;
  readonly fieldName: fc.Arbitrary<string>;
  /** Addresses that must be refused before anything is sent. */
  readonly hostileAddresses: readonly string[];
  /** What a document may be made of. Default: anything. */
  readonly holds?: Holdings;
  /** How a store fails that is not there. Default: as a server does; a folder that is missing is no server that is down. */
  readonly unreachableAs?: ErrorCode;
  /** True where a deleted document keeps its name: a version of it still takes it. Default: false. */
  readonly listsDeleted?: boolean;
}

export interface Place extends AsyncDisposable {
  readonly driver: Driver;
  /** Same place, credentials without any right. */
  readonly denied: Driver;
  /** Same place, a port where nobody listens or a folder that is not there. */
  readonly unreachable: Driver;
  /** What reached the store meanwhile: requests, or changes on the disk where a store has none. */
  readonly traffic: (during: () => Promise<void>) => Promise<readonly unknown[]>;
  /** Removes a document and makes it again behind the driver's back: another incarnation of the same name. */
  readonly recreate: (address: string, field: string, text: string) => Promise<void>;
}

/** The behaviour that the engine relies on. */
export function describeDriver(subject: Subject): void {
  describe(`the ${subject.kind} driver`, () => {
    let place: Place;
    let driver: Driver;
    let counter = 0;
    let address = '';
    const { signal } = new AbortController();

    beforeAll(async () => {
      place = await subject.open();
      driver = place.driver;
    });
    beforeEach(() => {
      counter += 1;
      address = `doc-${counter}`;
    });
    afterAll(() => place[Symbol.asyncDispose]());

    const holds = subject.holds ?? 'anything';
    const unreachableAs = subject.unreachableAs ?? 'BACKEND_UNREACHABLE';
    const read = (name = address) => driver.read(name, signal);
    const create = (fields: Record<string, string | Buffer>) =>
      driver.write(aDocument(address, fields), 'absent', signal);

    // Before any other writes there.
    it('lists an empty store as nothing, and reads nothing from it', async () => {
      expect(await collect(driver.list({ folder: '' }, signal))).toEqual([]);
      expect(await collect(driver.readMany([address], signal))).toEqual([
        { address, result: { state: 'absent' } },
      ]);
    });

    const mayWrite = holds === 'text' ? 'UnsafeWrites' : 'ConditionalWrite';

    it(`names its server and has the capability ${mayWrite}`, async () => {
      const probe = await driver.probe(signal);
      expect(probe.server.version).not.toBe('');
      expect(probe.identity).not.toBe('');
      expect(probe.capabilities).toContain(mayWrite);
      expect(await driver.probe(signal)).toEqual(probe);
    });

    it('knows where a document is, whoever asks', async () => {
      await driver.probe(signal);
      expect(driver.locationOf('a')).toEqual(driver.locationOf('a'));
      expect(driver.locationOf('a').store).toBe(driver.locationOf('b').store);
      expect(driver.locationOf('a').path).not.toBe(driver.locationOf('b').path);
    });

    it('tells absent, denied and unreachable apart, when reading', async () => {
      expect(await read()).toEqual({ state: 'absent' });
      expect(await codeOf(place.denied.read(address, signal))).toBe('AUTH_DENIED');
      expect(await codeOf(place.unreachable.read(address, signal))).toBe(unreachableAs);
    });

    it('tells denied and unreachable apart, when writing, and says that neither was applied', async () => {
      const document = aDocument(address, { a: 'b' });
      for (const [broken, code] of [
        [place.denied, 'AUTH_DENIED'],
        [place.unreachable, unreachableAs],
      ] as const) {
        const write = broken.write(document, 'absent', signal);
        await expect(write).rejects.toMatchObject({ code, indeterminate: false });
      }
      expect(await read()).toEqual({ state: 'absent' });
    });

    it('does not take a denied listing for an empty one', async () => {
      expect(await codeOf(collect(place.denied.list({ folder: '' }, signal)))).toBe('AUTH_DENIED');
      expect(await codeOf(collect(place.unreachable.list({ folder: '' }, signal)))).toBe(unreachableAs);
    });

    it('returns from a write the version that a read then shows', async () => {
      const version = await create({ user: 'admin', password: 'p' });
      const document = presentIn(await read());
      expect(document.version).toEqual(version);
      expect(contentOf(document)).toEqual(contentOf(aDocument(address, { user: 'admin', password: 'p' })));
    });

    it('refuses to create what exists and leaves it as it is', async () => {
      const version = await create({ a: 'first' });
      expect(await codeOf(create({ a: 'second' }))).toBe('ALREADY_EXISTS');
      const document = presentIn(await read());
      expect(document.version).toEqual(version);
      expect(document.fields.get('a')?.reveal().toString()).toBe('first');
    });

    it('lets exactly one of many simultaneous creates win', async () => {
      const attempts = Array.from({ length: 8 }, (_, index) => codeOf(create({ winner: String(index) })));
      const codes = await Promise.all(attempts);
      expect(codes.filter((code) => code === 'none')).toHaveLength(1);
      expect(codes.filter((code) => code === 'ALREADY_EXISTS')).toHaveLength(7);
      expect(
        presentIn(await read())
          .fields.get('winner')
          ?.reveal()
          .toString(),
      ).toBe(String(codes.indexOf('none')));
    });

    it('replaces all fields of the expected version as one new version', async () => {
      const first = await create({ kept: 'old', dropped: 'x' });
      const second = await driver.write(aDocument(address, { kept: 'new', added: 'y' }), first, signal);
      expect(sameVersion(first, second)).toBe(false);
      const document = presentIn(await read());
      expect(document.version).toEqual(second);
      expect(contentOf(document)).toEqual(contentOf(aDocument(address, { kept: 'new', added: 'y' })));
    });

    it('refuses to write over, or to delete, a version that is no longer current', async () => {
      const first = await create({ a: '1' });
      const second = await driver.write(aDocument(address, { a: '2' }), first, signal);
      expect(await codeOf(driver.write(aDocument(address, { a: '3' }), first, signal))).toBe(
        'VERSION_CONFLICT',
      );
      expect(await codeOf(driver.delete(address, first, signal))).toBe('VERSION_CONFLICT');
      const document = presentIn(await read());
      expect(document.version).toEqual(second);
      expect(document.fields.get('a')?.reveal().toString()).toBe('2');
    });

    it('refuses to write over, or to delete, another incarnation of the name', async () => {
      const first = await create({ a: '1' });
      await place.recreate(address, 'a', 'theirs');
      expect(await codeOf(driver.write(aDocument(address, { a: '2' }), first, signal))).toBe(
        'VERSION_CONFLICT',
      );
      expect(await codeOf(driver.delete(address, first, signal))).toBe('VERSION_CONFLICT');
      expect(
        presentIn(await read())
          .fields.get('a')
          ?.reveal()
          .toString(),
      ).toBe('theirs');
    });

    it('refuses to write with a version where nothing ever was', async () => {
      const version = await create({ a: '1' });
      const elsewhere = aDocument(`${address}-other`, { a: '1' });
      expect(await codeOf(driver.write(elsewhere, version, signal))).toBe('VERSION_CONFLICT');
      expect(await read(`${address}-other`)).toEqual({ state: 'absent' });
    });

    it('deletes the expected version, once', async () => {
      const version = await create({ a: '1' });
      await driver.delete(address, version, signal);
      expect((await read()).state).not.toBe('present');
      expect(await codeOf(driver.delete(address, version, signal))).toBe('NOT_FOUND');
      expect(await codeOf(driver.delete(`${address}-never`, version, signal))).toBe('NOT_FOUND');
    });

    it('keeps empty, Unicode and JSON-like values byte for byte, and binary ones', async () => {
      const binary = {
        binary: Buffer.from([0, 255, 254, 10, 13, 128]),
        surrogate: Buffer.from([0xed, 0xa0, 0x80]),
      };
      const fields = {
        ...(holds === 'text' ? {} : binary),
        empty: '',
        unicode: 'Grüße, 世界 🔐 e\u0301',
        bom: '\uFEFFx',
        controls: 'nul\0 tab\t\r\n<&>\u2028',
        json: '{"a": 1.0}',
        number: '12345678901234567890',
        base64: 'aGVsbG8=',
      };
      await create(fields);
      expect(contentOf(presentIn(await read()))).toEqual(contentOf(aDocument(address, fields)));
    });

    it('keeps a value of the largest size', async () => {
      const text = Buffer.alloc(subject.largeTextBytes, 'abcdefgh');
      await create({ large: text });
      expect(
        presentIn(await read())
          .fields.get('large')
          ?.reveal()
          .equals(text),
      ).toBe(true);
    });

    it('refuses a document that does not fit before anything is sent', async () => {
      const document = aDocument(address, { large: Buffer.alloc(subject.tooLargeBytes, 'a') });
      expect(driver.refusalOf(document)?.reason).toBe('TooLarge');
      const requests = await place.traffic(async () => {
        expect(await codeOf(driver.write(document, 'absent', signal))).toBe('DOCUMENT_REFUSED');
      });
      expect(requests).toEqual([]);
    });

    if (holds !== 'text') {
      it('keeps a document without fields', async () => {
        await create({});
        expect(presentIn(await read()).fields.size).toBe(0);
      });
    }

    if (holds === 'anything') describeAttributes();

    it('gives back any document exactly', async () => {
      let run = 0;
      const check = async (fields: Record<string, Buffer>): Promise<void> => {
        run += 1;
        const document = aDocument(`${address}-${run}`, fields);
        expect(driver.refusalOf(document)).toBeUndefined();
        const version = await driver.write(document, 'absent', signal);
        const stored = presentIn(await read(document.address));
        expect(contentOf(stored)).toEqual(contentOf(document));
        expect(stored.version).toEqual(version);
      };
      await fc.assert(fc.asyncProperty(documents(subject.fieldName, holds), check), { numRuns: 150 });
    });

    it('gives back any sequence of replacements exactly', async () => {
      let run = 0;
      const check = async (states: readonly Record<string, Buffer>[]): Promise<void> => {
        run += 1;
        const name = `${address}-${run}`;
        let version: Awaited<ReturnType<typeof create>> | 'absent' = 'absent';
        for (const fields of states) {
          const document = aDocument(name, fields);
          version = await driver.write(document, version, signal);
          expect(contentOf(presentIn(await read(name)))).toEqual(contentOf(document));
        }
      };
      const states = fc.array(documents(subject.fieldName, holds), { minLength: 2, maxLength: 4 });
      await fc.assert(fc.asyncProperty(states, check), { numRuns: 25 });
    });

    it.each(subject.hostileAddresses.map((hostile) => [hostile]))(
      'refuses the address %j before anything is sent',
      async (hostile) => {
        expect(driver.addressRefusalOf(hostile)).toBeDefined();
        const document = aDocument(hostile, { a: 'b' });
        const requests = await place.traffic(async () => {
          expect(await codeOf(driver.read(hostile, signal))).toBe('DOCUMENT_REFUSED');
          expect(await codeOf(driver.write(document, 'absent', signal))).toBe('DOCUMENT_REFUSED');
          const version = { identity: 'x', revision: '1' };
          expect(await codeOf(driver.write(document, version, signal))).toBe('DOCUMENT_REFUSED');
          expect(await codeOf(driver.delete(hostile, version, signal))).toBe('DOCUMENT_REFUSED');
          const [outcome] = await collect(driver.readMany([hostile], signal));
          expect(outcome).toHaveProperty('error.code', 'DOCUMENT_REFUSED');
        });
        expect(requests).toEqual([]);
      },
    );

    it('rejects with the reason of its signal', async () => {
      const reason = new Error('shutting down');
      const aborted = AbortSignal.abort(reason);
      const document = aDocument(address, { a: 'b' });
      await expect(driver.read(address, aborted)).rejects.toBe(reason);
      await expect(driver.write(document, 'absent', aborted)).rejects.toBe(reason);
      await expect(collect(driver.list({ folder: '' }, aborted))).rejects.toBe(reason);
      expect(await read()).toEqual({ state: 'absent' });
    });

    it('says what may not be done, without doing it', async () => {
      const need = { address, verbs: ['read', 'create', 'delete'] as const };
      expect(await driver.denied([need], signal)).toEqual(new Map());
      const refusals = await place.denied.denied([need], signal);
      expect(refusals.get(address)).toMatchObject({ reason: 'PermissionDenied' });
    });

    function describeAttributes(): void {
      it.each([
        ['a type', { type: 'kubernetes.io/basic-auth' }],
        ['a type of somebody else', { type: 'example.org/what.ever' }],
        ['immutability', { immutable: true as const }],
        ['both', { type: 'kubernetes.io/ssh-auth', immutable: true as const }],
      ])('keeps %s', async (_what, attributes) => {
        const document = aDocument(
          address,
          { username: 'u', password: 'p', 'ssh-privatekey': Buffer.from([1, 200]) },
          attributes,
        );
        await driver.write(document, 'absent', signal);
        expect(contentOf(presentIn(await read()))).toEqual(contentOf(document));
      });
    }

    describe('with many documents', () => {
      const names = Array.from({ length: subject.manyNames }, (_, index) => `many-${index}`);

      beforeAll(async () => {
        const writes = mapConcurrently(names, 32, (name) =>
          driver.write(aDocument(name, { name }), 'absent', signal),
        );
        await collect(writes);
      });

      it('lists every name once, page by page', async () => {
        const entries = await collect<Entry>(driver.list({ folder: '' }, signal));
        const listed = entries.map((entry) => entry.address).filter((name) => name.startsWith('many-'));
        expect(listed.toSorted()).toEqual(names.toSorted());
      });

      it('reads many, yielding each address once, the missing ones as absent', async () => {
        const missing = ['not-there', 'not-there-either'];
        const outcomes = await collect(driver.readMany([...names, ...missing, names[0]!], signal));
        expect(outcomes.map((outcome) => outcome.address).toSorted()).toEqual(
          [...names, ...missing].toSorted(),
        );
        for (const outcome of outcomes) expect(textIn(outcome)).toBe(outcome.address);
      });

      it('reads a few, yielding each address once, the missing ones as absent', async () => {
        const few = [...names.slice(0, 3), 'not-there'];
        const outcomes = await collect(driver.readMany(few, signal));
        expect(outcomes.map((outcome) => outcome.address).toSorted()).toEqual(few.toSorted());
        for (const outcome of outcomes) expect(textIn(outcome)).toBe(outcome.address);
      });

      it('fails the reading of many as a whole when the server is gone', async () => {
        expect(await codeOf(collect(place.unreachable.readMany(names, signal)))).toBe(unreachableAs);
      });
    });

    it('shows the name of what was deleted only where a version still takes it', async () => {
      await driver.delete(address, await create({ a: '1' }), signal);
      const result = await read();
      const entries = await collect<Entry>(driver.list({ folder: '' }, signal));
      const listed = entries.some((entry) => entry.address === address);
      expect(listed).toBe(subject.listsDeleted ?? false);
      if (result.state === 'absent') return;
      expect(await codeOf(create({ a: '2' }))).toBe('ALREADY_EXISTS');
      const revived = await driver.write(aDocument(address, { a: '2' }), versionIn(result), signal);
      expect(presentIn(await read()).version).toEqual(revived);
    });
  });
}

/** The field of a present document; its own address for one that must be absent. */
function textIn(outcome: ReadOutcome): string {
  if ('error' in outcome) throw outcome.error;
  if (outcome.address.startsWith('not-there')) {
    expect(outcome.result).toEqual({ state: 'absent' });
    return outcome.address;
  }
  return presentIn(outcome.result).fields.get('name')?.reveal().toString() ?? '';
}

/** Everything that an iteration yields. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
