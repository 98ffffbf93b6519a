import { mkdir, mkdtempDisposable, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '#src/runtime/system-clock.ts';
import { fakeTerminal } from '#test/support/fake-terminal.ts';
import { runProgram, type Surroundings } from '../program.ts';
import { planLocal } from './local.ts';

/*
 * From one directory to another one: the whole run without a server. test/integration/cli/local.test.ts has those.
 */

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

interface Wanted {
  /** More arguments. */
  readonly args?: string;
  /** Folder of the source. */
  readonly from?: string;
  readonly signal?: AbortSignal;
}

/** What a command prints, and its exit code. */
async function ended(signal: AbortSignal, command: (about: Surroundings) => Promise<number>): Promise<Ended> {
  const { err, invocation, out } = fakeTerminal({ clock: systemClock });
  const code = await command({ ...invocation, signal });
  return { code, out: out(), err: err() };
}

const NEVER = new AbortController().signal;

/** A folder with two backends and a manifest. */
class Place implements AsyncDisposable {
  readonly path: string;
  readonly #remove: () => Promise<void>;

  private constructor(path: string, remove: () => Promise<void>) {
    this.path = path;
    this.#remove = remove;
  }

  static async open(files: Readonly<Record<string, string>>): Promise<Place> {
    const folder = await mkdtempDisposable(join(tmpdir(), 'keyferry-local-'));
    const place = new Place(folder.path, async () => folder.remove());
    for (const end of ['from', 'to']) await mkdir(join(place.path, end), { mode: 0o700 });
    for (const [name, content] of Object.entries(files))
      await writeFile(join(place.path, name), content, { mode: 0o600 });
    return place;
  }

  async run(spec: string, { args = '', from = 'from', signal = NEVER }: Wanted = {}): Promise<Ended> {
    const backend = (name: string, path: string): string =>
      `{apiVersion: keyferry.io/v1alpha1, kind: SecretBackend, metadata: {name: ${name}}, spec: {type: directory, directory: {path: ${path}, trailingNewline: Keep}}}\n---\n`;
    const migration = `apiVersion: keyferry.io/v1alpha1\nkind: SecretMigration\nmetadata: {name: move}\nspec:\n  source: {backendRef: {name: from}}\n  destination: {backendRef: {name: to}}\n  select: {all: true}\n  mapping: {path: "{name}"}\n`;
    const file = join(this.path, 'move.yaml');
    await writeFile(file, `${backend('from', from)}${backend('to', 'to')}${migration}${spec}`);
    const line = [
      'migrate',
      '--local',
      '-f',
      file,
      '--directory-root',
      this.path,
      ...args.split(' ').filter(Boolean),
    ];
    return ended(signal, async (about) => runProgram(line, about, 'keyferry'));
  }

  /** The plan of the manifest of the last run. */
  async plan(): Promise<Ended> {
    const flags = { filename: join(this.path, 'move.yaml'), directoryRoot: this.path };
    return ended(NEVER, async (about) => planLocal({ ...about, flags: {} }, flags));
  }

  async names(end: string): Promise<readonly string[]> {
    return (await readdir(join(this.path, end))).toSorted();
  }

  async state(): Promise<string> {
    const folder = join(this.path, '.keyferry', 'default', 'move');
    const files = await readdir(folder);
    return (await Promise.all(files.map(async (name) => readFile(join(folder, name), 'utf8')))).join('\n');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#remove();
  }
}

describe('a migration without a cluster', () => {
  it('shows what it would do and writes nothing, then does that', async () => {
    await using place = await Place.open({ 'from/db': 'canary-db', 'from/api': 'canary-api' });
    const planned = await place.run('  sourcePolicy: Delete\n', { args: '--dry-run' });
    expect(planned).toMatchObject({ code: 0, err: '' });
    expect(planned.out).toContain('would create 2, adopt 0, overwrite 0, remove 2');
    expect(planned.out).toContain('Nothing was written; run it without --dry-run to start.');
    expect(planned.out).toMatch(/^db +value +Pending +WouldCreate/m);
    expect(await place.names('.')).toEqual(['from', 'move.yaml', 'to']);

    const done = await place.run('  sourcePolicy: Delete\n');
    expect(done).toMatchObject({ code: 0, err: '' });
    expect(done.out).toContain('Completed: 2/2 keys verified.');
    expect(done.out).toContain('2 keys: 2 removed.');
    expect([await place.names('from'), await place.names('to')]).toEqual([[], ['api', 'db']]);
    expect(await readFile(join(place.path, 'to', 'db'), 'utf8')).toBe('canary-db');
    expect(`${planned.out}${done.out}${await place.state()}`).not.toContain('canary');
  });

  it('run again finds new documents, and keeps the rows of the sources that it removed', async () => {
    await using place = await Place.open({ 'from/db': 'a' });
    await place.run('  sourcePolicy: Delete\n');
    await writeFile(join(place.path, 'from', 'late'), 'b', { mode: 0o600 });
    const { code, out } = await place.run('  sourcePolicy: Delete\n', { args: '-o json' });
    expect(code).toBe(0);
    const { status }: { status: { keys: { name: string; state: string }[] } } = JSON.parse(out);
    expect(status.keys.map(({ name, state }) => `${name} ${state}`)).toEqual(['db Removed', 'late Removed']);
  });

  it('ends with 1 for a conflict, names it, and changes neither side', async () => {
    await using place = await Place.open({ 'from/db': 'a', 'to/db': 'b' });
    const { code, err, out } = await place.run('  sourcePolicy: Delete\n');
    expect(code).toBe(1);
    expect(out).toMatch(/^db +value +Conflict +DestinationDiffers +\S/m);
    expect(out).toContain('ConflictsFound: ');
    expect(err).toContain('Its rows are in');
    expect(await readFile(join(place.path, 'from', 'db'), 'utf8')).toBe('a');
    expect(await readFile(join(place.path, 'to', 'db'), 'utf8')).toBe('b');
  });

  it('prints all rows also when they fill reports', async () => {
    const names = Array.from({ length: 260 }, (_, index) => `doc-${String(index).padStart(3, '0')}`);
    await using place = await Place.open(Object.fromEntries(names.map((name) => [`from/${name}`, 'v'])));
    const { code, out } = await place.run('', { args: '--dry-run -o json' });
    const { status }: { status: { keys: { name: string; reason: string }[] } } = JSON.parse(out);
    expect(code).toBe(0);
    expect(status).not.toHaveProperty('reports');
    expect(status.keys.map(({ name, reason }) => `${name} ${reason}`).toSorted()).toEqual(
      names.map((name) => `${name} WouldCreate`),
    );
  });

  it('says until when sources soak, and leaves them until then', async () => {
    await using place = await Place.open({ 'from/db': 'a' });
    const { code, err } = await place.run('  sourcePolicy: Delete\n  soakSeconds: 3600\n');
    expect(code).toBe(1);
    expect(err).toMatch(/Sources soak until \d{4}-.*Z\. .* Run the same command again after that/);
    expect(await place.names('from')).toEqual(['db']);
  });

  it('stays until the soak is over when it is asked to wait', async () => {
    await using place = await Place.open({ 'from/db': 'a' });
    const { code } = await place.run('  sourcePolicy: Delete\n  soakSeconds: 1\n', { args: '--wait' });
    expect(code).toBe(0);
    expect(await place.names('from')).toEqual([]);
  });

  it('is planned with the exit codes of a diff: 2 for changes, 0 for none, 1 for what is in the way', async () => {
    await using place = await Place.open({ 'from/db': 'a' });
    await place.run('', { args: '--dry-run' });
    expect(await place.plan()).toMatchObject({ code: 2, err: '' });
    await place.run('');
    expect(await place.plan()).toMatchObject({ code: 0, err: '' });
    await writeFile(join(place.path, 'to', 'db'), 'b');
    expect(await place.plan()).toMatchObject({ code: 1 });
  });

  it('refuses a file that leads to other stores than the rows of earlier runs are about', async () => {
    await using place = await Place.open({ 'from/db': 'a' });
    await mkdir(join(place.path, 'other'), { mode: 0o700 });
    await place.run('');
    const { code, err } = await place.run('', { from: 'other' });
    expect(code).toBe(1);
    expect(err).toContain('SecretBackend from: the store of the backend differs from earlier runs');
  });

  it('that was stopped before it began does nothing', async () => {
    await using place = await Place.open({ 'from/db': 'a' });
    const { code } = await place.run('', { signal: AbortSignal.abort(new Error('SIGINT')) });
    expect(code).toBe(1);
    expect(await place.names('to')).toEqual([]);
  });
});
