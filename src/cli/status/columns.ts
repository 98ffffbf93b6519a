import { ageOf } from '../age.ts';
import { printable, type Output } from '../output.ts';
import type { Listed } from './listed.ts';
import { rateText } from './pace.ts';

/** What the table of migrations shows. */
export interface Columns {
  readonly inAllNamespaces: boolean;
  readonly isWide: boolean;
}

/** What a cell can need besides the object. */
export interface Surroundings {
  readonly nowMs: number;
  readonly output: Output;
  /** Keys a second, of successive looks; undefined: not known. */
  readonly rateOf?: ((listed: Listed) => number | undefined) | undefined;
}

/** The columns of `kubectl get secretmigrations`, and what a person needs beside them. */
export function headOf({ inAllNamespaces, isWide }: Columns): readonly string[] {
  return [
    ...(inAllNamespaces ? ['NAMESPACE'] : []),
    'NAME',
    'READY',
    'STATUS',
    'PROGRESS',
    'FAILED',
    'CONFLICTS',
    'AGE',
    ...(isWide ? ['SOURCE', 'DESTINATION', 'RATE', 'LAST SYNC', 'MESSAGE'] : []),
  ];
}

export function cellsOf(
  listed: Listed,
  { inAllNamespaces, isWide }: Columns,
  { nowMs, output, rateOf }: Surroundings,
): readonly string[] {
  const { metadata, ready, status } = listed;
  const { failed, conflict } = status.summary;
  const texts = [
    ...(inAllNamespaces ? [metadata.namespace] : []),
    metadata.name,
    ready?.status,
    ready?.reason,
    status.progress,
    failed?.toString(),
    conflict?.toString(),
    ageOf(metadata.creationTimestamp, nowMs),
    ...(isWide ? wideOf(listed, { nowMs, rateOf }) : []),
  ];
  const cells = texts.map((text) => printable(text ?? ''));
  const reason = inAllNamespaces ? 3 : 2;
  return cells.with(reason, paintedBy(ready, output, cells[reason] ?? ''));
}

function wideOf(
  listed: Listed,
  { nowMs, rateOf }: Pick<Surroundings, 'nowMs' | 'rateOf'>,
): readonly (string | undefined)[] {
  const { ready, status } = listed;
  const { backends, lastSyncTime } = status;
  return [
    backends.source,
    backends.destination,
    rateText(rateOf?.(listed)),
    lastSyncTime === undefined ? undefined : ageOf(lastSyncTime, nowMs),
    ready?.message,
  ];
}

/** In the color of a migration: green when it is ready, red when it needs a person. */
export function paintedBy(
  ready: { readonly status: string } | undefined,
  output: Output,
  text: string,
): string {
  if (ready?.status === 'True') return output.paint('green', text);
  return ready?.status === 'False' ? output.paint('red', text) : text;
}
