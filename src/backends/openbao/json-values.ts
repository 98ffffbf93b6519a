import { decimalOf, eachToken, isNumber, isString, levelsAfter } from '#src/json/text.ts';
import type { SecretValue } from '#src/core/secret-value.ts';
import { quoted } from '#src/errors/explain.ts';
import type { Refusal } from '../refusal.ts';
import { REPLY_LIMITS } from './reply-limits.ts';

/*
 * JSON values that are not strings. Measured on OpenBao 2.6.2 and Vault 1.13.0: KV version 1 returns each number with the digits
 * that were written. KV version 2 stores them too, but each read parses them as 64-bit floating-point numbers (path_data.go of
 * the KV engine): 12345678901234567890 becomes 12345678901234567000, and a version with 1e400 cannot be read at
 * all. So no client can tell what such a number was. Both sort the names of nested objects.
 */

/** Levels of one value. Three more are the reply around it. */
export const MAX_JSON_LEVELS = REPLY_LIMITS.document.maxDepth - 4;

/** True if a read of KV version 2 returns another number, or this one could be what became of another integer. */
function isRounded(token: string): boolean {
  const value = Number(token);
  if (Math.abs(value) > Number.MAX_SAFE_INTEGER) return true;
  if (String(value) === token) return false;
  const returned = `${token.startsWith('-') ? '-' : ''}${Math.abs(value)}`;
  return decimalOf(returned) !== decimalOf(token);
}

/** True if KV version 2 does not return every number in this value as it was written. */
export function hasRoundedNumber(value: SecretValue): boolean {
  if (!value.isJson) return false;
  const text = textOf(value);
  let found = false;
  eachToken(text, (start, end, first) => {
    if (!found && isNumber(first)) found = isRounded(text.slice(start, end));
  });
  return found;
}

/** Why KV version 2 cannot return a value of these keys, or undefined. */
export function roundingRefusalOf(fields: ReadonlyMap<string, SecretValue>): Refusal | undefined {
  for (const [name, value] of fields) {
    if (!hasRoundedNumber(value)) continue;
    const message = `KV version 2 rounds a number in the key ${quoted(name)} when it is read. Store it as a string.`;
    return { reason: 'NotRepresentable', message };
  }
  return undefined;
}

/** Why a reply with these keys could not be read, or undefined. */
export function levelsRefusalOf(fields: ReadonlyMap<string, SecretValue>): Refusal | undefined {
  for (const [name, value] of fields) {
    if (!value.isJson || levelsOf(textOf(value)) <= MAX_JSON_LEVELS) continue;
    const message = `The JSON value of the key ${quoted(name)} has more than ${MAX_JSON_LEVELS} levels.`;
    return { reason: 'NotRepresentable', message };
  }
  return undefined;
}

function levelsOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  eachToken(text, (_start, _end, first) => {
    depth += levelsAfter(first);
    deepest = Math.max(deepest, depth);
  });
  return deepest;
}

/** Strings of a request that has these keys, with the names. */
export function stringsOf(fields: ReadonlyMap<string, SecretValue>): number {
  let strings = 0;
  for (const value of fields.values()) strings += 1 + (value.isJson ? stringsIn(textOf(value)) : 1);
  return strings;
}

function stringsIn(text: string): number {
  let strings = 0;
  eachToken(text, (_start, _end, first) => {
    if (isString(first)) strings += 1;
  });
  return strings;
}

function textOf(value: SecretValue): string {
  return value.reveal().toString('utf8');
}
