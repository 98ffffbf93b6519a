import { askCapabilities, type Requester } from './capabilities-self.ts';
import { failureOf } from './status.ts';

/*
 * A listener of OpenBao refuses a request with too many JSON strings (max_request_json_strings), before it looks at the
 * token. So the question needs no right, and the strings can be in a member that no server reads: as paths they would
 * cost a Vault server 0.3 s of CPU, here 4 ms. They are names of members, because a server writes a digest of each
 * value to its audit log (160 KB against 24 KB), and not of a name. Measured on OpenBao 2.6.2 and Vault 1.13.0.
 */

/** More than a listener accepts by default, 1,000 with the strings of the question itself. */
const TOO_MANY_STRINGS = 1_000;
/** A path that every token may ask about. */
const QUESTION = { paths: ['sys/health'] };

/**
 * True if the server refuses a request because of the number of its JSON strings: it replies 400 to many strings and not
 * to few. Throws if it is too busy to tell.
 */
export async function countsFields(session: Requester, signal: AbortSignal): Promise<boolean> {
  const names = Array.from({ length: TOO_MANY_STRINGS }, (_, index) => [String(index), null] as const);
  const many = { ...QUESTION, ignored: Object.fromEntries(names) };
  if (!(await refuses(session, many, signal))) return false;
  return !(await refuses(session, QUESTION, signal));
}

async function refuses(
  session: Requester,
  body: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<boolean> {
  const { reply, request } = await askCapabilities(session, body, signal);
  if (reply.status === 429 || reply.status >= 500) throw failureOf(reply, request);
  return reply.status === 400;
}
