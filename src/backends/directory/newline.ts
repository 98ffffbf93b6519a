/** What a newline at the end of a file is; `spec.directory.trailingNewline`. */
export type TrailingNewline = 'Keep' | 'Strip';

const NEWLINE = 0x0a;

/** The value that a file holds. */
export function valueIn(content: Buffer, policy: TrailingNewline): Buffer {
  return policy === 'Strip' && content.at(-1) === NEWLINE ? content.subarray(0, -1) : content;
}

/** What a file has to hold, for `valueIn` to find this value in it. */
export function contentFor(value: Buffer, policy: TrailingNewline): Buffer {
  return policy === 'Strip' ? Buffer.concat([value, Buffer.of(NEWLINE)]) : value;
}
