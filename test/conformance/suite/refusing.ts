import { expect, it } from 'vitest';
import { collect } from '#test/support/collect.ts';
import { aDocument, codeOf } from '#test/support/documents.ts';
import type { Trial } from './trial.ts';
import { permitted } from '#test/support/permit.ts';

/** Documents and addresses that are refused before a request is sent. */
export function describeRefusals(trial: Trial): void {
  const { subject, signal } = trial;

  it('refuses a document that is too large before a request is sent', async () => {
    const document = aDocument(trial.address, { large: Buffer.alloc(subject.tooLargeBytes, 'a') });
    expect(trial.driver.refusalOf(document)?.reason).toBe('TooLarge');
    const requests = await trial.store.traffic(async () => {
      expect(await codeOf(trial.driver.write(document, 'absent', permitted(signal)))).toBe(
        'DOCUMENT_REFUSED',
      );
    });
    expect(requests).toEqual([]);
  });

  it.each(subject.hostileAddresses.map((hostile) => [hostile]))(
    'refuses the address %j before a request is sent',
    async (hostile) => {
      expect(trial.driver.addressRefusalOf(hostile)).toBeDefined();
      const document = aDocument(hostile, { a: 'b' });
      const requests = await trial.store.traffic(async () => {
        expect(await codeOf(trial.driver.read(hostile, signal))).toBe('DOCUMENT_REFUSED');
        expect(await codeOf(trial.driver.write(document, 'absent', permitted(signal)))).toBe(
          'DOCUMENT_REFUSED',
        );
        const version = { identity: 'x', revision: '1' };
        expect(await codeOf(trial.driver.write(document, version, permitted(signal)))).toBe(
          'DOCUMENT_REFUSED',
        );
        expect(await codeOf(trial.driver.delete(hostile, version, permitted(signal)))).toBe(
          'DOCUMENT_REFUSED',
        );
        const [outcome] = await collect(trial.driver.readMany([hostile], signal));
        expect(outcome).toHaveProperty('error.code', 'DOCUMENT_REFUSED');
      });
      expect(requests).toEqual([]);
    },
  );
}
