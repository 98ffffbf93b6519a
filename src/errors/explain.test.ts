import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { wordsOf } from '#test/support/said-words.ts';
import { OperatorError, type ErrorCode } from '#src/errors.ts';
import { MAX_HINT_BYTES } from './code-info.ts';
import { ERROR_CODES } from './codes.ts';
import { explain, fitted, shortened, shownCode } from './explain.ts';

const ROW = 256;
const CONDITION = 1024;
const isErrorCode = (word: string): word is ErrorCode => Object.hasOwn(ERROR_CODES, word);
const CODES = Object.keys(ERROR_CODES).filter(isErrorCode);

describe('the explanation of an error', () => {
  it('says what happened, where, and what to do', () => {
    const error = new OperatorError('TLS_FAILED', {
      op: 'openbao.read',
      target: 'kv/data/a',
      detail: 'Cause: EPROTO.',
    });
    expect(explain(error, ROW)).toBe(
      'The TLS handshake with the server failed. Cause: EPROTO (kv/data/a). Check caBundle or caSecretRef, tlsServerName and the server certificate.',
    );
  });

  it('names the operation if a permission or a server must be checked', () => {
    const error = new OperatorError('AUTH_DENIED', { op: 'openbao.write', target: 'kv/data/a' });
    expect(explain(error, ROW)).toBe(
      'The server refused the credentials or the permission (openbao.write kv/data/a). Grant the permission, or renew the credentials.',
    );
  });

  it('has the hint of the case instead of that of the code', () => {
    const error = new OperatorError('DOCUMENT_REFUSED', { op: 'kube.write', hint: 'Use sourcePolicy Keep.' });
    expect(explain(error)).toBe(
      'The backend cannot store or read the document unchanged. Use sourcePolicy Keep.',
    );
  });

  it('is one text for all errors of a server that gave no usable answer, and one reason', () => {
    const shown = CODES.map((code) => {
      const about = {
        op: `op.${code}`,
        target: code,
        detail: `Cause: ${code}.`,
        hint: `${code}!`,
        status: 500,
      };
      const error = new OperatorError(code, { ...about, unansweredAt: 'https://bao.example:8200' });
      return `${shownCode(error)} ${explain(error)}`;
    });
    expect([...new Set(shown)]).toEqual([
      'BACKEND_UNREACHABLE The server cannot be reached, or it is not the server that the settings describe (https://bao.example:8200). Check address, port, CA and network policy; an administrator finds the cause in the log of the operator.',
    ]);
  });

  it('does not quote errors that are not ours', () => {
    const text = explain(new SyntaxError('Unexpected token hunter2'));
    expect(text).toBe('Internal error. Report it with the log line.');
  });

  it.each([
    ['row', ROW],
    ['condition', CONDITION],
  ])('fits into a %s with its whole hint, whatever its target', (_what, limit) => {
    const text = fc.string({ unit: 'grapheme', maxLength: 2_000 });
    fc.assert(
      fc.property(fc.constantFrom(...CODES), text, text, text, (code, target, detail, hint) => {
        const plain = explain(new OperatorError(code, { op: 'test', target, detail }), limit);
        expect(Buffer.byteLength(plain)).toBeLessThanOrEqual(limit);
        expect(plain.endsWith(` ${ERROR_CODES[code].hint}`)).toBe(true);
        const advised = explain(new OperatorError(code, { op: 'test', target, detail, hint }), limit);
        expect(Buffer.byteLength(advised)).toBeLessThanOrEqual(limit);
        expect([hint, ERROR_CODES[code].hint].some((advice) => advised.endsWith(` ${advice}`))).toBe(true);
      }),
    );
  });

  it('shortens what happened at a word and keeps the location and the hint', () => {
    const error = new OperatorError('SPEC_INVALID', {
      op: 'test',
      target: 'spec.mapping',
      detail: 'word '.repeat(100).trimEnd(),
    });
    expect(explain(error, 80)).toMatch(
      /^Invalid spec\.(?: word)+… \(spec\.mapping\) Correct the named field\.$/,
    );
  });

  it('shortens a location that leaves no room for a sentence', () => {
    const error = new OperatorError('FOLDER_MISSING', { op: 'test', target: `/${'a'.repeat(1_000)}` });
    expect(explain(error, ROW)).toMatch(/^The folder does not exist \(\/a+… Create it, /);
  });
});

describe('a message of parts', () => {
  it('needs no location', () => {
    expect(fitted({ happened: 'It is so.', hint: 'Do this.' }, ROW)).toBe('It is so. Do this.');
  });
});

describe('a shortened text', () => {
  it.each([
    ['one two three', 13, 'one two three'],
    ['one two three', 12, 'one two…'],
    ['one two, three', 12, 'one two…'],
    ['ééééé', 7, 'éé…'],
    ['a', 0, '…'],
    ['half \ud83d', 100, 'half \ufffd'],
  ])('%s in %i bytes', (text, bytes, expected) => {
    expect(shortened(text, bytes)).toBe(expected);
  });
});

describe('a hint', () => {
  const hints = [
    ...CODES.map((code) => ERROR_CODES[code].hint),
    ...wordsOf('.')
      .filter(({ goesTo }) => goesTo === 'hint')
      .map(({ word }) => word),
  ];

  it.each([...new Set(hints)])('consists of whole sentences that fit into a row: %s', (hint) => {
    expect(hint).toMatch(/^[A-Z].*\.$/);
    expect(Buffer.byteLength(hint)).toBeLessThanOrEqual(MAX_HINT_BYTES);
  });
});
