import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { OPERATOR_BUNDLE } from './operator-process.ts';

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A run of the bundle, as a person starts it in a folder with a manifest. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

/** A folder with the manifest, the credentials and the state of one migration without an operator. */
export class LocalRig implements AsyncDisposable {
  readonly folder: string;
  readonly #remove: () => Promise<void>;

  private constructor(folder: string, remove: () => Promise<void>) {
    this.folder = folder;
    this.#remove = remove;
  }

  /** `objects`: the migration and its backends. `credentials`: files by name. */
  static async open(
    objects: readonly object[],
    credentials: Readonly<Record<string, string>>,
  ): Promise<LocalRig> {
    const folder = await mkdtempDisposable(join(tmpdir(), 'keyferry-local-'));
    const { path } = folder;
    // JSON is YAML.
    writeFileSync(join(path, 'm.yaml'), objects.map((object) => JSON.stringify(object)).join('\n---\n'));
    for (const [name, content] of Object.entries(credentials)) writeFileSync(join(path, name), content);
    return new LocalRig(path, async () => folder.remove());
  }

  /** Creates a folder that no other user can read, with these files. */
  plant(folder: string, files: Readonly<Record<string, string | Buffer>>): void {
    mkdirSync(join(this.folder, folder), { mode: 0o700 });
    for (const [name, content] of Object.entries(files))
      writeFileSync(join(this.folder, folder, name), content, { mode: 0o600 });
  }

  start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
    const child = spawn(OPERATOR_BUNDLE, ['migrate', '--local', '-f', 'm.yaml', ...args], {
      cwd: this.folder,
      env: { PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`, HOME: this.folder, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = (async (): Promise<Ended> => {
      const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
      return { code: child.exitCode, out, err };
    })();
    return { child, ended };
  }

  async run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ended> {
    return this.start(args, env).ended;
  }

  /** Everything that the runs left in their state. */
  state(): Buffer {
    const files = readdirSync(join(this.folder, '.keyferry'), { recursive: true, withFileTypes: true });
    return Buffer.concat(
      files.filter((each) => each.isFile()).map((each) => readFileSync(join(each.parentPath, each.name))),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#remove();
  }
}
