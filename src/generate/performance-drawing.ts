import type { Measure, MeasureName, PerformanceRecord } from './performance-record.ts';

/*
 * Cost against size as SVG, made of a record: time of a document beside the bare loop, and peak memory. The axis of
 * documents is logarithmic. The colors are readable on a light and on a dark page: the drawing brings its own ground.
 */

const PANEL = { width: 300, height: 190, left: 46, right: 14, top: 28, bottom: 34 };
const COLUMNS = 3;
const OURS = '#0b57d0';
const BARE = '#6b7280';

export interface Point {
  /** Documents. */
  readonly x: number;
  readonly y: number;
}

interface Line {
  readonly label: string;
  readonly color: string;
  readonly isDashed: boolean;
  readonly points: readonly Point[];
}

interface Panel {
  readonly title: string;
  readonly unit: string;
  readonly lines: readonly Line[];
}

/** One panel for each of these, where the record has it. */
const TIMES: readonly (readonly [MeasureName, string])[] = [
  ['push', 'Secrets → KV'],
  ['pull', 'KV → Secrets'],
  ['removal', 'Removal'],
  ['push-again', 'Secrets → KV again'],
  ['pull-again', 'KV → Secrets again'],
];

/** docs/performance/<server>.svg. */
export function drawingOf(record: PerformanceRecord, title: string): string {
  const panels = panelsOf(record.measures);
  const width = PANEL.width * COLUMNS;
  const height = PANEL.height * Math.max(1, Math.ceil(panels.length / COLUMNS));
  const drawn = panels.map((panel, index) => {
    const place = `${(index % COLUMNS) * PANEL.width} ${Math.floor(index / COLUMNS) * PANEL.height}`;
    return `<g transform="translate(${place})">\n${drawnPanel(panel)}\n</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="10" role="img">`,
    `<title>${title}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...drawn,
    '</svg>\n',
  ].join('\n');
}

function panelsOf(measures: readonly Measure[]): readonly Panel[] {
  const times = TIMES.map(([name, title]): Panel => {
    const found = sized(measures, name);
    const line = (of: 'ours' | 'bare'): readonly Point[] =>
      found.flatMap(({ seconds, x }) => (seconds === undefined ? [] : [{ x, y: (seconds[of] * 1000) / x }]));
    return {
      title,
      unit: 'ms a document',
      lines: [
        { label: 'Keyferry', color: OURS, isDashed: false, points: line('ours') },
        { label: 'bare loop', color: BARE, isDashed: true, points: line('bare') },
      ],
    };
  });
  const memory: Panel = {
    title: 'Peak memory',
    unit: 'MiB',
    lines: (
      [
        ['push-rss', 'Secrets → KV', OURS],
        ['pull-rss', 'KV → Secrets', '#b3261e'],
        ['removal-rss', 'removal', '#1e7b34'],
      ] as const
    ).map(([name, label, color]) => ({
      label,
      color,
      isDashed: false,
      points: sized(measures, name).map(({ value, x }) => ({ x, y: value })),
    })),
  };
  return [...times, memory].filter(({ lines }) => lines.some(({ points }) => points.length > 0));
}

function sized(
  measures: readonly Measure[],
  name: MeasureName,
): readonly (Measure & { readonly x: number })[] {
  return measures
    .filter((measure) => measure.name === name && Number(measure.size) > 0)
    .map((measure) => ({ ...measure, x: Number(measure.size) }))
    .toSorted((a, b) => a.x - b.x);
}

function drawnPanel({ lines, title, unit }: Panel): string {
  const points = lines.flatMap((line) => line.points);
  const x = logarithmic(
    points.map((point) => point.x),
    [PANEL.left, PANEL.width - PANEL.right],
  );
  const y = linear(
    points.map((point) => point.y),
    [PANEL.height - PANEL.bottom, PANEL.top],
  );
  const sizes = [...new Set(points.map((point) => point.x))].toSorted((a, b) => a - b);
  return [
    text(title, { x: PANEL.left, y: 16, more: 'font-weight="600" font-size="12"' }),
    text(unit, { x: PANEL.width - PANEL.right, y: 16, more: 'text-anchor="end" fill="#4b5563"' }),
    ...y.ticks.map((tick) => horizontal(tick, y.at(tick))),
    ...sizes.map((size) =>
      text(size.toLocaleString('en-US'), {
        x: round(x.at(size)),
        y: PANEL.height - PANEL.bottom + 14,
        more: 'text-anchor="middle" fill="#4b5563"',
      }),
    ),
    ...lines.map((line) => drawnLine(line, x.at, y.at)),
    ...legend(lines),
  ].join('\n');
}

function horizontal(value: number, y: number): string {
  const line = `<path d="M${PANEL.left} ${round(y)}H${PANEL.width - PANEL.right}" stroke="#e5e7eb"/>`;
  const more = 'text-anchor="end" fill="#4b5563"';
  return `${line}${text(String(value), { x: PANEL.left - 6, y: round(y + 3), more })}`;
}

function drawnLine(
  { color, isDashed, points }: Line,
  x: (value: number) => number,
  y: (value: number) => number,
): string {
  const at = points.map((point) => `${round(x(point.x))} ${round(y(point.y))}`);
  if (at.length === 0) return '';
  const dash = isDashed ? ' stroke-dasharray="5 3"' : '';
  const dots = at.map((place) => `<circle cx="${place.replace(' ', '" cy="')}" r="2.5" fill="${color}"/>`);
  return `<path d="M${at.join('L')}" fill="none" stroke="${color}" stroke-width="1.6"${dash}/>${dots.join('')}`;
}

function legend(lines: readonly Line[]): readonly string[] {
  return lines.map(({ color, isDashed, label }, index) => {
    const [left, y] = [PANEL.left + index * 92, PANEL.height - 7];
    const dash = isDashed ? ' stroke-dasharray="5 3"' : '';
    const line = `<path d="M${left} ${y - 3}h14" stroke="${color}" stroke-width="1.6"${dash}/>`;
    return `${line}${text(label, { x: left + 18, y, more: 'fill="#111827"' })}`;
  });
}

function text(
  content: string,
  { more, x, y }: { readonly x: number; readonly y: number; readonly more: string },
): string {
  return `<text x="${x}" y="${y}" ${more}>${content}</text>`;
}

interface Scale {
  readonly at: (value: number) => number;
  /** Values to mark. */
  readonly ticks: readonly number[];
}

type Range = readonly [number, number];

function logarithmic(values: readonly number[], [from, to]: Range): Scale {
  const [low, high] = [Math.log(Math.min(...values)), Math.log(Math.max(...values))];
  // One value alone stands in the middle.
  const part = (value: number): number => (high === low ? 0.5 : (Math.log(value) - low) / (high - low));
  const inset = 12;
  return { at: (value) => from + inset + part(value) * (to - from - 2 * inset), ticks: [] };
}

/** From zero to a round number above the highest value. */
function linear(values: readonly number[], [from, to]: Range): Scale {
  const step = stepFor(Math.max(...values, Number.MIN_VALUE) / 4);
  const top = Math.ceil(Math.max(...values) / step) * step || step;
  const count = Math.round(top / step);
  const ticks = Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(6)));
  return { at: (value) => from + (value / top) * (to - from), ticks };
}

/** 1, 2 or 5 times a power of ten, at least `least`. */
function stepFor(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5].find((factor) => factor * power >= least) ?? 10) * power;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
