import { quoted } from '#src/errors/explain.ts';
import { OperatorError } from '#src/errors.ts';
import { SecretValue } from '../secret-value.ts';
import { bytesOfBase64 } from './base64-text.ts';
import type { KeyNames } from './key-names.ts';

type Fields = ReadonlyMap<string, SecretValue>;

/** The values with the bytes that base64 stands for, where `mapping.keys` says so. Throws `DECODE_FAILED`. */
export function decodedFields(fields: Fields, { isDecoded }: Pick<KeyNames, 'isDecoded'>): Fields {
  if (![...fields.keys()].some((key) => isDecoded(key))) return fields;
  return new Map([...fields].map(([key, value]) => [key, isDecoded(key) ? decoded(key, value) : value]));
}

function decoded(key: string, value: SecretValue): SecretValue {
  // A number can look like base64, and stands for itself.
  const isString = value.isText() && !value.isJson;
  const bytes = isString ? bytesOfBase64(value.reveal().toString('utf8')) : undefined;
  if (bytes !== undefined) return SecretValue.fromBytes(bytes);
  const detail = `Key ${quoted(key)} is not base64.`;
  throw new OperatorError('DECODE_FAILED', { op: 'mapping.keys', detail });
}
