import { mapConcurrently } from '#src/io/map-concurrently.ts';
import type { BaoReply, BaoRequest } from './client.ts';
import type { Session } from './auth/session.ts';
import { apiPathOf } from './path.ts';
import { REPLY_LIMITS } from './reply-limits.ts';
import { storedTextSize } from './size.ts';
import { failureOf } from './status.ts';
import { CapabilitiesReply, CapabilityList, parseReply } from './wire.ts';

/*
 * `POST sys/capabilities-self`: what the token may do. The built-in `default` policy allows it.
 */

const OP = 'openbao.probe';
/** Paths per request, well below the 1,000 JSON strings that a listener accepts by default. */
const PATHS_PER_CALL = 400;
/** The reply names each path twice (the old form of the reply is above `data`), each time with all its capabilities. */
const BYTES_PER_CALL = REPLY_LIMITS.rights.maxBytes / 2;
const TIMES_NAMED = 2;
const CAPABILITIES_BYTES = 128;
/** The server checks each path against every policy of the token: 0.1 s of work per call. */
const CALLS_AT_ONCE = 4;

export type Requester = Pick<Session, 'request'>;

/**
 * The capabilities of the token on each path, in calls whose replies are small enough; undefined if the token has no right to ask
 * (it lacks the `default` policy).
 */
export async function readCapabilities(
  session: Requester,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly string[]> | undefined> {
  const rights = new Map<string, readonly string[]>();
  const replies = mapConcurrently(callsFor(paths), CALLS_AT_ONCE, async (some) =>
    askCapabilities(session, { paths: some }, signal),
  );
  for await (const { reply, request } of replies) {
    if (reply.status === 403) return undefined;
    if (reply.status !== 200) throw failureOf(reply, request);
    for (const [path, list] of Object.entries(parseReply(CapabilitiesReply, reply, request).data)) {
      const parsed = CapabilityList.safeParse(list);
      if (parsed.success) rights.set(path, parsed.data);
    }
  }
  return rights;
}

/** The paths of each call. */
function* callsFor(paths: readonly string[]): Generator<readonly string[]> {
  let call: string[] = [];
  let bytes = 0;
  for (const path of paths) {
    const added = TIMES_NAMED * (storedTextSize(Buffer.from(path)) + CAPABILITIES_BYTES);
    if (call.length > 0 && (call.length === PATHS_PER_CALL || bytes + added > BYTES_PER_CALL)) {
      yield call;
      call = [];
      bytes = 0;
    }
    call.push(path);
    bytes += added;
  }
  if (call.length > 0) yield call;
}

/** True if the token has any right on the path; false also if it has no right to ask. */
export async function hasRightOn(session: Requester, path: string, signal: AbortSignal): Promise<boolean> {
  const rights = await readCapabilities(session, [path], signal);
  return rights?.get(path)?.some((right) => right !== 'deny') ?? false;
}

/** One request with this body. Returns any reply. */
export async function askCapabilities(
  session: Requester,
  body: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<{ readonly request: BaoRequest; readonly reply: BaoReply }> {
  const request: BaoRequest = {
    method: 'POST',
    path: apiPathOf('sys/capabilities-self', OP),
    urlTemplate: '/v1/sys/capabilities-self',
    body,
    op: OP,
    target: 'sys/capabilities-self',
    replies: 'rights',
  };
  return { request, reply: await session.request(request, signal) };
}
