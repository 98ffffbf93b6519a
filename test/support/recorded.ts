import type { Labels, LogFields, Logger, Metrics } from '#src/ports.ts';

/** Metrics that keep their last or summed value by name and labels. */
export class RecordedMetrics implements Metrics {
  readonly #values = new Map<string, number>();

  count(name: string, labels: Labels = {}, by = 1): void {
    const series = seriesOf(name, labels);
    this.#values.set(series, (this.#values.get(series) ?? 0) + by);
  }

  observe(name: string, labels: Labels, _seconds: number): void {
    this.count(`${name}_count`, labels);
  }

  gauge(name: string, labels: Labels, value: number): void {
    this.#values.set(seriesOf(name, labels), value);
  }

  /** Undefined if it was never set. */
  value(name: string, labels: Labels = {}): number | undefined {
    return this.#values.get(seriesOf(name, labels));
  }
}

function seriesOf(name: string, labels: Labels): string {
  return JSON.stringify([name, Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))]);
}

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: LogFields;
  readonly error?: unknown;
}

/** A log that keeps its lines. */
export class RecordedLog implements Logger {
  readonly lines: LogLine[];
  readonly #fields: LogFields;

  constructor(lines: LogLine[] = [], fields: LogFields = {}) {
    this.lines = lines;
    this.#fields = fields;
  }

  debug(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'debug', message, fields: { ...this.#fields, ...fields } });
  }

  info(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'info', message, fields: { ...this.#fields, ...fields } });
  }

  warn(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'warn', message, fields: { ...this.#fields, ...fields } });
  }

  error(message: string, error: unknown, fields: LogFields = {}): void {
    this.lines.push({ level: 'error', message, error, fields: { ...this.#fields, ...fields } });
  }

  child(fields: LogFields): Logger {
    return new RecordedLog(this.lines, { ...this.#fields, ...fields });
  }
}
