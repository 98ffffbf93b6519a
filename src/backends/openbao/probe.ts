import { documentation } from '#src/errors/documentation.ts';
import type { z } from 'zod';
import { OperatorError } from '#src/errors.ts';
import type { Capability } from '../capabilities.ts';
import type { Probe } from '../driver.ts';
import { auditLogWarningOf } from './advisories.ts';
import type { BaoClient, BaoReply, BaoRequest } from './client.ts';
import type { Session } from './auth/session.ts';
import { hasRightOn } from './capabilities-self.ts';
import { countsFields } from './field-limit.ts';
import { requireMeantFolder, type FolderQuestion } from './folder.ts';
import type { KvMount } from './kv.ts';
import { mountIsInside, notThisServer, type Place } from './mistakes.ts';
import { readMountConfig } from './mount-config.ts';
import type { MountConfig } from './mount-config.ts';
import { isNamespaceMissing, namespaceMissing } from './namespace.ts';
import { apiPathOf } from './path.ts';
import { keptVersions } from './retention.ts';
import { failureOf } from './status.ts';
import { HealthReply, isEnvelope, MountReply, parseReply } from './wire.ts';

/*
 * What this server and this mount can do, found by harmless requests. Version strings do not decide: a source build of
 * OpenBao reports 2.0.0-HEAD.
 */

const OP = 'openbao.probe';
/** An address that nothing is ever written to. */
export const PROBE_ADDRESS = 'keyferry-probe';

export interface ProbeTarget {
  readonly client: BaoClient;
  readonly session: Session;
  readonly kv: KvMount;
  readonly mount: string;
  readonly prefix: string;
}

/**
 * What a server keeps for as long as it runs. A driver keeps it from one probe to the next, so that it is asked once; a
 * changed spec or credential makes a new driver. A probe that fails loses it: the server may come back with other
 * settings.
 */
export interface Constants {
  /** Identity and version of the server that said so. */
  readonly of: string;
  readonly countsFields: boolean;
}

export interface Probed {
  readonly probe: Probe;
  readonly constants: Constants;
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
 * Asks the server what can change, and what `known` from the probe before does not say. Throws `BACKEND_SEALED`,
 * `AUTH_DENIED`, `MOUNT_MISSING`, `CAPABILITY_MISSING` (KV version 1) or the errors of the transport.
 */
export async function probeServer(
  target: ProbeTarget,
  known: Constants | undefined,
  signal: AbortSignal,
): Promise<Probed & { readonly config: MountConfig | undefined }> {
  const { mount, prefix } = target;
  const somePath = target.kv.pathOf('data', PROBE_ADDRESS);
  const question = { ...target, place: { mount, prefix, kvVersion: 2 }, somePath } as const;
  const found = await findMount(question, known, signal);
  const config = await readMountConfig(target, signal);
  const retention = retentionOf(config);
  const probed = probedOf(found, [
    ['ConditionalWrite', true],
    ['Versions', retention.keepsEarlier],
    ['SelfDestructs', retention.selfDestructs],
    ['Expiry', retention.canExpire],
  ]);
  return { ...probed, config };
}

interface FoundMount extends Required<Pick<Probe, 'server' | 'identity' | 'origin'>>, Pick<Probe, 'warning'> {
  readonly constants: Constants;
}

/** The server and the mount, of either version. */
export async function findMount(
  question: MountQuestion,
  known: Constants | undefined,
  signal: AbortSignal,
): Promise<FoundMount> {
  const health = await readHealth(question.client, signal);
  const identity = identityOf(health, await readMount(question, signal));
  const of = `${identity} ${health.version}`;
  const constants = known?.of === of ? known : await readConstants(of, question, signal);
  const server = serverOf(health);
  const warning = auditLogWarningOf(server);
  const found = { server, identity, origin: question.client.origin, constants };
  return warning === undefined ? found : { ...found, warning };
}

async function readConstants(of: string, question: MountQuestion, signal: AbortSignal): Promise<Constants> {
  // A prefix that is meant as it is stays so.
  await requireMeantFolder(question, signal);
  return { of, countsFields: await countsFields(question.session, signal) };
}

export function probedOf(
  { constants, ...found }: FoundMount,
  capabilities: readonly (readonly [Capability, boolean])[],
): Probed {
  const all = [...capabilities, ['KeyLimit498', constants.countsFields] as const];
  const present = all.filter(([, isPresent]) => isPresent).map(([name]) => name);
  return { probe: { ...found, capabilities: present }, constants };
}

/** For display only. The health of OpenBao does not mention performance standbys: it has none. */
function serverOf({ performance_standby: standby, version }: Health): Probe['server'] {
  return { product: standby === undefined ? 'OpenBao' : 'Vault', version };
}

/** Stable id of this mount in this cluster. */
function identityOf({ cluster_id: clusterId }: Health, accessor: string): string {
  return [clusterId, accessor].filter((part) => part !== undefined).join('/');
}

/**
 * sys/health refuses the namespace header and needs no token. 200 is an active node, 429 a standby; both serve
 * requests.
 */
async function readHealth(client: BaoClient, signal: AbortSignal): Promise<Health> {
  const request: BaoRequest = {
    method: 'GET',
    path: apiPathOf('sys/health', OP),
    urlTemplate: '/v1/sys/health',
    op: OP,
    target: 'sys/health',
    replies: 'small',
    rootNamespace: true,
  };
  const reply = await client.request(request, undefined, signal);
  const { status } = reply;
  const health = HealthReply.safeParse(reply.body);
  if ((status === 200 || status === 429) && health.success) return health.data;
  throw unhealthy(reply, { request, origin: client.origin, isHealth: health.success });
}

/** Only a reply of this API is told to the author of the backend: any other server can be at the address. */
function unhealthy(
  reply: BaoReply,
  about: { readonly request: BaoRequest; readonly origin: string; readonly isHealth: boolean },
): OperatorError {
  const { request, origin, isHealth } = about;
  const { status } = reply;
  const isThisApi = isHealth || isEnvelope(reply.body);
  const unansweredAt = isThisApi ? undefined : origin;
  const failed = { op: OP, target: request.target, status, unansweredAt };
  if (status === 501 || status === 503) return new OperatorError('BACKEND_SEALED', failed);
  if (isThisApi && (status === 429 || status >= 500)) return failureOf(reply, request);
  if (status >= 500) return new OperatorError('SERVER_ERROR', failed);
  return notThisServer(origin, failed);
}

export interface MountQuestion extends FolderQuestion {
  readonly client: BaoClient;
}

/** The accessor of the mount, after a check that it is KV of the version in the spec. */
async function readMount(question: MountQuestion, signal: AbortSignal): Promise<string> {
  const { session, client, place } = question;
  const path = `sys/internal/ui/mounts/${place.mount}`;
  const request: BaoRequest = {
    method: 'GET',
    path: apiPathOf(path, OP),
    urlTemplate: '/v1/sys/internal/ui/mounts/{mount}',
    op: OP,
    target: path,
    replies: 'small',
  };
  const reply = await session.request(request, signal);
  if (reply.status === 403) throw await absentOrDenied(question, signal);
  if (isNamespaceMissing(reply, client)) throw namespaceMissing(client, OP);
  if (reply.status !== 200) throw failureOf(reply, request);
  const { data } = parseReply(MountReply, reply, request);
  requireKv(data, place);
  return data.accessor;
}

/** The server replies with the mount that contains the path: it can be a shorter one. */
function requireKv(found: z.output<typeof MountReply>['data'], place: Place): void {
  const about = { op: OP, target: place.mount };
  if (found.type !== 'kv') {
    const detail = 'The secrets engine at this path is not KV.';
    throw new OperatorError('MOUNT_MISSING', { ...about, detail });
  }
  const real = found.path?.replace(/\/$/, '') ?? place.mount;
  if (place.mount.startsWith(`${real}/`)) throw mountIsInside(real, place);
  const kvVersion = found.options?.version === '2' ? 2 : 1;
  if (kvVersion === place.kvVersion) return;
  throw new OperatorError('CAPABILITY_MISSING', {
    ...about,
    detail: `The mount is KV version ${kvVersion}.`,
    hint: `Set spec.openbao.kvVersion to ${kvVersion}.`,
  });
}

/** The server replies 403 both to a missing mount and to a missing right. The rights of the token tell which it is. */
async function absentOrDenied(question: MountQuestion, signal: AbortSignal): Promise<OperatorError> {
  const { session, somePath, place } = question;
  const about = { op: OP, target: place.mount, status: 403 };
  if (await hasRightOn(session, somePath, signal)) return new OperatorError('MOUNT_MISSING', about);
  return new OperatorError('AUTH_DENIED', {
    ...about,
    detail: 'The token has no right on the mount, or there is no such mount.',
    hint: `Grant the policy (${documentation('openbao-policy.md')}), or correct spec.openbao.mount or namespace.`,
  });
}

/** How long the mount keeps versions; assumes the worst without the right to `read` its config. */
function retentionOf(config: MountConfig | undefined): Retention {
  if (config === undefined) return { selfDestructs: true, canExpire: false, keepsEarlier: false };
  // Below zero no version of the mount ever expires, whatever a key says.
  const isOff = config.lifetime.startsWith('-');
  const isUnset = /^0[a-z]*$/.test(config.lifetime);
  const keepsEarlier = keptVersions(0, config.maxVersions) > 1;
  return { selfDestructs: !isOff && !isUnset, canExpire: !isOff, keepsEarlier };
}
