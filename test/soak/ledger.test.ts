import { describe, expect, it } from 'vitest';
import { Entry, faultsOf, Order, type Found } from './ledger.ts';

/* The soak proves nothing if its judge cannot say no. */

const ABSENT: Found = { state: 'absent' };

function present(token: string | undefined): Found {
  return { state: 'present', token: token ?? '' };
}

/** A document with so many values at one side. */
function anEntry(puts: number, side: 'secret' | 'path' = 'path') {
  const entry = new Entry('inward', 'doc-000');
  const tokens = Array.from({ length: puts }, () => entry.next(side, 'put').token);
  return { entry, tokens };
}

describe('the end of a soak', () => {
  it('is right only if both sides have the last edit', () => {
    const { entry, tokens } = anEntry(2);
    const [older, last] = tokens.map(present);
    if (older === undefined || last === undefined) throw new Error('two were made');
    expect(faultsOf(entry, { path: last, secret: last })).toEqual([]);
    expect(faultsOf(entry, { path: last, secret: older })).toHaveLength(1);
    expect(faultsOf(entry, { path: older, secret: older })).toHaveLength(2);
    expect(faultsOf(entry, { path: last, secret: ABSENT })).toHaveLength(1);
  });

  it('has no value that nobody wrote, or that was written to another document', () => {
    const { entry, tokens } = anEntry(1);
    const other = new Entry('inward', 'doc-001').next('path', 'put').token;
    const foreign: Found = { state: 'foreign', why: 'half a document' };
    for (const strange of [foreign, present(other), present('soak-inward-doc-000-edit-7')])
      expect(faultsOf(entry, { path: present(tokens[0]), secret: strange })).toHaveLength(1);
  });

  it('has nothing back that was deleted, and nothing gone at the other side', () => {
    const { entry, tokens } = anEntry(1);
    entry.inStepAt = 1;
    entry.next('path', 'delete');
    const kept = present(tokens[0]);
    expect(faultsOf(entry, { path: ABSENT, secret: kept })).toEqual([]);
    expect(faultsOf(entry, { path: kept, secret: kept })).toHaveLength(1);
    expect(faultsOf(entry, { path: ABSENT, secret: ABSENT })).toHaveLength(1);
  });
});

describe('the order of the values of one side', () => {
  it('may skip edits, and never goes back', () => {
    const { entry, tokens } = anEntry(4);
    const order = new Order();
    expect(order.next(entry, present(tokens[0]))).toBeUndefined();
    expect(order.next(entry, present(tokens[3]))).toBeUndefined();
    expect(order.next(entry, present(tokens[1]))).toContain('went back from edit 3');
  });

  it('notices a value that comes back after a deletion', () => {
    const { entry, tokens } = anEntry(2);
    const order = new Order();
    order.next(entry, present(tokens[0]));
    order.next(entry, ABSENT);
    expect(order.next(entry, present(tokens[0]))).toContain('came back');
    order.next(entry, ABSENT);
    expect(order.next(entry, present(tokens[1]))).toBeUndefined();
  });

  it('lets drift be undone', () => {
    const { entry, tokens } = anEntry(1);
    const order = new Order();
    for (const token of [tokens[0], entry.nextDrift(), tokens[0]])
      expect(order.next(entry, present(token))).toBeUndefined();
  });
});
