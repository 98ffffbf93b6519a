import type { StatusRow } from '#src/api/v1alpha1/status-row.ts';
import { unknownMembersOf, type UnknownMembers } from '#src/api/v1alpha1/stored-rows.ts';
import { sameCopy, type Outcome } from '#src/core/outcome.ts';

/** What rows of one document have that only another version knows, by key. */
export type UnknownOfDocument = ReadonlyMap<string, UnknownMembers>;

/** What this version would drop of the rows of a document; undefined if this version wrote them. */
export function unknownIn(rows: Iterable<StatusRow>): UnknownOfDocument | undefined {
  let found: Map<string, UnknownMembers> | undefined;
  for (const row of rows) {
    const unknown = unknownMembersOf(row);
    if (unknown === undefined) continue;
    found ??= new Map();
    for (const key of row.keys.length === 0 ? [''] : row.keys) found.set(key, unknown);
  }
  return found;
}

/** What a document has of both; `found` counts. */
export function bothUnknown(
  before: UnknownOfDocument | undefined,
  found: UnknownOfDocument | undefined,
): UnknownOfDocument | undefined {
  return before === undefined || found === undefined ? (before ?? found) : new Map([...before, ...found]);
}

/** The row as it was stored: its known members as this version writes them, and the others after them. */
export function withUnknown(row: StatusRow, unknown: UnknownMembers | undefined): StatusRow {
  if (unknown === undefined) return row;
  const { name, keys, state, ...rest } = row;
  const { destination, source } = row;
  return {
    name,
    keys,
    state,
    ...(row.reason === undefined ? unknown.reason : {}),
    ...rest,
    ...(destination === undefined ? {} : { destination: { ...destination, ...unknown.destination } }),
    ...(source === undefined ? {} : { source: { ...source, ...unknown.source } }),
    ...unknown.row,
  };
}

/**
 * What stays of it when this version sets the outcome of a document. What is said of a copy or a source stays as long as
 * that is the same one; a reason stays with a removed document, because nobody can find it out again.
 */
export function unknownAfter(
  unknown: UnknownOfDocument | undefined,
  { before, after }: { readonly before: Outcome; readonly after: Outcome },
): UnknownOfDocument | undefined {
  if (unknown === undefined) return undefined;
  const isSameCopy = sameCopy(before.destination, after.destination);
  const isSameSource =
    before.source?.version === after.source?.version && before.source?.identity === after.source?.identity;
  const keepsReason = before.state === 'Removed' && after.state === 'Removed' && after.reason === undefined;
  const kept = ({ reason, ...members }: UnknownMembers): UnknownMembers => ({
    row: members.row,
    destination: isSameCopy ? members.destination : {},
    source: isSameSource ? members.source : {},
    ...(keepsReason && reason !== undefined ? { reason } : {}),
  });
  return new Map([...unknown].map(([key, members]) => [key, kept(members)]));
}
