import type { OpenSpan, Tracer } from '#src/ports.ts';

/** A span that is not recorded. */
export const NO_SPAN: OpenSpan = { end: () => undefined };

/** The Tracer of a process that sends no traces. */
export const NO_TRACES: Tracer = {
  trace: async (_start, work) => work(),
  begin: () => NO_SPAN,
};
