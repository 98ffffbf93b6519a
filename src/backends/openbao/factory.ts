import { randomBytes } from 'node:crypto';
import type { OpenBaoSpec } from './spec.ts';
import { OperatorError } from '#src/errors.ts';
import { ByteBudget, bytesForReplies } from '#src/io/byte-budget.ts';
import type { ConnectRules } from '#src/io/connect-rules.ts';
import { KeyedLock } from '#src/io/keyed-lock.ts';
import { ServerConnections } from '#src/io/server-connections.ts';
import { SlotsByServer } from '#src/io/slots-by-server.ts';
import { Turns } from '#src/io/turns.ts';
import { ServerClock } from '#src/io/server-clock.ts';
import { NO_TRACES } from '#src/io/no-traces.ts';
import { namespaceOf } from '#src/schema/path.ts';
import type { Clock, Mandate, Random, Tracer } from '#src/ports.ts';
import type { CredentialsFor } from '../credentials.ts';
import type { Driver } from '../driver.ts';
import type { BackendDefinition, BackendFactory } from '../factory.ts';
import { memberOf } from '../kind.ts';
import { OPENBAO } from './definition.ts';
import { recordedAuth } from './auth/choose-auth-method.ts';
import { BaoConnection } from './connection.ts';
import { OpenBaoDriver } from './driver.ts';
import { pathRefusalOf } from './path.ts';
import { readTls } from './tls.ts';
import { OpenBaoV1Driver } from './v1-driver.ts';

/** The part of all bytes for replies that the backends of one namespace can hold at once. */
const PART_OF_NAMESPACE = 4;
/** Rates that are remembered; without the oldest one, a new driver only learns it again. */
const MAX_SERVERS = 10_000;

export interface OpenBaoFactoryOptions {
  readonly credentialsFor: CredentialsFor;
  /** Asked before each request that changes something: a value, or the life of a token. */
  readonly mandate: Mandate;
  readonly clock: Clock;
  readonly random: Random;
  /** `keyferry/<version>`, shown in the server's audit log. */
  readonly userAgent: string;
  /** Where a backend may be. */
  readonly connectRules: ConnectRules;
  /** Gets a span for each request. Default: none. */
  readonly tracer?: Tracer;
  /** Operator flag --allow-insecure-http. */
  readonly allowInsecureHttp: boolean;
  /** The requests under way at each server. Default: those of this factory. */
  readonly slots?: SlotsByServer;
}

export class OpenBaoFactory implements BackendFactory {
  readonly kind = 'openbao';
  readonly #options: OpenBaoFactoryOptions;
  readonly #connections: ServerConnections;
  readonly #replies: ByteBudget;
  readonly #v1Lock = new KeyedLock();
  readonly #fingerprintKey = randomBytes(32);
  /** What was learnt of a server's quota stays known when its driver is opened again. */
  readonly #turns = new Map<string, Turns>();
  readonly #slots: SlotsByServer;

  constructor(options: OpenBaoFactoryOptions) {
    this.#options = options;
    this.#slots = options.slots ?? new SlotsByServer(options.clock);
    this.#connections = new ServerConnections(options.connectRules);
    const total = bytesForReplies();
    this.#replies = new ByteBudget({ total, perHolder: total / PART_OF_NAMESPACE });
  }

  /**
   * Throws `SPEC_INVALID` for a spec that passes the schema but cannot work, and `FLAG_MISSING` for plain http that is not
   * allowed. No I/O.
   */
  create(definition: BackendDefinition): Driver {
    const openbao = memberOf(OPENBAO, definition.spec);
    if (openbao === undefined) throw invalid(definition, 'spec.openbao is missing.');
    const prefix = openbao.pathPrefix ?? '';
    this.#check(definition, openbao);
    const { credentialsFor, mandate, clock, random, tracer = NO_TRACES, userAgent } = this.#options;
    const slots = this.#slots;
    const { credentialsNamespace: namespace } = definition;
    const turns = this.#turnsAt(openbao);
    const { origin } = new URL(openbao.address);
    const credentials = credentialsFor({ backend: definition.backend, address: origin });
    const serverClock = new ServerClock(clock);
    const tenant = definition.tenant ?? definition.title;
    const connection = new BaoConnection({
      client: {
        origin,
        namespace: openbao.namespace === undefined ? undefined : namespaceOf(openbao.namespace),
        serverName: openbao.tlsServerName,
        connections: this.#connections,
        tenant,
        timeoutMs: openbao.requestTimeoutSeconds * 1000,
        maxInFlight: openbao.maxInFlight,
        userAgent,
        mandate,
        clock,
        tracer,
        reserve: async (bytes, signal) => this.#replies.reserve(bytes, tenant, signal),
        turns,
        slots,
        serverClock,
      },
      readTls: (signal) => readTls(openbao, { credentials, namespace, signal }),
      openSession: (client) => ({
        method: recordedAuth(openbao.auth, { client, credentials, namespace }),
        clock,
        random,
      }),
      mount: openbao.mount,
      prefix,
    });
    const { mount, maxInFlight, kvVersion, allowUnsafeWrites } = openbao;
    const common = { connection, origin, mount, prefix, maxInFlight, turns, serverTime: serverClock };
    if (kvVersion === 2) return new OpenBaoDriver({ ...common, clock, random });
    const ofProcess = { fingerprintKey: this.#fingerprintKey, lock: this.#v1Lock };
    return new OpenBaoV1Driver({ ...common, ...ofProcess, allowUnsafeWrites });
  }

  /**
   * The server counts by client address and applies the quota of the mount, else that of the OpenBao namespace, else the
   * one for all: backends of one mount share a rate, and those of two mounts learn their parts of a common quota.
   */
  #turnsAt({ address, mount, namespace = '' }: OpenBaoSpec): Turns {
    const server = JSON.stringify([new URL(address).origin, namespaceOf(namespace), mount]);
    const turns = this.#turns.get(server) ?? new Turns(this.#options);
    this.#turns.delete(server);
    this.#turns.set(server, turns);
    const [oldest] = this.#turns.keys();
    if (this.#turns.size > MAX_SERVERS && oldest !== undefined) this.#turns.delete(oldest);
    return turns;
  }

  #check(definition: BackendDefinition, openbao: OpenBaoSpec): void {
    const protocols = this.#options.allowInsecureHttp ? ['https:', 'http:'] : ['https:'];
    const url = URL.canParse(openbao.address) ? new URL(openbao.address) : undefined;
    if (url === undefined || url.href !== `${url.origin}/`) {
      throw invalid(definition, 'spec.openbao.address must be https://host:port.');
    }
    if (!protocols.includes(url.protocol)) {
      throw new OperatorError('FLAG_MISSING', {
        op: 'openbao.create',
        target: definition.title,
        detail:
          'spec.openbao.address is plain http, which the operator uses only with --allow-insecure-http.',
        hint: 'Create the backend again with an https address, or ask an administrator to set the flag.',
      });
    }
    checkPath(definition, 'mount', openbao.mount);
    if (openbao.pathPrefix !== undefined) checkPath(definition, 'pathPrefix', openbao.pathPrefix);
  }
}

function checkPath(definition: BackendDefinition, field: 'mount' | 'pathPrefix', path: string): void {
  const refusal = pathRefusalOf(path);
  if (refusal !== undefined) throw invalid(definition, `spec.openbao.${field}: ${refusal.message}`);
}

function invalid(definition: BackendDefinition, detail: string): OperatorError {
  return new OperatorError('SPEC_INVALID', {
    op: 'openbao.create',
    target: definition.title,
    detail,
  });
}
