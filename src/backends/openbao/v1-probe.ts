import type { Capability } from '../capabilities.ts';
import type { Probe } from '../driver.ts';
import type { Session } from './auth/session.ts';
import type { BaoClient } from './client.ts';
import { countsFields, identityOf, PROBE_ADDRESS, readHealth, readMount, serverOf } from './probe.ts';
import type { V1KvMount } from './v1-kv.ts';

export interface V1ProbeTarget {
  readonly client: BaoClient;
  readonly session: Session;
  readonly kv: V1KvMount;
  readonly mount: string;
  readonly allowUnsafeWrites: boolean;
}

/** Like `probeServer`, for a mount of version 1. Throws `CAPABILITY_MISSING` if the mount is version 2. */
export async function probeV1Server(target: V1ProbeTarget, signal: AbortSignal): Promise<Probe> {
  const { client, session, kv, mount, allowUnsafeWrites } = target;
  const health = await readHealth(client, signal);
  const question = { session, mount, kvVersion: 1, somePath: kv.pathOf(PROBE_ADDRESS) } as const;
  const accessor = await readMount(question, signal);
  const keyLimit = await countsFields(session, signal);
  const capabilities: readonly (readonly [Capability, boolean])[] = [
    ['UnsafeWrites', allowUnsafeWrites],
    ['KeyLimit498', keyLimit],
  ];
  return {
    server: serverOf(health),
    identity: identityOf(health, accessor),
    capabilities: capabilities.filter(([, present]) => present).map(([name]) => name),
  };
}
