import type { Session } from './auth/session.ts';
import type { BaoClient } from './client.ts';
import { findMount, PROBE_ADDRESS, probedOf } from './probe.ts';
import type { Constants, Probed } from './probe.ts';
import type { V1KvMount } from './v1-kv.ts';

export interface V1ProbeTarget {
  readonly client: BaoClient;
  readonly session: Session;
  readonly kv: V1KvMount;
  readonly mount: string;
  readonly prefix: string;
  readonly allowUnsafeWrites: boolean;
}

/** Like `probeServer`, for a mount of version 1. Throws `CAPABILITY_MISSING` if the mount is version 2. */
export async function probeV1Server(
  target: V1ProbeTarget,
  known: Constants | undefined,
  signal: AbortSignal,
): Promise<Probed> {
  const { kv, mount, prefix, allowUnsafeWrites } = target;
  const somePath = kv.pathOf(PROBE_ADDRESS);
  const question = { ...target, place: { mount, prefix, kvVersion: 1 }, somePath } as const;
  const found = await findMount(question, known, signal);
  return probedOf(found, [['UnsafeWrites', allowUnsafeWrites]]);
}
