import type { VersionState } from '#src/backends/listing.ts';
import type { RecordedVersion } from '#src/core/outcome.ts';
import type { BySide, Side } from '#src/core/sync/observed.ts';
import { parseJson } from '#src/json/parse.ts';

/**
 * What one side of a document was last seen as, as a text that is compared for equality and nothing else. A process keeps two
 * of them for each document that it follows, so they are short, and both are in one text.
 */
export type Mark = string;

/** Nothing is there. */
export const ABSENT: Mark = '';
/** It is there, at the source, and its labels select it no longer. */
export const LEFT: Mark = '!';
/** A key of a document that is split: the version of the whole is that of its source. */
export const PART: Mark = '+';
/** Only a read can tell. It equals nothing that was read. */
export const UNKNOWN: Mark = '?';

export const SIDES: readonly Side[] = ['source', 'destination'];

/** Not in a revision, and not in what the stores give as an identity. */
const BETWEEN_SIDES = '\n';

export function markOf(state: VersionState): Mark {
  if (state.state === 'absent') return ABSENT;
  if (state.state === 'unknown') return UNKNOWN;
  const { identity, revision } = state.version;
  return versionMark(state.state, revision, identity);
}

/** A soft delete makes no version in KV, so the state is part of the mark. */
function versionMark(state: 'present' | 'deleted', revision: string, identity: string): Mark {
  return `${state === 'present' ? '=' : '-'}${revision} ${identity}`;
}

/**
 * The mark of one side after the document was read. A record without a version that outlives the process tells nothing; then
 * it is what was seen before the read, or what was remembered.
 */
export function readMark(
  recorded: RecordedVersion | undefined,
  before: { readonly seen: Mark | undefined; readonly remembered: Mark },
): Mark {
  const { remembered } = before;
  const seen = before.seen === UNKNOWN ? undefined : before.seen;
  if (recorded?.version === undefined || recorded.identity === undefined) return seen ?? remembered;
  const { identity, version } = recorded;
  // A record does not say whether its version is deleted.
  const deleted = versionMark('deleted', version, identity);
  return deleted === (seen ?? remembered) ? deleted : versionMark('present', version, identity);
}

/** Both marks as one text; undefined if nothing is at either side. */
export function joined({ destination, source }: BySide<Mark>): string | undefined {
  return source === ABSENT && destination === ABSENT
    ? undefined
    : flat(`${source}${BETWEEN_SIDES}${destination}`);
}

/** The reverse of `joined`. */
export function parted(text: string | undefined): BySide<Mark> {
  const [source = ABSENT, destination = ABSENT] = text?.split(BETWEEN_SIDES) ?? [];
  return { source, destination };
}

/**
 * The same text without others behind it: V8 keeps the parts of a joined text, and the whole of which a text is a part
 * (`make bench-followed`).
 */
export function flat(text: string): string {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the JSON of a text is a text
  return parseJson(JSON.stringify(text)) as string;
}
