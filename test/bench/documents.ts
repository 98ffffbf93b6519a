import { aSecret } from '#test/builders/objects.ts';

/** What each document of the benches looks like: three fields, about 1 KB together. */
export function fieldsOf(index: number): Record<string, string> {
  return {
    username: `user-${index}`,
    password: `${index}-`.padEnd(64, 'p'),
    certificate: `${index}-`.padEnd(900, 'c'),
  };
}

export const KEYS = Object.keys(fieldsOf(0)).length;

export function nameOf(index: number): string {
  return `s-${String(index).padStart(6, '0')}`;
}

/** The ways to make a Secret of an index. */
export const SECRETS = {
  plain: (index: number) => aSecret(nameOf(index), fieldsOf(index)),
  /** One short field: a row, and next to nothing else. */
  small: (index: number) => aSecret(nameOf(index), { password: `p-${index}` }),
  /** A type of its own and a field that is not text: its type and encoding travel as metadata. */
  typed: (index: number) => {
    const fields = { ...fieldsOf(index), keystore: Uint8Array.of(0xff, 0xfe, index % 256) };
    return aSecret(nameOf(index), fields, { type: 'example.com/bench' });
  },
} as const;
