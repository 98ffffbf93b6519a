import type { StatusRow } from '#src/api/v1alpha1/status-row.ts';
import { OperatorError } from '#src/errors.ts';
import type { ReportObject, StoredReportObject } from '#src/journal/report-object.ts';
import type { ReportStore } from '#src/journal/reports.ts';

type Stored = Omit<ReportObject, 'metadata'> & {
  readonly metadata: StoredReportObject['metadata'] & { readonly generation: number };
};

/** Reports in memory, with the preconditions of the API server. */
export class MemoryReports implements ReportStore {
  readonly objects = new Map<string, Stored>();
  readonly writes: string[] = [];
  readonly reads: string[] = [];
  /** Thrown by the next writes. */
  failure: OperatorError | undefined;
  /** Every write waits for this promise. */
  gate: Promise<void> = Promise.resolve();
  #version = 0;

  async get({ name }: { readonly name: string }): Promise<unknown> {
    this.reads.push(name);
    return structuredClone(this.objects.get(name));
  }

  async create(report: ReportObject): Promise<unknown> {
    await this.#admit(`create ${report.metadata.name}`);
    if (this.objects.has(report.metadata.name)) throw new OperatorError('ALREADY_EXISTS', { op: 'test' });
    return this.#put(report, `uid-${report.metadata.name}`);
  }

  async replace(report: StoredReportObject): Promise<unknown> {
    const { name, uid, resourceVersion } = report.metadata;
    await this.#admit(`replace ${name}`);
    if (this.objects.get(name)?.metadata.resourceVersion !== resourceVersion)
      throw new OperatorError('VERSION_CONFLICT', { op: 'test' });
    return this.#put(report, uid);
  }

  rows(): StatusRow[] {
    return [...this.objects.values()].flatMap(({ report }) => report.rows);
  }

  async #admit(write: string): Promise<void> {
    this.writes.push(write);
    await this.gate;
    if (this.failure !== undefined) throw this.failure;
  }

  #put(report: ReportObject, uid: string): Stored {
    this.#version += 1;
    const metadata = { ...report.metadata, uid, resourceVersion: String(this.#version), generation: 1 };
    const stored = { ...report, metadata };
    this.objects.set(metadata.name, stored);
    return structuredClone(stored);
  }
}
