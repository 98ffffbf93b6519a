/* Tables as bao prints them. */

type Entries = Readonly<Record<string, unknown>>;

/** Rows in columns that stand four blanks apart, below a header and a line of dashes. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, header.map((title) => '-'.repeat(title.length)), ...rows];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('    ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** Keys and values, sorted by key. */
export function keysAndValues(entries: Entries): string {
  const rows = Object.keys(entries)
    .sort()
    .map((key) => [key, shown(key, entries[key])]);
  return table(['Key', 'Value'], rows);
}

/** The heading above a table: as wide as the table. */
export function titled(title: string, body: string): string {
  const width = Math.max(...body.split('\n').map((line) => line.length), title.length + 6);
  const side = '='.repeat(Math.floor((width - title.length - 2) / 2));
  return `${side} ${title} ${side}\n${body}`;
}

/** A value as Go prints it; numbers of seconds as a duration. */
function shown(key: string, value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (value === '') return 'n/a';
  if (Array.isArray(value)) return `[${value.map((item) => shown('', item)).join(' ')}]`;
  if (typeof value === 'object') {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `map[${entries.map(([name, entry]) => `${name}:${shown('', entry)}`).join(' ')}]`;
  }
  if (typeof value === 'number' && /(?:^|_)(?:ttl|period|duration)$/.test(key)) return duration(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** 3600 → `1h`, as the command line prints durations. */
export function duration(seconds: number): string {
  const parts = [
    [Math.floor(seconds / 3600), 'h'],
    [Math.floor((seconds % 3600) / 60), 'm'],
    [seconds % 60, 's'],
  ] as const;
  const text = parts
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join('');
  return text === '' ? '0s' : text;
}

/** One field, without a newline, as bao prints it to a pipe. */
export function field(entries: Entries, name: string): string | undefined {
  const value = entries[name];
  if (value === undefined) return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value, undefined, 2);
}
