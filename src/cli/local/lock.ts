import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { jsonOrUndefined } from '#src/json/parse.ts';
import { Problem } from '../problem.ts';

/** Tries before another run that begins and ends all the time counts as one that holds the file. */
const TRIES = 5;

/** The process that holds the file. */
interface Holder {
  readonly host: string;
  readonly pid: number;
  /** When it started, as the kernel tells it: a number of a process is used again. Empty where the system does not tell. */
  readonly started: string;
}

/**
 * Holds a file against other processes; resolves with what gives it back. The file of a process that was killed does not
 * count. Throws `Problem` while another process holds it.
 */
export async function lock(path: string): Promise<() => Promise<void>> {
  const own = JSON.stringify(await ownHolder());
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, own, { mode: 0o600 });
  try {
    for (let left = TRIES; left > 0; left -= 1) {
      if (await linked(draft, path)) return async () => rm(path, { force: true });
      const content = await contentOf(path);
      if (content === undefined) continue;
      const holder = holderIn(content);
      if (await isRunning(holder)) throw heldBy(path, holder);
      await takeAway(path, content);
    }
    throw heldBy(path, undefined);
  } finally {
    await rm(draft, { force: true });
  }
}

/** With its content from the start: another process never reads half of it. */
async function linked(draft: string, path: string): Promise<boolean> {
  return link(draft, path).then(
    () => true,
    (failure: unknown) => {
      if (failure instanceof Error && 'code' in failure && failure.code === 'EEXIST') return false;
      throw failure;
    },
  );
}

async function contentOf(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}

/** Removes the file of a process that was killed. One that another process made meanwhile is put back. */
async function takeAway(path: string, content: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  const isMoved = await rename(path, aside).then(
    () => true,
    () => false,
  );
  if (!isMoved) return;
  if ((await contentOf(aside)) !== content) await linked(aside, path);
  await rm(aside, { force: true });
}

async function ownHolder(): Promise<Holder> {
  return { host: hostname(), pid: process.pid, started: await startOf(process.pid) };
}

function holderIn(content: string): Holder | undefined {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each member is compared, none is relied on
  return jsonOrUndefined(content) as Holder | undefined;
}

/** Of another machine nothing is known: it counts as running. */
async function isRunning(holder: Holder | undefined): Promise<boolean> {
  if (holder === undefined) return false;
  if (holder.host !== hostname()) return true;
  if (holder.pid === process.pid) return holder.started === (await startOf(process.pid));
  try {
    process.kill(holder.pid, 0);
  } catch (failure) {
    return failure instanceof Error && 'code' in failure && failure.code === 'EPERM';
  }
  return holder.started === (await startOf(holder.pid));
}

/** Field 22 of proc(5): clock ticks after the boot. The name before it can have spaces and brackets. */
async function startOf(pid: number): Promise<string> {
  const stat = await contentOf(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

function heldBy(path: string, holder: Holder | undefined): Problem {
  const who = holder === undefined ? 'Another run' : `The process ${holder.pid} on ${holder.host}`;
  return new Problem(
    `${who} works on this migration. Wait until it has ended. If it no longer runs, remove the file ${path}.`,
  );
}
