import { link, rename, unlink } from 'node:fs/promises';
import type { Version } from '#src/core/document.ts';
import { hasCode, OperatorError } from '#src/errors.ts';
import { claim, commit, rollBack } from './claims.ts';
import { attempt, conclude, conflict, transientFor, type Change } from './change.ts';
import { sameContent, type Content, type Found } from './content.ts';
import { failureOf } from './failures.ts';
import { identityOf, lstatOf } from './opened.ts';
import { prepare, removeQuietly, type Prepared } from './prepare.ts';
import { readSettled } from './settled.ts';

/*
 * A file system has no check-and-set: between reading a name and removing it, another writer can put something else
 * there. So a change first claims the document by a rename, which gets exactly one incarnation, then compares it with
 * what was read, and only then commits.
 *
 *   create    write .x.keyferry-<id> → fsync → link it to x, which fails if x exists → unlink the first name → fsync
 *   delete    claim: rename x to .x.keyferry-aside-<id> → is it what was read? → commit: unlink → fsync
 *               no → roll back: link it to x again: VERSION_CONFLICT, nothing is changed
 *               no, and x exists again → .x.keyferry-kept-<id>: VERSION_CONFLICT, both exist
 *   replace   write the new one → claim the old one as above → link the new one to x → unlink the old one
 *
 * A folder cannot be linked. It is renamed, which fails if the target exists and is not an empty folder. A folder
 * cannot be removed in one step either: once compared, it is renamed to .x.keyferry-trash-<id> and then emptied.
 *
 * After a crash at any point, recovery.ts rolls back a claim if x is free, and continues the removal of trash. While a
 * document is claimed, its name is absent for other programs, for as long as the comparison takes.
 *
 * One limit: a program that has the file open when it is claimed can still write into it, even after the comparison.
 */

/** A version that no document has: another writer changed the document before its version could be read. */
const OVERTAKEN = 'overtaken';

/** Writes a document under a free name. Throws `ALREADY_EXISTS`, with nothing changed, if the name is taken. */
export async function create(change: Change, content: Content): Promise<Version> {
  await using prepared = await prepareFor(change, content);
  await publish(change, change.address, prepared);
  return versionOf(change, prepared, content);
}

/** Like `create`, for a name that is not the name of a document and needs no version. */
export async function keep(change: Change, name: string, content: Content): Promise<void> {
  await using prepared = await prepareFor(change, content);
  await publish(change, name, prepared);
}

/** Removes exactly what was read. */
export async function remove(change: Change, expected: Found): Promise<void> {
  await commit(change, await claim(change, expected));
}

/** Replaces exactly what was read with this content. */
export async function replace(change: Change, expected: Found, content: Content): Promise<Version> {
  await using prepared = await prepareFor(change, content);
  const claimed = await claimFor(change, expected, prepared);
  try {
    await publish(change, change.address, prepared);
  } catch (failure) {
    await conclude(change, async () => rollBack(change.folder, change.address, claimed.file));
    // Another writer took the name while the old document was claimed.
    throw hasCode(failure, 'ALREADY_EXISTS') ? conflict(change) : failure;
  }
  await conclude(change, async () => commit(change, claimed));
  return versionOf(change, prepared, content);
}

async function claimFor(change: Change, expected: Found, prepared: Prepared): ReturnType<typeof claim> {
  try {
    return await claim(change, expected);
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
    change.permit.require();
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

/** Fails if the name is taken. Between check and rename, a folder can replace an empty folder, nothing more. */
async function giveName({ folder, op, address }: Change, name: string, prepared: Prepared): Promise<void> {
  const path = folder.pathOf(name);
  if (prepared.shape === 'file') {
    await link(folder.pathOf(prepared.file), path);
    return;
  }
  if ((await lstatOf(path)) !== undefined) throw new OperatorError('ALREADY_EXISTS', { op, target: address });
  await rename(folder.pathOf(prepared.file), path);
}

/** The version of what was written. The open handle keeps the inode number from being reused. */
async function versionOf(change: Change, { handle }: Prepared, content: Content): Promise<Version> {
  return conclude(change, async () => {
    const identity = identityOf(await handle.stat({ bigint: true }));
    const found = await readSettled(change.folder, change.address, change);
    const isOurs = found?.version.identity === identity && sameContent(found, content);
    return isOurs ? found.version : { identity, revision: OVERTAKEN };
  });
}
