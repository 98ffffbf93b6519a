import type { RemovalSpec } from '#src/api/v1alpha1/removal.ts';
import { hasCode } from '#src/errors.ts';
import { documentation } from '#src/errors/documentation.ts';
import type { ApiLists, ApiResource } from '#src/runtime/api-lists.ts';
import { valuesAt } from './json-path.ts';
import { ALL, type UsingKind } from './kinds.ts';
import { PUSH_SECRETS, pushedBy } from './push-secrets.ts';
import { tooMany, Untold, type UserIndex } from './users.ts';

const MOST_OBJECTS = 50_000;
/** PushSecrets with a label selector, of which each needs a list. */
const MOST_SELECTORS = 20;

const SECRETS: ApiResource = {
  group: '',
  version: 'v1',
  plural: 'secrets',
  kind: 'Secret',
  namespaced: true,
};

/** Who lists, for the message about a right that is missing. */
export interface Lister {
  readonly who: string;
  readonly hint: string;
}

const THE_OPERATOR: Lister = {
  who: 'The operator',
  hint: `Grant it: ${documentation('security/rbac.md#in-use')}.`,
};

/** Lists and discovery of an API server. */
export type Lists = Pick<ApiLists, 'find' | 'list'>;
/** Objects that use Secrets, as a spec names them. */
export type Reference = NonNullable<RemovalSpec['references']>[number];

/**
 * Reads from lists which objects use Secrets. Each function fills an index and throws what a list throws, and
 * `Untold` for a right that is missing, too much to read, and a reference that leads to no name.
 */
export class UserLists {
  readonly #lists: Lists;
  readonly #lister: Lister;

  constructor(lists: Lists, lister: Lister = THE_OPERATOR) {
    this.#lists = lists;
    this.#lister = lister;
  }

  /** Without a namespace, of the whole cluster. */
  async ofKind(
    into: UserIndex,
    { kind, namespace }: { readonly kind: UsingKind; readonly namespace?: string },
    signal: AbortSignal,
  ): Promise<void> {
    const { annotations, resource, secretsOf } = kind;
    for await (const object of this.#objects(resource, { namespace, annotations }, signal)) {
      const user = `${resource.kind} ${object.metadata.name}`;
      for (const secret of new Set(secretsOf(object))) {
        if (secret === ALL) into.addToAll(user);
        else into.add(secret, user);
      }
    }
  }

  /** The list of a kind that the server perhaps does not serve: then nothing of it uses a Secret. */
  async ofServed(
    into: UserIndex,
    { kind, namespace }: { readonly kind: UsingKind; readonly namespace: string },
    signal: AbortSignal,
  ): Promise<void> {
    const { group, plural } = kind.resource;
    const resource = await this.#lists.find({ group, plural }, signal);
    if (typeof resource !== 'string')
      await this.ofKind(into, { kind: { ...kind, resource }, namespace }, signal);
  }

  /** A version or resource that is not served is a mistake in the spec, or was replaced: what it would list is unknown. */
  async ofReference(
    into: UserIndex,
    { reference, namespace }: { readonly reference: Reference; readonly namespace: string },
    signal: AbortSignal,
  ): Promise<void> {
    const { group = '', version, plural } = reference.resource;
    const resource = await this.#lists.find({ group, version, plural }, signal);
    if (resource === 'unserved') return;
    const path = reference.path.split('.');
    const target = group === '' ? plural : `${plural}.${group}`;
    if (resource === 'unknown' || !resource.namespaced)
      throw notAName(target, `The API server has no objects of ${version} with a namespace here.`);
    const secretsOf = (object: unknown): readonly string[] =>
      [...valuesAt(object, path)].map((value) => {
        if ('text' in value) return value.text;
        throw notAName(target, `${reference.path} leads to something else than a name.`);
      });
    await this.ofKind(into, { kind: { resource, secretsOf }, namespace }, signal);
  }

  /** The PushSecrets that delete what they pushed of a Secret once it is gone. */
  async ofPushSecrets(into: UserIndex, namespace: string, signal: AbortSignal): Promise<void> {
    const resource = await this.#lists.find(PUSH_SECRETS, signal);
    if (typeof resource === 'string') return;
    const selected = new Map<string, string>();
    for await (const object of this.#objects(resource, { namespace }, signal)) {
      const user = `${resource.kind} ${object.metadata.name}`;
      const pushed = pushedBy(object);
      if (pushed === 'anything') into.addToAll(user);
      else if (pushed !== 'nothing' && 'name' in pushed) into.add(pushed.name, user);
      else if (pushed !== 'nothing') selected.set(pushed.labelSelector, user);
      // One that cannot be looked up can be about any Secret.
      if (selected.size > MOST_SELECTORS) throw tooMany('PushSecrets with a label selector', MOST_SELECTORS);
    }
    for (const [labelSelector, user] of selected) {
      const wanted = { namespace, labelSelector, metadataOnly: true };
      for await (const { metadata } of this.#objects(SECRETS, wanted, signal)) into.add(metadata.name, user);
    }
  }

  async *#objects(
    resource: ApiResource,
    {
      namespace,
      annotations,
      ...wanted
    }: {
      readonly namespace?: string | undefined;
      readonly annotations?: readonly string[] | undefined;
      readonly labelSelector?: string;
      readonly metadataOnly?: boolean;
    },
    signal: AbortSignal,
  ): ReturnType<ApiLists['list']> {
    let count = 0;
    const metadataOnly = wanted.metadataOnly ?? !resource.namespaced;
    const all = this.#lists.list(
      resource,
      {
        ...wanted,
        metadataOnly,
        ...(namespace === undefined ? {} : { namespace }),
        ...(annotations === undefined ? {} : { annotations }),
      },
      signal,
    );
    try {
      for await (const object of all) {
        count += 1;
        if (count > MOST_OBJECTS) throw tooMany(resource.plural, MOST_OBJECTS);
        yield object;
      }
    } catch (thrown) {
      throw hasCode(thrown, 'AUTH_DENIED') ? this.#mayNotList(resource, namespace) : thrown;
    }
  }

  #mayNotList({ group, plural }: ApiResource, namespace: string | undefined): Untold {
    const { hint, who } = this.#lister;
    const target = group === '' ? plural : `${plural}.${group}`;
    const place = namespace === undefined ? '' : ` in ${namespace}`;
    return new Untold({ happened: `${who} may not list ${target}${place}.`, hint });
  }
}

function notAName(where: string, happened: string): Untold {
  return new Untold({ happened, where, hint: 'Correct spec.removal.references.' });
}
