import type { BaoRequest } from './client.ts';
import { apiPathOf } from './path.ts';
import { failureOf } from './status.ts';
import type { Session } from './auth/session.ts';
import { ConfigReply, parseReply } from './wire.ts';

const OP = 'openbao.probe';

/** The configuration of a mount of KV version 2. */
export interface MountConfig {
  /** delete_version_after as the server writes it: `0s`, `1h0m0s`, `-1s`. */
  readonly lifetime: string;
  /** 0: the default of the server. */
  readonly maxVersions: number;
  /** The server compares metadata_cas. */
  readonly hasMetadataCas: boolean;
}

/** Undefined without the right to `read` it. */
export async function readMountConfig(
  { session, mount }: { readonly session: Session; readonly mount: string },
  signal: AbortSignal,
): Promise<MountConfig | undefined> {
  const path = `${mount}/config`;
  const request: BaoRequest = {
    method: 'GET',
    path: apiPathOf(path, OP),
    urlTemplate: '/v1/{mount}/config',
    op: OP,
    target: path,
    replies: 'small',
  };
  const reply = await session.request(request, signal);
  if (reply.status === 403) return undefined;
  if (reply.status !== 200) throw failureOf(reply, request);
  const { data } = parseReply(ConfigReply, reply, request);
  return {
    lifetime: data.delete_version_after,
    maxVersions: data.max_versions,
    hasMetadataCas: data.metadata_cas_required !== undefined,
  };
}
