import { link, rename, unlink } from 'node:fs/promises';
import type { Version } from '#src/core/document.ts';
import { hasCode, OperatorError } from '#src/errors.ts';
import { drop, putBack, take } from './aside.ts';
import { attempt, conclude, conflict, transientFor, type Change } from './change.ts';
import { sameContent, type Content, type Found } from './content.ts';
import { failureOf } from './failures.ts';
import { identityOf, lstatOf } from './opened.ts';
import { prepare, removeQuietly, type Prepared } from './prepare.ts';
import { readSettled } from './settled.ts';

/*
 * A file system has no check-and-set: between a look at a name and its removal anybody can put something else there. So
 * what is to go is first taken, which gets exactly one incarnation, then looked at, and only then removed.
 *
 *   create    write .x.keyferry-<id> → fsync → link it to x, which fails when x is there → unlink the first name → fsync
 *   delete    rename x to .x.keyferry-aside-<id> → is it what was read? → unlink → fsync
 *               no → link it back to x: VERSION_CONFLICT, nothing was changed
 *               no, and x is there again → .x.keyferry-kept-<id>: VERSION_CONFLICT, both are there
 *   replace   write the new one → take the old one aside as above → link the new one to x → unlink the old one
 *
 * A folder cannot be linked; it is renamed, which fails when there is something in the way that holds anything. It cannot
 * be removed at once either: once it was compared it is renamed to .x.keyferry-trash-<id>, and then emptied.
 *
 * Cut off at any point: recovery.ts puts back what was aside when x is free, and goes on to remove what was trash. While
 * something is aside its name is absent for other programs, for as long as a comparison takes.
 *
 * The one limit: a program that has the file open when it is taken can still write into it, also after the comparison.
 */

/** A version that nothing has: of what somebody else changed before it could be looked at. */
const OVERTAKEN = 'overtaken';

/** Writes a document under a name that must be free. `ALREADY_EXISTS` when it is not, with nothing changed. */
export async function create(change: Change, content: Content): Promise<Version> {
  await using prepared = await prepareFor(change, content);
  await publish(change, change.address, prepared);
  return versionOf(change, prepared, content);
}

/** The same for a name that is not that of a document: nobody asks for its version. */
export async function keep(change: Change, name: string, content: Content): Promise<void> {
  await using prepared = await prepareFor(change, content);
  await publish(change, name, prepared);
}

/** Removes exactly what was read. */
export async function remove(change: Change, expected: Found): Promise<void> {
  await drop(change, await take(change, expected));
}

/** Puts other content in the place of exactly what was read. */
export async function replace(change: Change, expected: Found, content: Content): Promise<Version> {
  await using prepared = await prepareFor(change, content);
  const old = await takeFor(change, expected, prepared);
  try {
    await publish(change, change.address, prepared);
  } catch (failure) {
    await conclude(change, async () => putBack(change.folder, change.address, old.file));
    // Somebody put something there while the old one was aside.
    throw hasCode(failure, 'ALREADY_EXISTS') ? conflict(change) : failure;
  }
  await conclude(change, async () => drop(change, old));
  return versionOf(change, prepared, content);
}

async function takeFor(change: Change, expected: Found, prepared: Prepared): ReturnType<typeof take> {
  try {
    return await take(change, expected);
  } catch (failure) {
    await removeQuietly(change.folder, prepared.file);
    throw failure;
  }
}

async function prepareFor(change: Change, content: Content): Promise<Prepared> {
  change.signal.throwIfAborted();
  return attempt(change, async () => prepare(change.folder, transientFor(change, 'temporary'), content));
}

async function publish(change: Change, name: string, prepared: Prepared): Promise<void> {
  const { folder, op, address, signal } = change;
  try {
    signal.throwIfAborted();
    await giveName(change, name, prepared);
  } catch (failure) {
    await removeQuietly(folder, prepared.file);
    throw failureOf(failure, { op, target: address });
  }
  await conclude(change, async () => {
    if (prepared.shape === 'file') await unlink(folder.pathOf(prepared.file));
    await folder.sync();
  });
}

/** Fails when the name is taken. What a folder could take the place of after the look is one without anything in it. */
async function giveName({ folder, op, address }: Change, name: string, prepared: Prepared): Promise<void> {
  const path = folder.pathOf(name);
  if (prepared.shape === 'file') {
    await link(folder.pathOf(prepared.file), path);
    return;
  }
  if ((await lstatOf(path)) !== undefined) throw new OperatorError('ALREADY_EXISTS', { op, target: address });
  await rename(folder.pathOf(prepared.file), path);
}

/** Of what was written: it is still held, so that nothing else can have its number. */
async function versionOf(change: Change, { handle }: Prepared, content: Content): Promise<Version> {
  return conclude(change, async () => {
    const identity = identityOf(await handle.stat({ bigint: true }));
    const found = await readSettled(change.folder, change.address, change);
    const isOurs = found?.version.identity === identity && sameContent(found, content);
    return isOurs ? found.version : { identity, revision: OVERTAKEN };
  });
}
