import { describe, expect, it } from 'vitest';
import { difference, matches, normalize } from './compare.ts';

describe('a line of output', () => {
  it('stands for every line that differs only in what varies from run to run', () => {
    expect(normalize('payments   True    Completed   2s')).toBe(
      normalize('payments  True  Completed  3m20s'),
    );
    expect(normalize('uid: 25597b7b-e564-34d5-7e8f-4ac6778fc794')).toBe('uid: UID');
    expect(normalize('created_time  2026-11-24T12:14:12.726Z')).toBe('created_time  TIME');
    expect(normalize('https://127.0.0.1:41233/v1')).toBe('https://127.0.0.1:PORT/v1');
    expect(normalize('pod/keyferry-6d5f7c9b48-x2x7z created')).toBe('pod/keyferry-HASH created');
    expect(normalize('===== Metadata =====')).toBe(normalize('======= Metadata ======='));
    expect(normalize('token  s.abcdefghijklmnopqrstuvwx')).toBe('token  TOKEN');
    expect(normalize('  resourceVersion: "812"')).toBe('  resourceVersion: VERSION');
  });

  it('keeps names, numbers and indentation', () => {
    expect(normalize('    version 2 of payments-vault, 12 documents')).toBe(
      '    version 2 of payments-vault, 12 documents',
    );
    expect(normalize('READY')).not.toBe(normalize('True'));
  });

  it('may have any text where the page has …', () => {
    expect(matches('a … c', 'a b c')).toBe(true);
    expect(matches('…c', 'a b c')).toBe(true);
    expect(matches('a…b…c', 'a b c')).toBe(true);
    expect(matches('a … c', 'a b d')).toBe(false);
    expect(matches('aa…aa', 'aaa')).toBe(false);
    expect(matches('a', 'a b')).toBe(false);
  });
});

describe('an output', () => {
  it('is what the page shows, apart from blank lines around it', () => {
    expect(difference(['', 'one', 'two', ''], ['one', 'two', ''])).toBeUndefined();
    expect(difference([], [''])).toBeUndefined();
  });

  it('may have any lines where the page has … on a line', () => {
    expect(difference(['one', '…', 'three'], ['one', '2a', '2b', 'three'])).toBeUndefined();
    expect(difference(['…', 'three'], ['three'])).toBeUndefined();
    expect(difference(['one', '…'], ['two'])).toContain('- one');
  });

  it('may have what client-go says of a watch that its program ended, and no other line of a log', () => {
    const logged = (what: string, why: string): string =>
      `I1128 23:21:48.344432   28737 reflector.go:664] "${what}" type="keyferry.io/v1alpha1" err="an error (\\"${why}\\")"`;
    const ended = 'Warning: watch ended with error';
    expect(difference(['one'], [logged(ended, 'context canceled'), 'one'])).toBeUndefined();
    expect(difference(['one'], [logged(ended, 'connection refused'), 'one'])).toContain('+ I1128');
    expect(difference(['one'], [logged('Failed to watch', 'context canceled'), 'one'])).toContain('+ I1128');
  });

  it('is shown as a diff when it is another one', () => {
    expect(difference(['one', 'two', 'three'], ['one', '2', 'three'])).toBe('  one\n- two\n+ 2\n  three');
    expect(difference(['one'], ['one', 'two'])).toBe('  one\n+ two');
    expect(difference([], ['one'])).toBe('+ one');
    expect(difference(['one'], [''])).toBe('- one');
  });
});
