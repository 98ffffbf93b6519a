import { describe, expect, it } from 'vitest';
import { Output } from '../output.ts';
import { readSecret, type Wanted } from './secret-input.ts';

const TOKEN: Wanted = { what: 'the token', flag: '--token-stdin', isPiped: true, hasLines: false };

/** What a person sees while they give a secret in these chunks. */
async function given(
  chunks: readonly string[],
  options: { readonly isTTY?: boolean; readonly hides?: boolean; readonly wanted?: Partial<Wanted> } = {},
) {
  let shown = '';
  const modes: boolean[] = [];
  const write = (text: string): void => void (shown += text);
  const { isTTY = false, hides = true, wanted = {} } = options;
  const stdin = Object.assign(
    (async function* typed() {
      yield* chunks;
    })(),
    { isTTY, ...(hides ? { setRawMode: (on: boolean) => modes.push(on) } : {}) },
  );
  const streams = { stdin, stdout: { write }, stderr: { write } };
  const read = readSecret(streams, new Output(streams, {}), { ...TOKEN, ...wanted }).then(
    (secret) => ({ secret: secret.toString('utf8') }),
    (failure: unknown) => ({ problem: failure instanceof Error ? failure.message : '' }),
  );
  return { ...(await read), shown, modes };
}

describe('a secret of a new backend', () => {
  it('is all of a pipe, without the newline at its end', async () => {
    expect(await given(['s.abc', 'def\n'])).toMatchObject({ secret: 's.abcdef', shown: '' });
    expect(await given(['s.abc\r\n'])).toMatchObject({ secret: 's.abc' });
  });

  it('keeps the lines of a private key', async () => {
    const wanted = { what: 'the private key', flag: '--key-stdin', hasLines: true } as const;
    const key = '-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n';
    expect(await given([key], { wanted })).toMatchObject({ secret: key });
    const { problem } = { problem: '', ...(await given([key], { wanted, isTTY: true })) };
    expect(problem).toContain('--key-stdin < tls.key');
  });

  it('is not taken from a pipe that nobody announced', async () => {
    expect(await given(['s.abc'], { wanted: { isPiped: false } })).toMatchObject({
      problem: expect.stringContaining('--token-stdin is missing'),
    });
  });

  it('is typed at a terminal without echo, and can be corrected', async () => {
    const typed = await given(['s.ab', 'X\u007Fc\r'], { isTTY: true });
    expect(typed).toMatchObject({ secret: 's.abc', modes: [true, false] });
    expect(typed.shown).toBe('Enter the token (it is not shown): \n');
  });

  it('is refused at a terminal that cannot hide it', async () => {
    expect(await given(['s.abc\r'], { isTTY: true, hides: false })).toMatchObject({
      problem: expect.stringContaining('cannot hide what is typed'),
    });
  });

  it.each([
    ['an empty pipe', [''], 'is empty'],
    ['several lines', ['canary-one\ncanary-two\n'], 'several lines'],
    ['more than any secret has', ['c'.repeat(70_000)], 'more than 64 KiB'],
  ])('is refused as %s, and is not quoted', async (_what, chunks, text) => {
    const { problem } = { problem: '', ...(await given(chunks)) };
    expect(problem).toContain(text);
    expect(problem).not.toContain('canary');
  });

  it('leaves the terminal as it was when Ctrl-C is pressed', async () => {
    expect(await given(['s.a\u0003'], { isTTY: true })).toMatchObject({
      problem: 'Interrupted. Nothing was created.',
      modes: [true, false],
    });
  });
});
