import { isDeepStrictEqual } from 'node:util';
import { parseSecretMigration, type SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { RangeState } from '#src/api/v1alpha1/secret-migration-report.ts';
import type { Range } from '#src/core/ranges.ts';
import { hasCode, OperatorError } from '#src/errors.ts';
import type { ReportObject } from '#src/journal/report-object.ts';
import {
  beginningOf,
  rangeName,
  rangeObject,
  replacing,
  storedRange,
  type StoredRange,
} from '#src/journal/range-object.ts';
import type { ReportStore } from '#src/journal/reports.ts';
import { parseJson } from '#src/json/parse.ts';
import type { ObjectClient } from '#src/runtime/object-client.ts';
import type { StatusFields, StatusWrite, WithStatus } from '#src/runtime/status-patch.ts';
import type { CachedObject } from '#src/runtime/store.ts';

/** The migration that a pod was started for. */
export interface RangeOrder {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  readonly range: Range;
}

type Ended = NonNullable<RangeState['ended']>;

/** What the view reads and writes. */
export interface RangeObjects {
  readonly migrations: Pick<ObjectClient, 'get'>;
  /** All reports, by the names that they have. */
  readonly reports: ReportStore;
}

/**
 * A migration as the pod of one range sees it: its metadata and spec, and the status of that range, which is in a report of its own.
 * So a reconcile of it is that of a whole migration. The status of the migration itself is never written.
 */
export class RangeView {
  readonly #objects: RangeObjects;
  readonly #order: RangeOrder;
  #raw: CachedObject | undefined;
  #stored: StoredRange | undefined;
  /** The next read is the first one of a reconcile; later ones are about what it has done. */
  #begins = true;

  constructor(objects: RangeObjects, order: RangeOrder) {
    this.#objects = objects;
    this.#order = order;
  }

  /**
   * The migration before a run of this range. Undefined if there is nothing to run: it is gone, was created again, or is in another
   * generation. Throws `SPEC_INVALID`.
   */
  async begin(
    signal: AbortSignal,
  ): Promise<{ readonly migration: SecretMigration; readonly ended: Ended | undefined } | undefined> {
    this.#begins = true;
    const object = await this.get(this.#order, signal);
    this.#begins = true;
    if (object === undefined) return undefined;
    const parsed = parseSecretMigration(object);
    if (parsed.ok) return { migration: parsed.value, ended: this.#stored?.ended };
    const detail = parsed.problems.join('; ');
    throw new OperatorError('SPEC_INVALID', { op: 'migration.parse', target: this.#order.name, detail });
  }

  /** Undefined for a migration that is gone or was created again, and at the beginning for another generation. */
  async get(
    { name, namespace }: Pick<RangeOrder, 'name'> & { readonly namespace?: string | undefined },
    signal: AbortSignal,
  ): Promise<CachedObject | undefined> {
    const { generation, range, uid } = this.#order;
    const { migrations, reports } = this.#objects;
    const raw = await migrations.get({ name, namespace }, signal);
    if (raw?.metadata.uid !== uid) return undefined;
    if (this.#begins && raw.metadata.generation !== generation) return undefined;
    this.#begins = false;
    const report = { namespace: this.#order.namespace, name: rangeName({ name }, range.index) };
    this.#stored = storedRange(await reports.get(report, signal), { metadata: { uid } }, range);
    this.#raw = raw;
    return this.#shown(this.#stored?.status ?? beginningOf({ metadata: this.#metadata }));
  }

  /** As `StatusWriter.write`, with the report of the range. Throws `VERSION_CONFLICT` if another pod wrote it. */
  async write(_before: WithStatus, status: StatusFields, signal: AbortSignal): Promise<StatusWrite> {
    const next = plain(status);
    if (isDeepStrictEqual(this.#stored?.status, next)) return { state: 'unchanged' };
    await this.#store(next, this.#stored?.ended, signal);
    return { state: 'written', object: this.#shown(next) };
  }

  /** Tells the end of a run. */
  async end(ended: Ended, signal: AbortSignal): Promise<void> {
    if (isDeepStrictEqual(this.#stored?.ended, ended)) return;
    await this.#store(this.#stored?.status ?? beginningOf({ metadata: this.#metadata }), ended, signal);
  }

  async #store(
    status: Readonly<Record<string, unknown>>,
    ended: Ended | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { range } = this.#order;
    const { reports } = this.#objects;
    const metadata = this.#metadata;
    const state = { status, ...(ended === undefined ? {} : { ended }) };
    const object = rangeObject({ metadata }, range, state);
    const stored = this.#stored?.metadata;
    const reply =
      stored === undefined
        ? await createOnce(reports, object, signal)
        : await reports.replace(replacing(object, stored), signal);
    this.#stored = storedRange(reply, { metadata }, range);
    if (this.#stored === undefined)
      throw new OperatorError('REPLY_INVALID', { op: 'range.write', target: object.metadata.name });
  }

  get #metadata(): SecretMigration['metadata'] {
    const { generation, name, namespace, uid } = this.#order;
    const { resourceVersion = '' } = this.#raw?.metadata ?? {};
    return { generation, name, namespace, uid, resourceVersion };
  }

  #shown(status: object): CachedObject & { readonly status: object } {
    if (this.#raw === undefined) throw new OperatorError('INVARIANT', { op: 'range.show' });
    return { ...this.#raw, status };
  }
}

/** A report of this name is of another pod, or of a migration that had this name: the next run looks again. */
async function createOnce(reports: ReportStore, object: ReportObject, signal: AbortSignal): Promise<unknown> {
  try {
    return await reports.create(object, signal);
  } catch (failure) {
    if (!hasCode(failure, 'ALREADY_EXISTS')) throw failure;
    const about = { op: 'range.write', target: object.metadata.name, cause: failure };
    throw new OperatorError('VERSION_CONFLICT', about);
  }
}

/** As the server gets it: without undefined members. */
function plain(status: StatusFields): Readonly<Record<string, unknown>> {
  const json: unknown = parseJson(JSON.stringify(status));
  return typeof json === 'object' && json !== null ? { ...json } : {};
}
