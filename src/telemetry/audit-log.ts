import { escapedJson } from '#src/errors/printable.ts';
import { OperatorError } from '#src/errors.ts';
import { orAborted, whenAborted } from '#src/io/abort.ts';
import type {
  AccessLog,
  AccessLogState,
  AccessRecord,
  Clock,
  CredentialRecord,
  Logger,
  Metrics,
} from '#src/ports.ts';
import type { AuditSink } from './audit-sink.ts';

export interface AuditLogOptions {
  readonly sink: AuditSink;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Maximum number of records in one write; more records wait for the next write. */
const BATCH_RECORDS = 256;
const RETRY_MS = 1_000;
/** A write that takes longer has no reader at the other end. */
const BLOCKED_AFTER_MS = 5_000;
/** The version of the line format, not of the operator: fields are only added. */
const SCHEMA_VERSION = 1;

interface Waiting {
  readonly line: string;
  readonly written: () => void;
}

/**
 * One JSON line for each access to a value or a credential, in the order of the accesses. A record counts once the operating system has
 * taken the whole line; until then the caller waits, so that the work in flight bounds the memory. No record is dropped: a
 * failed write is repeated from where it ended.
 */
export class AuditLog implements AccessLog, AccessLogState, AsyncDisposable {
  readonly #options: AuditLogOptions;
  readonly #waiting: Waiting[] = [];
  readonly #stop = new AbortController();
  readonly #listeners = new Set<() => void>();
  #sequence = 0;
  #draining: Promise<void> | undefined;
  #blocked = false;

  constructor(options: AuditLogOptions) {
    this.#options = options;
    options.metrics.gauge('secretmigration_audit_blocked', {}, 0);
  }

  /** True while the log cannot be written. */
  get isBlocked(): boolean {
    return this.#blocked;
  }

  onChange(changed: () => void): Disposable {
    // Another function for each call, so that each of them ends by itself.
    const listener = (): void => changed();
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  async record(record: AccessRecord | CredentialRecord, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ line: this.#lineOf(record), written: resolve });
    this.#draining ??= this.#drain();
    await orAborted(promise, signal);
  }

  /** The members are the schema in docs/audit-log.md: exactly these, in this order. */
  #lineOf(record: AccessRecord | CredentialRecord): string {
    this.#sequence += 1;
    const line = {
      time: new Date(this.#options.clock.now()).toISOString(),
      stream: 'audit',
      version: SCHEMA_VERSION,
      sequence: this.#sequence,
      ...('migration' in record ? ofDocument(record) : ofCredential(record)),
    };
    return `${escapedJson(JSON.stringify(line))}\n`;
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#stop.signal.aborted) {
      const batch = this.#waiting.slice(0, BATCH_RECORDS);
      if (!(await this.#write(Buffer.from(batch.map(({ line }) => line).join(''))))) break;
      this.#waiting.splice(0, batch.length);
      this.#options.metrics.count('secretmigration_audit_records_total', {}, batch.length);
      for (const { written } of batch) written();
    }
    this.#draining = undefined;
  }

  /** False when the operator stops first. */
  async #write(bytes: Buffer): Promise<boolean> {
    const { sink, clock } = this.#options;
    let offset = 0;
    while (offset < bytes.length) {
      const cancel = clock.schedule(BLOCKED_AFTER_MS, () => this.#block(undefined));
      try {
        offset = await sink.write(bytes, offset);
        this.#unblock();
      } catch (failure) {
        this.#block(failure);
        if (!(await this.#pause())) return false;
      } finally {
        cancel();
      }
    }
    return true;
  }

  async #pause(): Promise<boolean> {
    try {
      await this.#options.clock.sleep(RETRY_MS, this.#stop.signal);
      return true;
    } catch {
      return false;
    }
  }

  #block(cause: unknown): void {
    if (this.#blocked) return;
    this.#blocked = true;
    const { logger, metrics } = this.#options;
    metrics.gauge('secretmigration_audit_blocked', {}, 1);
    const blocked = {
      op: 'audit.write',
      ...(cause === undefined ? { detail: 'No process reads it.' } : { cause }),
    };
    const error = cause instanceof OperatorError ? cause : new OperatorError('AUDIT_LOG_BLOCKED', blocked);
    logger.error('audit log blocked; accesses wait', error);
    for (const changed of this.#listeners) changed();
  }

  #unblock(): void {
    if (!this.#blocked) return;
    this.#blocked = false;
    const { logger, metrics } = this.#options;
    metrics.gauge('secretmigration_audit_blocked', {}, 0);
    logger.info('audit log resumed');
    for (const changed of this.#listeners) changed();
  }

  /** Writes the waiting records, if that is possible immediately; by now no caller uses a value. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { clock, sink } = this.#options;
    const cancel = clock.schedule(this.#blocked ? 0 : BLOCKED_AFTER_MS, () => this.#stop.abort());
    await Promise.race([this.#draining, whenAborted(this.#stop.signal)]);
    cancel();
    if (this.#draining === undefined) await sink.close();
  }
}

function ofDocument({ operation, migration, backend, path, version, keys, outcome }: AccessRecord): object {
  return {
    operation,
    migration: { namespace: migration.namespace, name: migration.name, uid: migration.uid },
    backend: namesOf(backend),
    path,
    documentVersion: version,
    keys,
    outcome,
  };
}

function ofCredential({
  operation,
  backend,
  address,
  credential,
  path,
  keys,
  outcome,
}: CredentialRecord): object {
  return {
    operation,
    backend: namesOf(backend),
    address,
    credential: credential && {
      kind: credential.kind,
      namespace: credential.namespace,
      name: credential.name,
    },
    path,
    keys,
    outcome,
  };
}

function namesOf({ kind, namespace, name }: AccessRecord['backend']): object {
  return { kind, namespace, name };
}
