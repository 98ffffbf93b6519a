import type { z } from 'zod';
import { OperatorError } from '#src/errors.ts';
import type { Capability } from '../capabilities.ts';
import type { Probe } from '../driver.ts';
import { mapConcurrently } from '#src/io/map-concurrently.ts';
import type { BaoClient, BaoRequest } from './client.ts';
import type { Session } from './auth/session.ts';
import type { KvMount } from './kv.ts';
import { apiPathOf } from './path.ts';
import { failureOf, GRANT_POLICY } from './status.ts';
import {
  CapabilitiesReply,
  CapabilityList,
  ConfigReply,
  HealthReply,
  MountReply,
  parseReply,
} from './wire.ts';

/*
 * What this server and this mount can do, found by harmless requests. Version strings do not decide: a source build of
 * OpenBao reports 2.0.0-HEAD.
 */

const OP = 'openbao.probe';
/** An address that nothing is ever written to. */
export const PROBE_ADDRESS = 'keyferry-probe';
/** One more than a listener accepts by default (max_request_json_strings), including the member name. */
const TOO_MANY_STRINGS = 1_000;
/** Paths per request, well below that limit. */
const PATHS_PER_CALL = 400;
/** The server checks each path against every policy of the token: 0.1 s of work per call. */
const CALLS_AT_ONCE = 4;

export interface ProbeTarget {
  readonly client: BaoClient;
  readonly session: Session;
  readonly kv: KvMount;
  readonly mount: string;
}

type Health = z.output<typeof HealthReply>;

interface Retention {
  /** The mount hides versions after some time. */
  readonly selfDestructs: boolean;
  /** A single path can be set to hide its versions. */
  readonly canExpire: boolean;
  /** An overwritten version can still be read. */
  readonly keepsEarlier: boolean;
}

/**
 * Throws `BACKEND_SEALED`, `AUTH_DENIED`, `MOUNT_MISSING`, `CAPABILITY_MISSING` (KV version 1) or the errors of the
 * transport.
 */
export async function probeServer(target: ProbeTarget, signal: AbortSignal): Promise<Probe> {
  const health = await readHealth(target.client, signal);
  const { session, kv, mount } = target;
  const somePath = kv.pathOf('data', PROBE_ADDRESS);
  const accessor = await readMount({ session, mount, kvVersion: 2, somePath }, signal);
  const keyLimit = await countsFields(target.session, signal);
  const retention = await readRetention(target, signal);
  const capabilities: readonly (readonly [Capability, boolean])[] = [
    ['ConditionalWrite', true],
    ['Versions', retention.keepsEarlier],
    ['KeyLimit498', keyLimit],
    ['SelfDestructs', retention.selfDestructs],
    ['Expiry', retention.canExpire],
  ];
  return {
    server: serverOf(health),
    identity: identityOf(health, accessor),
    capabilities: capabilities.filter(([, present]) => present).map(([name]) => name),
  };
}

/** For display only. The health of OpenBao does not mention performance standbys: it has none. */
export function serverOf({ performance_standby: standby, version }: Health): Probe['server'] {
  return { product: standby === undefined ? 'OpenBao' : 'Vault', version };
}

/** Stable id of this mount in this cluster. */
export function identityOf({ cluster_id: clusterId }: Health, accessor: string): string {
  return [clusterId, accessor].filter((part) => part !== undefined).join('/');
}

/**
 * sys/health refuses the namespace header and needs no token. 200 is an active node, 429 a standby; both serve
 * requests.
 */
export async function readHealth(client: BaoClient, signal: AbortSignal): Promise<Health> {
  const request: BaoRequest = {
    method: 'GET',
    path: apiPathOf('sys/health', OP),
    op: OP,
    target: 'sys/health',
    rootNamespace: true,
  };
  const reply = await client.request(request, undefined, signal);
  if (reply.status === 501 || reply.status === 503) {
    throw new OperatorError('BACKEND_SEALED', { op: OP, target: request.target, status: reply.status });
  }
  if (reply.status !== 200 && reply.status !== 429) throw failureOf({ ...reply, status: 0 }, request);
  return parseReply(HealthReply, reply, request);
}

export interface MountQuestion {
  readonly session: Session;
  readonly mount: string;
  /** The version in the spec. */
  readonly kvVersion: 1 | 2;
  /** A path in the mount on which a policy for the mount grants some right. */
  readonly somePath: string;
}

/** The accessor of the mount, after a check that it is KV of the version in the spec. */
export async function readMount(target: MountQuestion, signal: AbortSignal): Promise<string> {
  const path = `sys/internal/ui/mounts/${target.mount}`;
  const request: BaoRequest = { method: 'GET', path: apiPathOf(path, OP), op: OP, target: path };
  const reply = await target.session.request(request, signal);
  if (reply.status === 403) throw await absentOrDenied(target, signal);
  if (reply.status !== 200) throw failureOf(reply, request);
  const { data } = parseReply(MountReply, reply, request);
  if (data.type !== 'kv') throw new OperatorError('MOUNT_MISSING', { op: OP, target: target.mount });
  const kvVersion = data.options?.version === '2' ? 2 : 1;
  if (kvVersion !== target.kvVersion) {
    throw new OperatorError('CAPABILITY_MISSING', {
      op: OP,
      target: target.mount,
      detail: `The mount is KV version ${kvVersion}.`,
      hint: `Set spec.openbao.kvVersion to ${kvVersion}.`,
    });
  }
  return data.accessor;
}

/** The server replies 403 both to a missing mount and to a missing right. The rights of the token tell which it is. */
async function absentOrDenied(target: MountQuestion, signal: AbortSignal): Promise<OperatorError> {
  const rights = await readCapabilities(target.session, [target.somePath], signal);
  const allowed = rights?.get(target.somePath)?.some((right) => right !== 'deny') ?? false;
  const about = { op: OP, target: target.mount, status: 403 };
  return allowed
    ? new OperatorError('MOUNT_MISSING', about)
    : new OperatorError('AUTH_DENIED', { ...about, hint: GRANT_POLICY });
}

/** True if the server refuses a request with too many JSON strings but accepts the same request with few. */
export async function countsFields(session: Session, signal: AbortSignal): Promise<boolean> {
  const few = await askCapabilities(session, ['sys/health'], signal);
  if (few.reply.status !== 200) return false;
  const many = await askCapabilities(session, Array<string>(TOO_MANY_STRINGS).fill('sys/health'), signal);
  return many.reply.status === 400;
}

/** How long the mount keeps versions; assumes the worst without the right to `read` its config. */
async function readRetention(target: ProbeTarget, signal: AbortSignal): Promise<Retention> {
  const path = `${target.mount}/config`;
  const request: BaoRequest = { method: 'GET', path: apiPathOf(path, OP), op: OP, target: path };
  const reply = await target.session.request(request, signal);
  if (reply.status === 403) return { selfDestructs: true, canExpire: false, keepsEarlier: false };
  if (reply.status !== 200) throw failureOf(reply, request);
  const { delete_version_after: lifetime, max_versions: kept } = parseReply(ConfigReply, reply, request).data;
  // 0 is the server's default, 10.
  // Below zero no version of the mount ever expires, whatever a key says.
  const isOff = lifetime.startsWith('-');
  const isUnset = /^0[a-z]*$/.test(lifetime);
  return { selfDestructs: !isOff && !isUnset, canExpire: !isOff, keepsEarlier: kept !== 1 };
}

/**
 * The capabilities of the token on each path, in calls of at most 400 paths; undefined if the token has no right to ask
 * (it lacks the `default` policy).
 */
export async function readCapabilities(
  session: Session,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly string[]> | undefined> {
  const rights = new Map<string, readonly string[]>();
  const starts = Array.from(
    { length: Math.ceil(paths.length / PATHS_PER_CALL) },
    (_, call) => call * PATHS_PER_CALL,
  );
  const replies = mapConcurrently(starts, CALLS_AT_ONCE, async (start) =>
    askCapabilities(session, paths.slice(start, start + PATHS_PER_CALL), signal),
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

async function askCapabilities(session: Session, paths: readonly string[], signal: AbortSignal) {
  const request: BaoRequest = {
    method: 'POST',
    path: apiPathOf('sys/capabilities-self', OP),
    body: { paths },
    op: OP,
    target: 'sys/capabilities-self',
  };
  return { request, reply: await session.request(request, signal) };
}
