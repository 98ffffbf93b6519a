import type { Reader } from '#src/backends/driver.ts';
import type { SecretValue } from '#src/core/secret-value.ts';
import { quoted } from '#src/errors/explain.ts';
import type { Intent } from './intent.ts';

type Fields = ReadonlyMap<string, SecretValue>;

/** The keys as a destination holds them. */
export interface HeldValues {
  readonly fields: Fields;
  /** Of the keys whose JSON became text: `the JSON type of "replicas"`. */
  readonly lost: readonly string[];
}

/**
 * Makes text of JSON values where the destination holds bytes only and `spec.mapping.jsonValues` asks for it. On the way back
 * such a value stays text: its type is lost with the source.
 */
export function heldValues(
  { jsonValues }: Pick<Intent, 'jsonValues'>,
  { traits }: Pick<Reader, 'traits'>,
  fields: Fields,
): HeldValues {
  if (jsonValues === 'Refuse' || traits.holdsJson === true) return { fields, lost: [] };
  const json = [...fields].filter(([, value]) => value.isJson);
  if (json.length === 0) return { fields, lost: [] };
  const asText = new Map([...fields].map(([name, value]) => [name, value.isJson ? value.asText() : value]));
  return { fields: asText, lost: json.map(([name]) => `the JSON type of ${quoted(name)}`) };
}
