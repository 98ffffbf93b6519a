import { hasCode } from '#src/errors.ts';
import type { Session } from './auth/session.ts';
import { hasRightOn } from './capabilities-self.ts';
import type { KvMount } from './kv.ts';
import { prefixRepeats, prefixWithoutRepeats, type Place } from './mistakes.ts';

export interface FolderQuestion {
  readonly session: Session;
  /** The folder of the backend. */
  readonly kv: Pick<KvMount, 'listPage'>;
  readonly place: Place;
  /** A path in the folder on which a policy for the folder grants some right. */
  readonly somePath: string;
}

/**
 * Throws `FOLDER_MISSING` for a prefix that starts with the mount or with `data/`, unless the folder exists. Sends no
 * request for any other prefix.
 */
export async function requireMeantFolder(question: FolderQuestion, signal: AbortSignal): Promise<void> {
  const meant = prefixWithoutRepeats(question.place);
  if (meant === undefined || (await mayExist(question, signal))) return;
  throw prefixRepeats(meant, question.place);
}

/** Without the right to list, a right on the folder counts: who granted it knows the name. */
async function mayExist({ session, kv, somePath }: FolderQuestion, signal: AbortSignal): Promise<boolean> {
  try {
    return (await kv.listPage('', { after: '', limit: 1 }, signal)).length > 0;
  } catch (thrown) {
    // A server without pages, and very many names.
    if (hasCode(thrown, 'REPLY_TOO_LARGE')) return true;
    if (!hasCode(thrown, 'AUTH_DENIED')) throw thrown;
    return hasRightOn(session, somePath, signal);
  }
}
