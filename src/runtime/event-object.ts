import type { EventsV1Event, EventsV1EventSeries } from '@kubernetes/client-node';
import { escaped } from '#src/errors/printable.ts';
import { apiVersionOf, type Resource } from '#src/kube/resource.ts';
import type { Wire } from '#src/kube/wire.ts';
import type { EventRecord } from '#src/ports.ts';

export const EVENTS: Resource = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
};

const REPORTING_CONTROLLER = 'keyferry.io/operator';
const MAX_NOTE_BYTES = 1024;
const MAX_WORD_LENGTH = 128;

/** The member `series` of an Event. */
export type Occurrences = Wire<EventsV1EventSeries>;

/** The events.k8s.io/v1 Event of a record; texts are printable, and cut to what the server accepts. */
export function toEvent(
  { regarding, type, reason, action, note }: EventRecord,
  about: {
    readonly name: string;
    readonly reportingInstance: string;
    /** MicroTime. */
    readonly eventTime: string;
    readonly series: Occurrences;
  },
): Wire<EventsV1Event> {
  return {
    apiVersion: apiVersionOf(EVENTS),
    kind: EVENTS.kind,
    metadata: { name: about.name, namespace: namespaceOf({ regarding }) },
    regarding,
    type,
    reason: reason.slice(0, MAX_WORD_LENGTH),
    action: action.slice(0, MAX_WORD_LENGTH),
    note: truncateUtf8(escaped(note), MAX_NOTE_BYTES),
    eventTime: about.eventTime,
    reportingController: REPORTING_CONTROLLER,
    reportingInstance: about.reportingInstance.slice(0, MAX_WORD_LENGTH),
    // The server rejects a series of fewer than two.
    ...(about.series.count > 1 ? { series: about.series } : {}),
  };
}

/** Includes the note, because the note of a stored Event cannot be changed. */
export function seriesKey({ regarding, type, reason, action, note }: EventRecord): string {
  return JSON.stringify([regarding.uid, regarding.kind, regarding.name, type, reason, action, note]);
}

/** Events about cluster-scoped objects are in `default` (pkg/apis/core/validation/events.go). */
export function namespaceOf({ regarding }: Pick<EventRecord, 'regarding'>): string {
  return regarding.namespace === '' ? 'default' : regarding.namespace;
}

/** At most `maxBytes` of UTF-8, cut between characters. */
function truncateUtf8(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length <= maxBytes) return text;
  // Decoding a cut character gives one replacement character at the end.
  return new TextDecoder().decode(bytes.subarray(0, maxBytes)).replace(/\uFFFD$/, '');
}
