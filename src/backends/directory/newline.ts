import type { Document } from '#src/core/document.ts';
import { SecretValue } from '#src/core/secret-value.ts';
import type { Content } from './content.ts';
import { FILE_FIELD } from './names.ts';

/**
 * How spec.directory.trailingNewline treats a newline at the end of a file.
 * - `Keep`   part of the value: the bytes of the file are the value
 * - `Strip`  not part of the value: a read removes one newline if there is one, a write adds one
 *
 * With both, a read returns the value that was written.
 */
export type TrailingNewline = 'Keep' | 'Strip';

const NEWLINE = 0x0a;

function valueOf(bytes: Buffer, policy: TrailingNewline): SecretValue {
  const ends = policy === 'Strip' && bytes.at(-1) === NEWLINE;
  return SecretValue.fromBytes(ends ? bytes.subarray(0, -1) : bytes);
}

function bytesOf(value: SecretValue, policy: TrailingNewline): Buffer {
  const bytes = value.reveal();
  return policy === 'Strip' ? Buffer.concat([bytes, Buffer.of(NEWLINE)]) : bytes;
}

/** Files → keys. */
export function toFields(content: Content, policy: TrailingNewline): ReadonlyMap<string, SecretValue> {
  return new Map([...content.files].map(([name, bytes]) => [name, valueOf(bytes, policy)]));
}

/** Keys → files: a document with the single key `value` is a file, any other document is a folder. */
export function toContent({ fields }: Pick<Document, 'fields'>, policy: TrailingNewline): Content {
  const files = new Map([...fields].map(([name, value]) => [name, bytesOf(value, policy)]));
  return { shape: files.size === 1 && files.has(FILE_FIELD) ? 'file' : 'folder', files };
}
