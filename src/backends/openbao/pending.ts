import { OperatorError } from '#src/errors.ts';
import { LIFETIME_MARKER, PENDING_MARKER } from './markers.ts';

/*
 * The marker keyferry-pending: what a write has prepared on a path and not yet completed.
 *
 *   version 5 by 1a2b3c4d                              the marks of version 5 are there, its data may be
 *   version 5 by 1a2b3c4d, lifetime 30 instead of 0    the path hides new versions after 30 s because of this write
 *
 * It is written together with what it describes and removed with the last step. A path whose marker names another version
 * than the current one has preparations of a write that did not happen.
 */

export interface Pending {
  /** The version that the write makes. */
  readonly version: number;
  /** One attempt of one writer, so that a writer removes only its own preparations. */
  readonly writer: string;
  /** What the write set as delete_version_after of the path, and what was there before; in seconds. */
  readonly lifetime?: { readonly set: number; readonly before: number };
}

const FORM =
  /^version ([1-9][0-9]{0,14}) by ([0-9a-f]{8})(?:, lifetime ([0-9]{1,10}) instead of ([0-9]{1,10}))?$/;

export function formatPending({ version, writer, lifetime }: Pending): string {
  const life = lifetime === undefined ? '' : `, lifetime ${lifetime.set} instead of ${lifetime.before}`;
  return `version ${version} by ${writer}${life}`;
}

/**
 * The write that is not complete; undefined if there is none. A path with keyferry-lifetime only was prepared before
 * keyferry-pending existed: its writer is ''. Throws `ENCODING_CORRUPT`.
 */
export function pendingIn(
  customMetadata: ReadonlyMap<string, string>,
  currentVersion: number,
  target: string,
): Pending | undefined {
  const text = customMetadata.get(PENDING_MARKER);
  if (text === undefined) {
    return customMetadata.has(LIFETIME_MARKER)
      ? { version: Math.max(1, currentVersion), writer: '' }
      : undefined;
  }
  const [, version, writer, set, before] = FORM.exec(text) ?? [];
  if (version === undefined || writer === undefined) {
    throw new OperatorError('ENCODING_CORRUPT', {
      op: 'openbao.decode',
      target,
      detail: `The custom metadata ${PENDING_MARKER} is not valid.`,
    });
  }
  const lifetime = set === undefined ? undefined : { set: Number(set), before: Number(before) };
  return { version: Number(version), writer, ...(lifetime === undefined ? {} : { lifetime }) };
}
