/*
 * What a terminal showed, as one SVG that plays by itself: scene after scene, in the colors that the reader prefers, and at a
 * standstill for who asks for reduced motion.
 */

/** A command and what it printed. */
export interface Scene {
  readonly lines: readonly string[];
}

export interface PictureOptions {
  readonly title: string;
  readonly columns: number;
  readonly rows: number;
  /** Milliseconds of one scene. */
  readonly sceneMs: number;
}

const CHARACTER = { width: 7.8, height: 17 };
const MARGIN = 14;

/** Splits an output at its commands (`$ …`); a scene has at most `rows` lines, the first ones. */
export function scenesOf(
  output: string,
  { columns, rows }: Pick<PictureOptions, 'columns' | 'rows'>,
): readonly Scene[] {
  return output
    .split(/^(?=\$ )/m)
    .map((text) => text.trimEnd().split('\n'))
    .filter(([first = '']) => first.startsWith('$ '))
    .map((lines) => ({ lines: cut(lines, rows).map((line) => shortened(line, columns)) }));
}

function cut(lines: readonly string[], rows: number): readonly string[] {
  return lines.length <= rows ? lines : [...lines.slice(0, rows - 1), '…'];
}

function shortened(line: string, columns: number): string {
  return line.length <= columns ? line : `${line.slice(0, columns - 1)}…`;
}

/** The picture, without anything that it loads. */
export function pictureOf(
  scenes: readonly Scene[],
  { title, columns, rows, sceneMs }: PictureOptions,
): string {
  const width = Math.ceil(columns * CHARACTER.width + 2 * MARGIN);
  const height = rows * CHARACTER.height + 2 * MARGIN;
  const totalMs = scenes.length * sceneMs;
  const share = 100 / scenes.length;
  const groups = scenes.map(
    ({ lines }, index) =>
      `<g class="scene" style="animation-delay:${index * sceneMs}ms">${lines.map((line, row) => textOf(line, row)).join('')}</g>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}">`,
    `<title>${escaped(title)}</title>`,
    '<style>',
    'svg{font:13px ui-monospace,monospace;background:#fff;fill:#1f2328}',
    '.back{fill:#f6f8fa;stroke:#d1d9e0}.command{font-weight:600;fill:#0550ae}',
    '@media (prefers-color-scheme:dark){svg{fill:#d1d7e0}.back{fill:#151b23;stroke:#3d444d}.command{fill:#79c0ff}}',
    `.scene{visibility:hidden;animation:show ${totalMs}ms step-end infinite}`,
    `@keyframes show{0%{visibility:visible}${share.toFixed(4)}%{visibility:hidden}}`,
    '@media (prefers-reduced-motion:reduce){.scene{animation:none}.scene:last-of-type{visibility:visible}}',
    '</style>',
    `<rect class="back" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>`,
    ...groups,
    '</svg>',
    '',
  ].join('\n');
}

function textOf(line: string, row: number): string {
  const y = MARGIN + (row + 0.8) * CHARACTER.height;
  const kind = line.startsWith('$ ') ? ' class="command"' : '';
  return `<text x="${MARGIN}" y="${y.toFixed(1)}" xml:space="preserve"${kind}>${escaped(line)}</text>`;
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
