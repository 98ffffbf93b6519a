import type { SecretValue } from '#src/core/secret-value.ts';
import { errorOf, isAbort, OperatorError } from '#src/errors.ts';
import { orAborted } from '#src/io/abort.ts';
import { Deadline } from '#src/io/deadline.ts';
import type { AccessLog, Clock, CredentialRecord } from '#src/ports.ts';
import type {
  BackendCredentials,
  CredentialSource,
  CredentialsFor,
  CredentialUse,
  IssuedToken,
} from './credentials.ts';

/** How long a login waits for the log. A status must then say that the log is blocked, not that the server is away. */
const PATIENCE_MS = 5_000;

export interface RecordedCredentialsOptions {
  readonly clock: Clock;
  /** Undefined: nothing is recorded. */
  readonly accessLog: AccessLog | undefined;
}

/** The credentials of each backend, from one source, with a record of each access. */
export function recordedCredentials(
  source: CredentialSource,
  { clock, accessLog }: RecordedCredentialsOptions,
): CredentialsFor {
  if (accessLog !== undefined) return (use) => new RecordedCredentials({ source, clock, accessLog, use });
  const unrecorded: BackendCredentials = {
    readSecretKey: async (namespace, name, key, signal) => source.readSecretKey(namespace, name, key, signal),
    requestToken: async (namespace, account, audiences, signal) =>
      source.requestToken(namespace, account, audiences, signal),
    login: async (_path, next) => next(),
  };
  return () => unrecorded;
}

interface RecordedOptions {
  readonly source: CredentialSource;
  readonly clock: Clock;
  readonly accessLog: AccessLog;
  readonly use: CredentialUse;
}

type Asked = Pick<CredentialRecord, 'operation' | 'credential' | 'path' | 'keys'>;

/**
 * No credential is returned, and no token of a login, before its record is written. While a record waits, nothing more is
 * read, issued or sent, so that a blocked log collects no records. Throws `AUDIT_LOG_BLOCKED` after five seconds.
 */
class RecordedCredentials implements BackendCredentials {
  readonly #options: RecordedOptions;
  readonly #unwritten = new Set<Promise<void>>();

  constructor(options: RecordedOptions) {
    this.#options = options;
  }

  async readSecretKey(
    namespace: string,
    name: string,
    key: string,
    signal: AbortSignal,
  ): Promise<SecretValue> {
    const credential = { kind: 'Secret', namespace, name } as const;
    return this.#recorded(
      { operation: 'readCredential', credential, keys: [key] },
      async () => this.#options.source.readSecretKey(namespace, name, key, signal),
      signal,
    );
  }

  async requestToken(
    namespace: string,
    name: string,
    audiences: readonly string[],
    signal: AbortSignal,
  ): Promise<IssuedToken> {
    const credential = { kind: 'ServiceAccount', namespace, name } as const;
    return this.#recorded(
      { operation: 'requestToken', credential },
      async () => this.#options.source.requestToken(namespace, name, audiences, signal),
      signal,
    );
  }

  async login<T>(path: string, next: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#recorded({ operation: 'login', path }, next, signal);
  }

  async #recorded<T>(asked: Asked, call: () => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.#untilWritten(signal);
    let result: T;
    try {
      result = await call();
    } catch (failure) {
      const { code } = errorOf(failure);
      // A login that is blocked sent nothing: its credential was not returned.
      const isUnsaid = isAbort(failure, signal) || code === 'AUDIT_LOG_BLOCKED';
      if (!isUnsaid) await this.#write({ ...asked, outcome: code }, signal);
      throw failure;
    }
    await this.#write({ ...asked, outcome: 'done' }, signal);
    return result;
  }

  async #write(access: Asked & { readonly outcome: string }, signal: AbortSignal): Promise<void> {
    const { accessLog, use } = this.#options;
    // Not the signal of the caller: the record is written in any case, and counts until then.
    const written = accessLog.record({ ...access, ...use }, new AbortController().signal);
    this.#unwritten.add(written);
    const forget = (): void => void this.#unwritten.delete(written);
    written.then(forget, forget);
    await this.#untilWritten(signal);
  }

  async #untilWritten(signal: AbortSignal): Promise<void> {
    if (this.#unwritten.size === 0) return;
    const { clock, use } = this.#options;
    using patience = new Deadline(clock, PATIENCE_MS, signal);
    try {
      await orAborted(Promise.all(this.#unwritten), patience.signal);
    } catch (failure) {
      if (!patience.expired) throw failure;
      throw new OperatorError('AUDIT_LOG_BLOCKED', { op: 'audit.record', target: use.address });
    }
  }
}
