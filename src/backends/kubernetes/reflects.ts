import type { Document, Reflected, Version } from '#src/core/document.ts';
import { REFLECTS_ANNOTATION } from './marks.ts';

/*
 * The text of the annotation REFLECTS_ANNOTATION:
 *
 *   text   = part " " part [" " part]      revision, identity, and the resourceVersion that the write replaced
 *   part   = 1*(ALPHA / DIGIT / "_" / "." / ":" / "+" / "-" / "!" / "'" / "(" / ")" / "*" / "~" / %HH of UTF-8)
 *
 * There is one text for each content. Any other text tells nothing, also one that a later version of Keyferry writes.
 */

/** Longest text that is read: another writer can set the annotation to 256 KiB. */
const MAX_TEXT = 1024;

/** Everything that stands for itself in a part. */
const ESCAPED = /[^\w.:+-]/gu;

/** The text for this version; undefined for one that has none: it is only valid inside a process, empty or not Unicode. */
export function encodeReflected({ version, replaced }: Reflected): string | undefined {
  if (version.isEphemeral === true) return undefined;
  const parts = [version.revision, version.identity, ...(replaced === undefined ? [] : [replaced])];
  if (!parts.every((part) => part !== '' && part.isWellFormed())) return undefined;
  const text = parts.map(escaped).join(' ');
  return text.length <= MAX_TEXT ? text : undefined;
}

/** What the text says; undefined for a text that Keyferry did not write. */
export function decodeReflected(text: string | undefined): Reflected | undefined {
  if (text === undefined || text.length > MAX_TEXT) return undefined;
  const [revision, identity, replaced, ...more] = text.split(' ').map(unescaped);
  if (revision === undefined || identity === undefined || more.length > 0) return undefined;
  const reflected = { version: { identity, revision }, ...(replaced === undefined ? {} : { replaced }) };
  return encodeReflected(reflected) === text ? reflected : undefined;
}

/** The annotation for what the document reflects, if it has a text; `expect`: the state that the write replaces. */
export function reflectsIn({ reflects }: Document, expect?: Version): Readonly<Record<string, string>> {
  if (reflects === undefined) return {};
  const { version } = reflects;
  const text = encodeReflected(expect === undefined ? { version } : { version, replaced: expect.revision });
  return text === undefined ? {} : { [REFLECTS_ANNOTATION]: text };
}

function escaped(part: string): string {
  return part.replaceAll(ESCAPED, (character) => encodeURIComponent(character));
}

/** Undefined for text that is not escaped UTF-8. */
function unescaped(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
