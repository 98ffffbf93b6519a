import { execFileSync } from 'node:child_process';
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DirectorySpecSchema } from '#src/backends/directory/spec.ts';
import { DirectoryFactory } from '#src/backends/directory/factory.ts';
import type { Driver } from '#src/backends/driver.ts';
import type { BackendDefinition } from '#src/backends/factory.ts';
import type { Clock, Random } from '#src/ports.ts';
import { systemClock } from '#src/runtime/system-clock.ts';

export interface DirectoryOptions {
  /** Default: tokens. */
  readonly path?: string;
  /** Default: Keep. */
  readonly trailingNewline?: 'Keep' | 'Strip';
  readonly allowWorldReadable?: boolean;
  readonly clock?: Clock;
  /** Called just before a change makes a transient name, so that a test can act at that moment. */
  readonly random?: Random;
}

/** A user that owns none of the files. */
const NOBODY = 65_534;
/** Namespace of the folder. */
export const NAMESPACE = 'team';

/** A new root with the folder team/tokens, and drivers as in the operator. */
export class DirectoryFixture implements AsyncDisposable {
  readonly root: string;
  readonly folder: string;
  /** Shared by all drivers, as in one operator: they wait for one another. */
  readonly factory: DirectoryFactory;

  private constructor(root: string) {
    this.root = root;
    this.folder = join(root, NAMESPACE, 'tokens');
    this.factory = this.#createFactory({});
  }

  static async open(): Promise<DirectoryFixture> {
    const fixture = new DirectoryFixture(await mkdtemp(join(tmpdir(), 'keyferry-directory-')));
    await mkdir(fixture.folder, { recursive: true, mode: 0o700 });
    return fixture;
  }

  driver(options: DirectoryOptions = {}): Driver {
    const isOwn = options.clock !== undefined || options.random !== undefined;
    const factory = isOwn ? this.#createFactory(options) : this.factory;
    return factory.create(this.definition(options));
  }

  definition(options: DirectoryOptions = {}): BackendDefinition {
    const { path = 'tokens', trailingNewline = 'Keep', allowWorldReadable } = options;
    const directory = DirectorySpecSchema.parse({ path, trailingNewline, allowWorldReadable });
    return {
      title: `SecretBackend ${NAMESPACE}/tokens`,
      spec: { type: 'directory', directory },
      backend: { kind: 'SecretBackend', namespace: 'n', name: 'b' },
      credentialsNamespace: NAMESPACE,
      tenant: NAMESPACE,
    };
  }

  /** A driver as in another operator: it does not share the locks of the other drivers. */
  driverOfAnotherProcess(): Driver {
    return this.driver({ random: Math.random });
  }

  #createFactory({ clock = systemClock, random = Math.random }: DirectoryOptions): DirectoryFactory {
    return new DirectoryFactory({ root: this.root, clock, random });
  }

  path(...names: readonly string[]): string {
    return join(this.folder, ...names);
  }

  /** Creates a file, or a folder of files. */
  async put(name: string, content: string | Buffer | Readonly<Record<string, string>>): Promise<void> {
    if (typeof content === 'string' || Buffer.isBuffer(content)) {
      await writeFile(this.path(name), content, { mode: 0o600 });
      return;
    }
    await mkdir(this.path(name), { mode: 0o700 });
    for (const [field, text] of Object.entries(content)) await writeFile(this.path(name, field), text);
  }

  async text(...names: readonly string[]): Promise<string> {
    return readFile(this.path(...names), 'utf8');
  }

  /** All names in the folder, including hidden ones. */
  async names(): Promise<readonly string[]> {
    return (await readdir(this.folder)).toSorted();
  }

  /** States below the root that `during` changed: each change of a name, a byte or a right is visible. */
  async changesDuring(during: () => Promise<void>): Promise<readonly string[]> {
    const before = await this.#states();
    await during();
    const after = await this.#states();
    return [...new Set([...before, ...after])].filter((state) => !before.has(state) || !after.has(state));
  }

  async #states(): Promise<ReadonlySet<string>> {
    const names = await readdir(this.root, { recursive: true });
    const states = names.map(async (name) => {
      const { ino, mode, ctimeNs } = await lstat(join(this.root, name), { bigint: true });
      return `${name} ${ino} ${mode} ${ctimeNs}`;
    });
    return new Set(await Promise.all(states));
  }

  /**
   * The driver without any right to the folder. Permission bits do not bind root: as root, the calls run as another
   * user. Any other user loses the rights to the folder for the time of a call.
   */
  withoutRights(driver: Driver): Driver {
    return aroundCalls(driver, async (has) => {
      if (isRoot()) process.seteuid?.(has ? 0 : NOBODY);
      else await chmod(this.folder, has ? 0o700 : 0);
    });
  }

  /** The driver as the owner of all files, whom their permission bits bind. As root, the files get another owner. */
  asOwner(driver: Driver): Driver {
    if (!isRoot()) return driver;
    execFileSync('chown', ['-hR', String(NOBODY), this.root]);
    return aroundCalls(driver, async (has) => {
      process.seteuid?.(has ? 0 : NOBODY);
      return Promise.resolve();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A test may have removed rights that the cleanup needs.
    execFileSync('chmod', ['-R', 'u+rwX', this.root]);
    await rm(this.root, { recursive: true, force: true });
  }
}

async function* iteratedBetween<T>(
  give: (has: boolean) => Promise<void>,
  items: () => AsyncIterable<T>,
): AsyncGenerator<T> {
  await give(false);
  try {
    yield* items();
  } finally {
    await give(true);
  }
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** The driver with other rights during its calls: `give(false)` before each of them, `give(true)` after it. */
function aroundCalls(driver: Driver, give: (has: boolean) => Promise<void>): Driver {
  return new Proxy(driver, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      const call = (args: unknown[]): unknown => Reflect.apply(member, target, args);
      if (name === 'list') {
        return (...args: Parameters<Driver['list']>) => iteratedBetween(give, () => target.list(...args));
      }
      if (name === 'versions') {
        return (...args: Parameters<Driver['versions']>) =>
          iteratedBetween(give, () => target.versions(...args));
      }
      if (name === 'readMany') {
        return (...args: Parameters<Driver['readMany']>) =>
          iteratedBetween(give, () => target.readMany(...args));
      }
      if (!['read', 'write', 'delete', 'denied'].includes(String(name))) {
        return (...args: unknown[]) => call(args);
      }
      return async (...args: unknown[]) => {
        await give(false);
        try {
          return await call(args);
        } finally {
          await give(true);
        }
      };
    },
  });
}
