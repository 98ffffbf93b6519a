/*
 * What a terminal showed, as one SVG that plays by itself: it scrolls from block to block, in the colors that the reader
 * prefers, and shows its end to a reader who asks for reduced motion.
 */

/** A recording. */
export interface Recording {
  /** All that was printed. */
  readonly lines: readonly string[];
  /** After how many lines the terminal pauses, ascending; at last after all. */
  readonly stops: readonly number[];
}

export interface PictureOptions {
  readonly title: string;
  readonly columns: number;
  readonly rows: number;
  /** Milliseconds of one pause. */
  readonly pauseMs: number;
}

const CHARACTER = { width: 7.8, height: 17 };
const MARGIN = 14;
/** The end stays for as many pauses. */
const LAST_PAUSES = 4;

/** Cuts long lines, and pauses at each empty line. */
export function recordingOf(output: string, { columns }: Pick<PictureOptions, 'columns'>): Recording {
  const lines = output
    .trim()
    .replace(/\n{3,}/g, '\n\n')
    .split('\n')
    .map((line) => shortened(line, columns));
  const breaks = lines.flatMap((line, index) => (line === '' ? index : []));
  return { lines, stops: [...breaks, lines.length] };
}

function shortened(line: string, columns: number): string {
  return line.length <= columns ? line : `${line.slice(0, columns - 1)}…`;
}

/** The picture, without anything that it loads. */
export function pictureOf(
  { lines, stops }: Recording,
  { title, columns, rows, pauseMs }: PictureOptions,
): string {
  const width = Math.ceil(columns * CHARACTER.width + 2 * MARGIN);
  const inner = rows * CHARACTER.height;
  const pauses = stops.length + LAST_PAUSES;
  const moved = (stop: number): string => `transform:translateY(${(rows - stop) * CHARACTER.height}px)`;
  const frames = stops.map((stop, index) => `${((100 * index) / pauses).toFixed(3)}%{${moved(stop)}}`);
  const end = moved(lines.length);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${inner + 2 * MARGIN}" role="img" aria-label="${escaped(title)}">`,
    `<title>${escaped(title)}</title>`,
    '<style>',
    'svg{font:13px ui-monospace,monospace;fill:#1f2328}',
    '.back{fill:#f6f8fa;stroke:#d1d9e0}.command{font-weight:600;fill:#0550ae}.heading{font-weight:600}',
    '@media (prefers-color-scheme:dark){svg{fill:#d1d7e0}.back{fill:#151b23;stroke:#3d444d}.command{fill:#79c0ff}}',
    `.lines{${end};animation:scroll ${pauses * pauseMs}ms step-end infinite}`,
    `@keyframes scroll{${frames.join('')}100%{${end}}}`,
    '@media (prefers-reduced-motion:reduce){.lines{animation:none}}',
    '</style>',
    `<rect class="back" x="0.5" y="0.5" width="${width - 1}" height="${inner + 2 * MARGIN - 1}" rx="8"/>`,
    `<svg x="${MARGIN}" y="${MARGIN}" width="${width - 2 * MARGIN}" height="${inner}"><g class="lines">`,
    ...lines.flatMap((line, row) => (line === '' ? [] : textOf(line, row))),
    '</g></svg>',
    '</svg>',
    '',
  ].join('\n');
}

function textOf(line: string, row: number): string {
  const y = (row + 0.8) * CHARACTER.height;
  return `<text y="${y.toFixed(1)}" xml:space="preserve"${kindOf(line)}>${escaped(line)}</text>`;
}

function kindOf(line: string): string {
  if (line.startsWith('$ ')) return ' class="command"';
  return line.startsWith('# ') ? ' class="heading"' : '';
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
