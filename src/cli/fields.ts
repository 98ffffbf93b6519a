import stringWidth from 'string-width';

/** Label and text of each line, as kubectl describe prints them; a text of `columns` is broken below itself. 0: never. */
export function fieldsOf(
  fields: readonly (readonly [label: string, text: string | undefined])[],
  columns: number,
): string {
  const shown = fields.flatMap(([label, text]) => (text === undefined || text === '' ? [] : [[label, text]]));
  const width = Math.max(...shown.map(([label = '']) => label.length)) + 1;
  return shown
    .map(([label = '', text = '']) => {
      const first = `${label}:`.padEnd(width + 2);
      const lines = text.split('\n').flatMap((line) => wrapped(line, columns - first.length));
      return first + lines.join(`\n${' '.repeat(first.length)}`);
    })
    .join('\n');
}

/** Below this width, breaking makes it worse. */
const NARROWEST = 20;

/** The text in lines of at most `columns`, broken at spaces; a longer word stays whole, so that it can be copied. */
export function wrapped(text: string, columns: number): readonly string[] {
  if (columns < NARROWEST) return [text];
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && stringWidth(line) + 1 + stringWidth(word) > columns) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
