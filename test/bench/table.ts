import { isMet, kindOf, madeOf, shown, shownMeasure, targetOf } from '#src/generate/performance-record.ts';
import type { Compared } from './compare.ts';

const HEAD = ['measure', 'documents', 'now', 'recorded', 'target', 'met', 'made of'];

/** The table for people, a line a measure. */
export function tableOf(compared: readonly Compared[]): string {
  const rows = [HEAD, ...compared.map(rowOf)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function rowOf({ isWorse, measure, recorded }: Compared): readonly string[] {
  const { title, unit } = kindOf(measure.name);
  const met = isMet(measure);
  return [
    title,
    measure.size ?? '',
    unit === 'of bare' ? `${shownMeasure(measure)} of bare` : shownMeasure(measure),
    recorded === undefined ? '' : `${shown(recorded, unit)}${isWorse ? ' WORSE' : ''}`,
    targetOf(measure.name),
    met === undefined ? '' : met ? 'met' : 'not met',
    madeOf(measure),
  ];
}
