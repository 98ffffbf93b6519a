import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '#src/runtime/system-clock.ts';
import { aRow, evidenceWith, MAKING } from '#test/support/evidence-samples.ts';
import { fakeTerminal } from '#test/support/fake-terminal.ts';
import { runProgram } from '../program.ts';
import { pageOf } from './html.ts';
import { textOf } from './text.ts';

/** Carries out a command line that needs no cluster, and keeps what it prints. */
async function run(...argv: readonly string[]) {
  const { err, invocation, out } = fakeTerminal({ clock: systemClock });
  const code = await runProgram(argv, { ...invocation, version: MAKING.version }, 'keyferry');
  return { code, out: out(), err: err() };
}

/** A file with this text. */
async function aFile(text: string): Promise<AsyncDisposable & { readonly path: string }> {
  const folder = await mkdtempDisposable(join(tmpdir(), 'keyferry-evidence-'));
  const path = join(folder.path, 'report');
  await writeFile(path, text);
  return { path, [Symbol.asyncDispose]: async () => folder[Symbol.asyncDispose]() };
}

const evidence = evidenceWith({ rows: [aRow('db'), aRow('smtp')] });
const { head } = evidence.chain;

describe('keyferry report', () => {
  it.each([[], ['--html', '--json']])('asks which report to write, with the flags %s', async (...flags) => {
    const { code, err } = await run('report', 'payments', ...flags);
    expect({ code, err }).toEqual({
      code: 1,
      err: 'keyferry: Say which report: --html for people, or --json for programs.\n',
    });
  });

  it('shows in its help that a report can be checked', async () => {
    const { out } = await run('report', '--help');
    expect(out).toContain('keyferry report verify payments.html');
    expect(out).toMatch(/Commands:\n {2}verify/);
  });
});

describe('keyferry report verify', () => {
  it.each([
    ['a page', pageOf(evidence)],
    ['JSON', textOf(evidence)],
  ])('accepts %s as it was made, and asks for the head that was kept', async (_what, text) => {
    await using file = await aFile(text);
    const { code, out, err } = await run('report', 'verify', file.path);
    expect(out).toBe(
      `${file.path}: unchanged, 2 keys of SecretMigration shop/payments, made 2026-11-27T12:00:00Z\nhead of the chain: ${head}\n`,
    );
    expect({ code, err }).toEqual({
      code: 0,
      err: expect.stringContaining('Compare the head with the one that you kept'),
    });
    expect(await run('report', 'verify', file.path, '--head', head)).toMatchObject({ code: 0, err: '' });
  });

  it('fails with the row that was edited, and without a word that the file is good', async () => {
    await using file = await aFile(textOf(evidence).replace('"name":"smtp"', '"name":"smt\\u001b[31m"'));
    const { code, out, err } = await run('report', 'verify', file.path);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain('Row 2 (smt\\u{1b}[31m password) breaks the chain');
  });

  it('fails with a head that is not that of the file', async () => {
    await using file = await aFile(textOf(evidence));
    const { code, err } = await run('report', 'verify', file.path, '--head', '0'.repeat(64));
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('not the one that was kept') });
  });

  it('says what is wrong with a file that it cannot read', async () => {
    expect(await run('report', 'verify', '/nonexistent/report')).toMatchObject({
      code: 1,
      err: 'keyferry: /nonexistent/report does not exist, or its folder does not. Check the path.\n',
    });
    expect((await run('report', 'verify', tmpdir())).err).toContain('is a folder. Name a file.');
  });
});
