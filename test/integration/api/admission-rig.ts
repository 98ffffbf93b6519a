import { z } from 'zod';
import { API_VERSION, KINDS, type Kind } from '#src/api/group.ts';
import type { Cluster } from '#test/cluster/cluster.ts';
import type { JsonReply } from '#test/cluster/json-client.ts';
import { aUser, type Right, type User } from '#test/support/users.ts';

export type SecretVerb = 'get' | 'list' | 'create' | 'delete' | 'patch';
export const ALL_VERBS: readonly SecretVerb[] = ['get', 'list', 'create', 'delete', 'patch'];

/** What the role keyferry-edit gives: to write the objects, and nothing else. */
const WRITES_OBJECTS: Right = {
  apiGroups: ['keyferry.io'],
  resources: ['secretmigrations', 'secretbackends'],
  verbs: ['get', 'create', 'update', 'patch'],
};

export function onSecrets(verbs: readonly string[], resourceNames?: readonly string[]): Right {
  return {
    apiGroups: [''],
    resources: ['secrets'],
    verbs,
    ...(resourceNames === undefined ? {} : { resourceNames }),
  };
}

export function onTokensOf(serviceAccount: string): Right {
  const resources = ['serviceaccounts/token'];
  return { apiGroups: [''], resources, verbs: ['create'], resourceNames: [serviceAccount] };
}

/** Users who may write migrations and backends of one namespace. Disposing ends the connections of all. */
export class Authors implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #namespace: string;
  readonly #users: User[] = [];

  constructor(cluster: Cluster, namespace: string) {
    this.#cluster = cluster;
    this.#namespace = namespace;
  }

  /** An author who has these rights besides. */
  async having(...rights: readonly Right[]): Promise<User> {
    const granted = { namespace: this.#namespace, rights: [...rights, WRITES_OBJECTS] };
    const user = await aUser(this.#cluster, this.#namespace, granted);
    this.#users.push(user);
    return user;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const user of this.#users) await user[Symbol.asyncDispose]();
  }
}

export function pathOf(kind: Kind, namespace: string, name = ''): string {
  const { namespaced, plural } = KINDS[kind];
  const place = namespaced ? `namespaces/${namespace}/` : '';
  return `/apis/${API_VERSION}/${place}${plural}${name === '' ? '' : `/${name}`}`;
}

export function objectOf(kind: Kind, name: string, spec: object): object {
  return { apiVersion: API_VERSION, kind, metadata: { name }, spec };
}

const Status = z.object({ message: z.string().default('') });

/** What the apiserver says against the request; empty if it accepts it. Throws if another reason than a policy refuses it. */
export function denialIn({ status, body }: JsonReply): string {
  if (status < 300) return '';
  const { message } = Status.parse(body);
  if ([403, 422].includes(status) && message.includes('ValidatingAdmissionPolicy')) return message;
  throw new Error(`HTTP ${status}: ${message}`);
}

type Writer = Pick<User, 'reply'>;

/** What the apiserver says against the creation of this object. Nothing is stored. */
export async function denialOf(
  user: Writer,
  place: { readonly kind: Kind; readonly namespace: string },
  spec: object,
): Promise<string> {
  const path = `${pathOf(place.kind, place.namespace)}?dryRun=All`;
  return denialIn(await user.reply('POST', path, objectOf(place.kind, 'new', spec)));
}

/** What the apiserver says against this merge patch. Nothing is stored. */
export async function denialOfPatch(user: Writer, path: string, patch: object): Promise<string> {
  const headers = { 'content-type': 'application/merge-patch+json' };
  return denialIn(await user.reply('PATCH', `${path}?dryRun=All`, patch, headers));
}

export function migrationSpec(change: object = {}): object {
  return {
    source: { backendRef: { name: 'kubernetes' } },
    destination: { backendRef: { name: 'bao' } },
    select: { all: true },
    ...change,
  };
}

export function openbaoSpec(change: object = {}): object {
  const base = { address: 'https://bao.example:8200', auth: { token: { secretRef: { name: 'token' } } } };
  return { type: 'openbao', openbao: { ...base, ...change } };
}
