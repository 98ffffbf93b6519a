import { API_VERSION } from '#src/api/group.ts';
import { Output } from '#src/cli/output.ts';
import { OwnObjects } from '#src/cli/own-objects.ts';
import type { Session } from '#src/cli/session.ts';
import { OperatorError } from '#src/errors.ts';
import type { KubeRequest } from '#src/kube/client.ts';
import { isJsonObject } from '#src/kube/json.ts';
import type { Clock } from '#src/ports.ts';
import { ScriptedKubeClient } from './scripted-kube-client.ts';

interface Stored {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Readonly<Record<string, unknown>> & {
    readonly name: string;
    readonly resourceVersion: string;
  };
  readonly [member: string]: unknown;
}

/** An object as a test writes it. */
export interface Given {
  readonly kind: string;
  readonly metadata: Readonly<Record<string, unknown>> & { readonly name: string };
  readonly [member: string]: unknown;
}

const KINDS_BY_PLURAL: Readonly<Record<string, string>> = {
  secretmigrations: 'SecretMigration',
  secretmigrationreports: 'SecretMigrationReport',
  secretbackends: 'SecretBackend',
  clustersecretbackends: 'ClusterSecretBackend',
};

/** How an API server with a few objects and an operator answer a command. */
export interface Script {
  /** In which the command works. Default: shop. */
  readonly namespace?: string;
  readonly objects?: readonly Given[];
  /** What the operator writes of an object when it is read; each time. */
  readonly status?: (object: Stored) => object | undefined;
  /** Before a request is answered; throws what the server answers instead. */
  readonly before?: (request: KubeRequest, server: ScriptedServer) => void;
  /** What a person types; undefined: no terminal. */
  readonly answer?: string;
  readonly stdin?: string;
  readonly signal?: AbortSignal;
}

/** A few objects of ours behind the client interface, with versions and conflicts as the API server has them. */
export class ScriptedServer {
  readonly objects = new Map<string, Stored>();
  readonly client: ScriptedKubeClient;
  readonly #script: Script;
  #version = 100;

  constructor(script: Script) {
    this.#script = script;
    for (const object of script.objects ?? []) this.put(object);
    this.client = new ScriptedKubeClient((request) => this.#answer(request));
  }

  /** Stores an object in a new version. */
  put({ metadata, ...object }: Given): Stored {
    this.#version += 1;
    const stored = {
      ...object,
      apiVersion: API_VERSION,
      metadata: {
        uid: `uid-of-${metadata.name}`,
        generation: 1,
        ...metadata,
        resourceVersion: String(this.#version),
      },
    };
    this.objects.set(`${object.kind}/${metadata.name}`, stored);
    return stored;
  }

  get(kind: string, name: string): Stored | undefined {
    return this.objects.get(`${kind}/${name}`);
  }

  /** The bodies of requests with this method. */
  sent(method: KubeRequest['method']): readonly unknown[] {
    return this.client.requests.filter((each) => each.method === method).map(({ body }) => body);
  }

  #answer(request: KubeRequest): unknown {
    this.#script.before?.(request, this);
    request.signal.throwIfAborted();
    const segments = request.path.split('/');
    const plural = segments.find((segment) => Object.hasOwn(KINDS_BY_PLURAL, segment)) ?? '';
    const kind = KINDS_BY_PLURAL[plural] ?? '';
    if (request.method === 'POST') return this.#create(request, kind);
    const name = segments.at(-1) ?? '';
    const object = this.get(kind, name);
    if (object === undefined)
      throw new OperatorError('NOT_FOUND', { op: request.op, target: request.target });
    if (request.method === 'DELETE') return this.objects.delete(`${kind}/${name}`);
    return request.method === 'PATCH' ? this.#patch(request, object) : this.#read(object);
  }

  #read(object: Stored): Stored {
    const status = this.#script.status?.(object);
    return status === undefined ? object : this.put({ ...object, status });
  }

  #create({ body, op, target }: KubeRequest, kind: string): Stored {
    const object = givenIn(body);
    if (this.get(kind, object.metadata.name) !== undefined)
      throw new OperatorError('ALREADY_EXISTS', { op, target });
    return this.put({ ...object, kind });
  }

  #patch({ body, op, target }: KubeRequest, object: Stored): Stored {
    const { metadata } = givenIn(body);
    if (metadata['resourceVersion'] !== object.metadata.resourceVersion)
      throw new OperatorError('VERSION_CONFLICT', { op, target });
    return this.put(givenIn(mergePatched(object, body)));
  }
}

function givenIn(body: unknown): Given {
  if (isGiven(body)) return body;
  throw new Error('an object has a kind and a name, a patch has metadata');
}

function isGiven(body: unknown): body is Given {
  return isJsonObject(body) && isJsonObject(body['metadata']);
}

/** RFC 7386. */
function mergePatched(before: unknown, patch: unknown): unknown {
  if (!isJsonObject(patch)) return patch;
  const after: Record<string, unknown> = isJsonObject(before) ? { ...before } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(after, name);
    else after[name] = mergePatched(after[name], value);
  }
  return after;
}

/** What a command printed and asked for. */
export interface Scripted {
  readonly session: Session;
  readonly server: ScriptedServer;
  readonly out: () => string;
  readonly err: () => string;
}

/** A session of a person with such a server. Its clock goes on by itself as the command sleeps. */
export function scriptedSession(script: Script): Scripted {
  const text = { out: '', err: '' };
  const server = new ScriptedServer(script);
  const signal = script.signal ?? new AbortController().signal;
  const stdout = { write: (more: string) => (text.out += more) };
  const stderr = { write: (more: string) => (text.err += more) };
  const typed = script.answer ?? script.stdin ?? '';
  const stdin = Object.assign(
    (async function* lines() {
      if (typed !== '') yield typed;
    })(),
    { isTTY: script.answer !== undefined },
  );
  const session: Session = {
    objects: new OwnObjects(server.client, signal),
    namespace: script.namespace ?? 'shop',
    output: new Output({ stdout, stderr, stdin }, {}),
    streams: { stdin, stderr },
    clock: new LeapingClock(),
    random: () => 0.5,
    signal,
  };
  return { session, server, out: () => text.out, err: () => text.err };
}

/** Time passes only where something sleeps, and at once. */
class LeapingClock implements Clock {
  #ms = 0;

  now(): number {
    return Date.UTC(2026, 0, 1) + this.#ms;
  }

  monotonic(): number {
    return this.#ms;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#ms += ms;
  }

  schedule(ms: number, run: () => void): () => void {
    this.#ms += ms;
    run();
    return () => undefined;
  }
}
