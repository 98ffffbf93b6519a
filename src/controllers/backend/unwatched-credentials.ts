import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import type { BackendKind } from '#src/backends/kind.ts';
import { secretReferencesOf } from '#src/backends/spec.ts';
import { documentation } from '#src/errors/documentation.ts';
import { hasCode, OperatorError } from '#src/errors.ts';
import type { ObjectClient } from '#src/runtime/object-client.ts';
import { objectKey } from '#src/runtime/store.ts';
import { credentialsNamespaceOf } from './trust-root.ts';

export interface UnwatchedCredentialsOptions {
  /** Of Secrets. Only metadata is read: no value leaves the server. */
  readonly secrets: Pick<ObjectClient, 'getMetadata'>;
  /** True where a watch tells of each change. */
  readonly isWatched: (namespace: string) => boolean;
  readonly clusterResourceNamespace: string;
  readonly kinds: readonly BackendKind[];
}

/**
 * Tells whether the Secrets of a backend changed since the last question, where no watch tells it. A Secret is compared by
 * uid and resourceVersion, in memory only.
 */
export class UnwatchedCredentials {
  readonly #options: UnwatchedCredentialsOptions;
  /** What was found at the last question, by kind and key of the backend. */
  readonly #found = new Map<string, string>();

  constructor(options: UnwatchedCredentialsOptions) {
    this.#options = options;
  }

  /**
   * True at the first question too: a driver that is open by then may have read older credentials. Throws what the API
   * client throws: `AUTH_DENIED` without the right to get one of them.
   */
  async haveChanged(backend: Backend, signal: AbortSignal): Promise<boolean> {
    const { clusterResourceNamespace, isWatched, kinds } = this.#options;
    const namespace = credentialsNamespaceOf(backend, clusterResourceNamespace);
    const names = isWatched(namespace) ? [] : new Set(secretReferencesOf(backend.spec, kinds));
    const states: string[] = [];
    for (const name of names) states.push(await this.#stateOf({ namespace, name }, signal));
    const key = keyOf(backend.kind, objectKey(backend.metadata));
    const before = this.#found.get(key);
    const now = JSON.stringify([backend.metadata.uid, ...states]);
    if (states.length === 0) this.#found.delete(key);
    else this.#found.set(key, now);
    return states.length > 0 && before !== now;
  }

  /** The backend is gone. */
  forget(kind: Backend['kind'], key: string): void {
    this.#found.delete(keyOf(kind, key));
  }

  async #stateOf(
    secret: { readonly namespace: string; readonly name: string },
    signal: AbortSignal,
  ): Promise<string> {
    const metadata = await this.#options.secrets.getMetadata(secret, signal).catch((thrown: unknown) => {
      if (!hasCode(thrown, 'AUTH_DENIED')) throw thrown;
      const { namespace, name } = secret;
      const target = `Secret ${namespace}/${name}`;
      const detail = 'The operator has no right to use these credentials.';
      const hint = `Grant the operator get on Secret ${name} (${documentation('security/rbac.md')}).`;
      throw new OperatorError('AUTH_DENIED', { op: 'backend.credentials', target, detail, hint });
    });
    return metadata === undefined ? 'absent' : `${metadata.uid} ${metadata.resourceVersion}`;
  }
}

function keyOf(kind: Backend['kind'], key: string): string {
  return `${kind} ${key}`;
}
