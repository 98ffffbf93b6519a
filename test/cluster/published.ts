import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { EnvHttpProxyAgent, interceptors, request, type Dispatcher } from 'undici';

const run = promisify(execFile);

/** A machine without access to the host must notice soon: it builds instead. */
const CONNECT_TIMEOUT_MS = 2000;
const SILENCE_TIMEOUT_MS = 30_000;
const MAX_ARCHIVE_BYTES = 500_000_000;

/** A released tar.gz archive with one program in it, known by the digest of its bytes. */
export interface PublishedArchive {
  readonly url: string;
  /** Hexadecimal. */
  readonly sha256: string;
  /** Path of the program in the archive. */
  readonly member: string;
}

/**
 * Downloads the archive, compares its digest with the pinned one, and only then unpacks the program to `target`.
 * Throws, with the reason and without a file left, when the host cannot be reached within 2 s, when the archive ends early or is
 * another one, or when it does not contain the program.
 */
export async function downloadProgram(archive: PublishedArchive, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const folder = await mkdtemp(`${target}.download-`);
  try {
    const file = join(folder, 'archive.tar.gz');
    const sha256 = await fetchFile(archive.url, file);
    if (sha256 !== archive.sha256) {
      throw new Error(`${archive.url} does not have the pinned SHA-256 ${archive.sha256}, but ${sha256}`);
    }
    await run('tar', ['-xzf', file, '-C', folder, archive.member]);
    const program = join(folder, basename(archive.member));
    await chmod(program, 0o755);
    await rename(program, target);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Whether a server answers at this URL: the connection stands within 2 s and the reply is not an error. */
export async function isReachable(url: string): Promise<boolean> {
  return await withDispatcher(async (dispatcher) => {
    try {
      const { statusCode, body } = await request(url, { method: 'HEAD', dispatcher });
      await body.dump();
      return statusCode < 400;
    } catch {
      return false;
    }
  });
}

async function fetchFile(url: string, file: string): Promise<string> {
  return await withDispatcher(async (dispatcher) => {
    const { statusCode, body } = await request(url, { dispatcher });
    if (statusCode !== 200) {
      await body.dump();
      throw new Error(`${url} answered ${statusCode}`);
    }
    const hash = createHash('sha256');
    let bytes = 0;
    const counted = new Transform({
      transform(chunk: Buffer, _encoding, done): void {
        bytes += chunk.length;
        hash.update(chunk);
        done(
          bytes > MAX_ARCHIVE_BYTES ? new Error(`${url} is larger than ${MAX_ARCHIVE_BYTES} bytes`) : null,
          chunk,
        );
      },
    });
    await pipeline(body, counted, createWriteStream(file));
    return hash.digest('hex');
  });
}

/** HTTPS_PROXY and NO_PROXY count, as for Go. */
async function withDispatcher<T>(use: (dispatcher: Dispatcher) => Promise<T>): Promise<T> {
  const agent = new EnvHttpProxyAgent({
    connect: { timeout: CONNECT_TIMEOUT_MS },
    headersTimeout: SILENCE_TIMEOUT_MS,
    bodyTimeout: SILENCE_TIMEOUT_MS,
  });
  try {
    // Releases are redirected to the host that stores them.
    return await use(agent.compose(interceptors.redirect({ maxRedirections: 5 })));
  } finally {
    await agent.destroy();
  }
}
