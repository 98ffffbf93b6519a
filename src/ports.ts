/** Interfaces to everything outside Keyferry. Implementations are in src/telemetry and src/runtime. */

/** Fields of a log line or event: names, counts, codes. Never a value, never a user's object. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Structured log: `message` is a constant; variable data goes into fields. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  /** `error` is reduced to code, op, target, hint and our own stack frames. */
  error(message: string, error: unknown, fields?: LogFields): void;
  child(fields: LogFields): Logger;
}

/** Time as a parameter. Tests inject their own. */
export interface Clock {
  /** Wall clock, milliseconds since the epoch. For display and soak periods. */
  now(): number;
  /** Monotonic milliseconds. For leases, deadlines and durations. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason if it aborts first. Delays over 2^31-1 ms are re-armed. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Calls `run` once after `ms`; the result cancels it. */
  schedule(ms: number, run: () => void): () => void;
}

/** The wall clock of a server, as its replies tell it. */
export interface ServerTime {
  /** True when the own wall clock differs from it by more than a tolerance; false while no reply has told its time. */
  differs(): boolean;
}

/**
 * Permission to change something outside this process, and the signal that ends the work. A driver calls `require`
 * synchronously, right before each request or system call that changes something: a process that slept does not get
 * further than that.
 */
export interface Permit {
  readonly signal: AbortSignal;
  /** Throws `LEASE_LOST` if another replica may lead, and `PROOF_TOO_OLD` if a removal relies on an old proof. */
  require(): void;
}

/** The right of this process to change something outside of itself. */
export interface Mandate {
  /**
   * Throws `LEASE_LOST` unless this process leads and renewed its lease within the deadline. Synchronous: ask it
   * immediately before the change, without an `await` in between.
   */
  assertHeld(): void;
}

/** A number in [0, 1). */
export type Random = () => number;

export type Labels = Readonly<Record<string, string>>;

/** Metrics by name; names and their labels are the closed table in telemetry/metrics.ts, an unknown one throws INVARIANT. */
export interface Metrics {
  /** Adds `by` (default 1) to a counter. */
  count(name: string, labels?: Labels, by?: number): void;
  /** Records one observation of a histogram, seconds. */
  observe(name: string, labels: Labels, seconds: number): void;
  /** Sets a gauge. */
  gauge(name: string, labels: Labels, value: number): void;
}

/** One series of a gauge that is computed when metrics are read. */
export interface Sample {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
}

/** A span as it begins. Constants, placeholders, names of migrations, hosts: what logs show. Never a value, a path or a length. */
export interface SpanStart {
  /** One of few: a constant, or a method and a template. */
  readonly name: string;
  readonly attributes: Readonly<Record<string, string | number>>;
}

export interface OpenSpan {
  /** Ends it, once. */
  end(result?: SpanResult): void;
}

export interface SpanResult {
  /** The code of the error, or a status of HTTP that means one. */
  readonly error?: string | undefined;
  readonly attributes?: SpanStart['attributes'];
}

/** Traces of OpenTelemetry. Never throws by itself and never waits: what cannot be sent is dropped. */
export interface Tracer {
  /**
   * Runs `work` in the first span of a new trace. Spans that begin in it, and in all that it awaits, are children of that
   * one. Settles as `work` does.
   */
  trace<T>(start: SpanStart, work: () => Promise<T>): Promise<T>;
  /**
   * A request or an operation that begins. Outside of `trace`, and after it ended, it is not recorded, and `start` is not
   * called.
   */
  begin(start: () => SpanStart): OpenSpan;
}

export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  /** Empty for cluster-scoped objects. */
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion?: string;
}

/** One state change worth a line in `kubectl describe`. */
export interface EventRecord {
  readonly regarding: ObjectReference;
  readonly type: 'Normal' | 'Warning';
  /** UpperCamel, at most 128 characters; equals the condition's reason. */
  readonly reason: string;
  /** UpperCamel verb, at most 128 characters. */
  readonly action: string;
  /** At most 1024 characters; counts and names, never values. */
  readonly note: string;
}

export interface EventSink {
  /** Never throws and never blocks a reconcile; repeats are aggregated into a series. */
  record(event: EventRecord): void;
}

/** One access to the values of a document: who, where, with which outcome. Names only. */
export interface AccessRecord {
  readonly operation: 'read' | 'write' | 'delete' | 'backup';
  readonly migration: { readonly namespace: string; readonly name: string; readonly uid: string };
  /** `namespace` is absent for a ClusterSecretBackend. */
  readonly backend: {
    readonly kind: string;
    readonly namespace?: string | undefined;
    readonly name: string;
  };
  readonly path: string;
  readonly version?: string | undefined;
  /** Sorted; absent if nothing was found. */
  readonly keys?: readonly string[] | undefined;
  /** `present`, `absent`, `deleted` or `done`; else the code of the error. */
  readonly outcome: string;
}

/** One access to a credential of a backend, or one login with it. Names only. */
export interface CredentialRecord {
  /** Of a key of a Secret, of a token for a ServiceAccount, of a token of the server. */
  readonly operation: 'readCredential' | 'requestToken' | 'login';
  readonly backend: AccessRecord['backend'];
  /** Origin of the server that the credential is for. */
  readonly address: string;
  /** Absent for a login. */
  readonly credential?:
    | { readonly kind: 'Secret' | 'ServiceAccount'; readonly namespace: string; readonly name: string }
    | undefined;
  /** Of a login: the path at the server. */
  readonly path?: string | undefined;
  /** The key of the Secret. */
  readonly keys?: readonly string[] | undefined;
  /** `done`; else the code of the error. */
  readonly outcome: string;
}

/** The migration that a driver works for, and the backend. */
export type Accessor = Pick<AccessRecord, 'migration' | 'backend'>;

export interface AccessLog {
  /**
   * Resolves when the record is written; waits as long as it cannot be written. No caller may use a value before that.
   * Rejects only with the signal's reason; the record is still written.
   */
  record(record: AccessRecord | CredentialRecord, signal: AbortSignal): Promise<void>;
}

/** Whether accesses wait, because the access log cannot be written. */
export interface AccessLogState {
  readonly isBlocked: boolean;
  /** Calls `changed` whenever `isBlocked` has changed, until it is disposed of. */
  onChange(changed: () => void): Disposable;
}
