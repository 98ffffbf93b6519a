import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { aDocument, contentOf, documents, presentIn } from '#test/support/documents.ts';
import type { Trial } from './trial.ts';
import { permitted } from '#test/support/permit.ts';

/** A read returns bytes, names and attributes as they were written. */
export function describeContent(trial: Trial): void {
  const { subject, holds } = trial;

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
    await trial.create(fields);
    expect(contentOf(presentIn(await trial.read()))).toEqual(contentOf(aDocument(trial.address, fields)));
  });

  it('keeps a value of the largest size', async () => {
    const text = Buffer.alloc(subject.largeTextBytes, 'abcdefgh');
    await trial.create({ large: text });
    expect(
      presentIn(await trial.read())
        .fields.get('large')
        ?.reveal()
        .equals(text),
    ).toBe(true);
  });

  if (holds !== 'text') {
    it('keeps a document without keys', async () => {
      await trial.create({});
      expect(presentIn(await trial.read()).fields.size).toBe(0);
    });
  }

  if (holds === 'anything') describeAttributes(trial);
}

/** The same for generated documents and sequences of documents. */
export function describeAnyContent(trial: Trial): void {
  const { subject, signal, holds } = trial;

  it('returns any document unchanged', async () => {
    let run = 0;
    const check = async (fields: Record<string, Buffer>): Promise<void> => {
      run += 1;
      const document = aDocument(`${trial.address}-${run}`, fields);
      expect(trial.driver.refusalOf(document)).toBeUndefined();
      const version = await trial.driver.write(document, 'absent', permitted(signal));
      const stored = presentIn(await trial.read(document.address));
      expect(contentOf(stored)).toEqual(contentOf(document));
      expect(stored.version).toEqual(version);
    };
    await fc.assert(fc.asyncProperty(documents(subject.fieldName, holds), check), { numRuns: 150 });
  });

  it('returns each of a sequence of replacements unchanged', async () => {
    let run = 0;
    const check = async (states: readonly Record<string, Buffer>[]): Promise<void> => {
      run += 1;
      const name = `${trial.address}-${run}`;
      let version: Awaited<ReturnType<typeof trial.create>> | 'absent' = 'absent';
      for (const fields of states) {
        const document = aDocument(name, fields);
        version = await trial.driver.write(document, version, permitted(signal));
        expect(contentOf(presentIn(await trial.read(name)))).toEqual(contentOf(document));
      }
    };
    const states = fc.array(documents(subject.fieldName, holds), { minLength: 2, maxLength: 4 });
    await fc.assert(fc.asyncProperty(states, check), { numRuns: 25 });
  });
}

function describeAttributes(trial: Trial): void {
  const { signal } = trial;

  it.each([
    ['a type', { type: 'kubernetes.io/basic-auth' }],
    ['a type of another project', { type: 'example.org/what.ever' }],
    ['immutability', { immutable: true as const }],
    ['both', { type: 'kubernetes.io/ssh-auth', immutable: true as const }],
  ])('keeps %s', async (_what, attributes) => {
    const document = aDocument(
      trial.address,
      { username: 'u', password: 'p', 'ssh-privatekey': Buffer.from([1, 200]) },
      attributes,
    );
    await trial.driver.write(document, 'absent', permitted(signal));
    expect(contentOf(presentIn(await trial.read()))).toEqual(contentOf(document));
  });
}
