import { spawn } from 'node:child_process';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { createBrotliDecompress } from 'node:zlib';
import { findInPath } from '#test/cluster/executable.ts';

/** A Chromium, and what its process needs. */
export interface BrowserProgram {
  readonly executablePath: string;
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * The Chromium of the npm package @sparticuz/chromium, unpacked once into the cache folder with the libraries and the font
 * that it needs: `npm ci` is enough. The package is for Linux on x64; elsewhere KEYFERRY_CHROMIUM_BIN or PATH names one.
 */
export async function findBrowser(): Promise<BrowserProgram> {
  const named = process.env['KEYFERRY_CHROMIUM_BIN'];
  if (named !== undefined) return { executablePath: named, environment: {} };
  if (process.platform === 'linux' && process.arch === 'x64') return unpacked();
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    const [executablePath] = await findInPath(name, process.env);
    if (executablePath !== undefined) return { executablePath, environment: {} };
  }
  throw new Error(
    'The tests of pages need a Chromium: npm has one for Linux on x64 only. Install it, or name its program in KEYFERRY_CHROMIUM_BIN.',
  );
}

/** The package has each file compressed with brotli. Its own code would unpack them to fixed names in /tmp. */
async function unpacked(): Promise<BrowserProgram> {
  const packed = fileURLToPath(new URL('../bin/', import.meta.resolve('@sparticuz/chromium')));
  const { version } = await manifestOf(join(packed, '../package.json'));
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'keyferry');
  const folder = join(cache, `chromium-${version}`);
  if (!existsSync(folder)) await unpack(packed, folder);
  return {
    executablePath: join(folder, 'chromium'),
    environment: {
      LD_LIBRARY_PATH: join(folder, 'lib'),
      FONTCONFIG_PATH: join(folder, 'fonts'),
    },
  };
}

async function manifestOf(file: string): Promise<{ readonly version: string }> {
  const { default: manifest }: { default: { version: string } } = await import(file, {
    with: { type: 'json' },
  });
  return manifest;
}

/** Complete or absent: another process can look for it at any moment. */
async function unpack(packed: string, folder: string): Promise<void> {
  await mkdir(dirname(folder), { recursive: true });
  const work = await mkdtemp(`${folder}.`);
  const program = join(work, 'chromium');
  await pipeline(
    createReadStream(join(packed, 'chromium.br')),
    createBrotliDecompress(),
    createWriteStream(program),
  );
  await chmod(program, 0o755);
  for (const archive of ['al2023.tar.br', 'fonts.tar.br', 'swiftshader.tar.br'])
    await unpackArchive(join(packed, archive), work);
  try {
    await rename(work, folder);
  } catch (failure) {
    await rm(work, { recursive: true, force: true });
    if (!existsSync(folder)) throw failure; // Otherwise another process was faster.
  }
}

async function unpackArchive(archive: string, folder: string): Promise<void> {
  const tar = spawn('tar', ['-x', '-C', folder], { stdio: ['pipe', 'inherit', 'inherit'] });
  const ended = new Promise<number | null>((resolve, reject) => {
    tar.once('error', reject);
    tar.once('close', resolve);
  });
  await pipeline(createReadStream(archive), createBrotliDecompress(), tar.stdin);
  const code = await ended;
  if (code !== 0) throw new Error(`tar ended with ${code} on ${archive}.`);
}
