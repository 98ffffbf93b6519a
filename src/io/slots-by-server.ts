import type { Clock, Sample } from '#src/ports.ts';
import { serverKeyOf, type Server } from './server.ts';
import { ServerSlots } from './server-slots.ts';

/** The gauges that `samples` yields. */
export const SERVER_GAUGES = [
  'keyferry_server_requests_allowed',
  'keyferry_server_requests_under_way',
] as const;

/** The use of the slots of a server, until it is disposed of. */
export interface SlotsLease extends Disposable {
  readonly slots: ServerSlots;
}

interface Shared {
  readonly origin: string;
  readonly slots: ServerSlots;
  users: number;
}

/**
 * The slots of each server that is in use, shared by all its clients. A client with other certificates has slots of its own:
 * what a tenant's address leads to, and how slow that is, says nothing about the server of another one.
 */
export class SlotsByServer {
  readonly #clock: Clock;
  readonly #servers = new Map<string, Shared>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  lease(server: Server): SlotsLease {
    const { origin } = server;
    const key = serverKeyOf(server);
    const shared = this.#servers.get(key) ?? {
      origin,
      slots: new ServerSlots({ clock: this.#clock }),
      users: 0,
    };
    this.#servers.set(key, shared);
    shared.users += 1;
    let isHeld = true;
    return {
      slots: shared.slots,
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        shared.users -= 1;
        if (shared.users === 0) this.#servers.delete(key);
      },
    };
  }

  /** By origin: a tenant's clients with other certificates count with those of others. */
  *samples(): Generator<Sample> {
    const byOrigin = Map.groupBy(this.#servers.values(), ({ origin }) => origin);
    for (const [server, all] of byOrigin) {
      const allowed = all.reduce((sum, { slots }) => sum + slots.width, 0);
      const underWay = all.reduce((sum, { slots }) => sum + slots.underWay, 0);
      yield { name: 'keyferry_server_requests_allowed', labels: { server }, value: allowed };
      yield { name: 'keyferry_server_requests_under_way', labels: { server }, value: underWay };
    }
  }
}
