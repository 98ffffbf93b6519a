import Table from 'cli-table3';
import stringWidth from 'string-width';

/** The time that cli-table3 takes grows with the square of the rows. */
const ROWS_AT_ONCE = 50;

/** As kubectl prints a table: columns with three spaces between them, no borders. */
export function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widest = widestOf(all);
  const lines: string[] = [];
  for (let first = 0; first < all.length; first += ROWS_AT_ONCE)
    lines.push(...linesOf(all.slice(first, first + ROWS_AT_ONCE), widest));
  return lines.join('\n');
}

/** The widest cell of each column. */
function widestOf(rows: readonly (readonly string[])[]): readonly string[] {
  const widest: { readonly cell: string; readonly width: number }[] = [];
  for (const row of rows)
    for (const [column, cell] of row.entries()) {
      const width = stringWidth(cell);
      if (width > (widest[column]?.width ?? -1)) widest[column] = { cell, width };
    }
  return widest.map(({ cell }) => cell);
}

/** The lines of some rows. The widest cells stand in a row of their own, which is not shown: so all parts have the same columns. */
function linesOf(rows: readonly (readonly string[])[], widest: readonly string[]): readonly string[] {
  const table = new Table({
    chars: NO_BORDERS,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  });
  table.push(...[widest, ...rows].map((row) => [...row]));
  const hidden = Math.max(1, ...widest.map((cell) => cell.split('\n').length));
  return table
    .toString()
    .split('\n')
    .slice(hidden)
    .map((line) => line.trimEnd());
}

const NONE = '';
const NO_BORDERS = {
  top: NONE,
  'top-mid': NONE,
  'top-left': NONE,
  'top-right': NONE,
  bottom: NONE,
  'bottom-mid': NONE,
  'bottom-left': NONE,
  'bottom-right': NONE,
  left: NONE,
  'left-mid': NONE,
  mid: NONE,
  'mid-mid': NONE,
  right: NONE,
  'right-mid': NONE,
  middle: '   ',
};
