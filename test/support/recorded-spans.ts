import { errorOf } from '#src/errors.ts';
import type { OpenSpan, SpanResult, SpanStart, Tracer } from '#src/ports.ts';

export interface RecordedSpan {
  readonly start: SpanStart;
  /** Undefined while it is open. */
  result?: SpanResult;
}

/** A Tracer that keeps its spans, in the order in which they began. */
export class RecordedSpans implements Tracer {
  readonly spans: RecordedSpan[] = [];

  async trace<T>(start: SpanStart, work: () => Promise<T>): Promise<T> {
    const span = this.begin(() => start);
    try {
      const result = await work();
      span.end();
      return result;
    } catch (thrown) {
      span.end({ error: errorOf(thrown).code });
      throw thrown;
    }
  }

  begin(start: () => SpanStart): OpenSpan {
    const span: RecordedSpan = { start: start() };
    this.spans.push(span);
    return { end: (result = {}) => void (span.result = result) };
  }
}
