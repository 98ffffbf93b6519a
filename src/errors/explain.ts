import { ERROR_CODES } from './codes.ts';
import { escaped } from './printable.ts';
import { errorOf, type ErrorCode, type OperatorError } from '#src/errors.ts';

/** Codes whose message also names the operation, because the user must check a permission or a server. */
const NAMES_OPERATION: ReadonlySet<ErrorCode> = new Set([
  'AUTH_DENIED',
  'DEADLINE',
  'RATE_LIMITED',
  'REPLY_INVALID',
  'REPLY_TOO_LARGE',
  'REQUEST_REJECTED',
  'SERVER_ERROR',
]);

/** The parts of a message, in their order. */
export interface Message {
  /** What happened: whole sentences. */
  readonly happened: string;
  /** Where: names only, without a period. */
  readonly where?: string | undefined;
  /** What to do: whole sentences. Never shortened. */
  readonly hint: string;
}

/** The code whose reasons a status shows: one for all errors of a server that gave no usable answer. */
export function shownCode(error: OperatorError): ErrorCode {
  return error.unansweredAt === undefined ? error.code : 'BACKEND_UNREACHABLE';
}

/** The parts of the message that a status shows: one message for all errors of a server that gave no usable answer. */
export function shownMessage(error: OperatorError): Message {
  if (error.unansweredAt === undefined) return messageOf(error);
  return {
    happened: 'The server cannot be reached, or it is not the server that the settings describe.',
    where: error.unansweredAt,
    hint: 'Check address, port, CA and network policy; an administrator finds the cause in the log of the operator.',
  };
}

/** An error as the parts of a message, in full: for the log. */
export function messageOf(error: OperatorError): Message {
  const { target, op } = error;
  const parts = [NAMES_OPERATION.has(error.code) ? op : undefined, target];
  const where = parts.filter((part) => part !== undefined).join(' ');
  return { happened: error.message, hint: error.hint, ...(where === '' ? {} : { where }) };
}

/** An error as fields of a log line that is no `error`: what happened, where and what to do, each in full. */
export function logFieldsOf(error: OperatorError): Readonly<Record<string, string | number | undefined>> {
  const { code, hint, message, op, status, target, unansweredAt } = error;
  return { code, summary: message, op, target, status, unansweredAt, hint };
}

/**
 * What happened, where, and what to do: the text of an error for people, the same in a row, a condition, an event and on
 * the command line. At most `maxBytes` of UTF-8. The API counts characters, which are at most as many.
 */
export function explain(thrown: unknown, maxBytes: number = Number.POSITIVE_INFINITY): string {
  const error = errorOf(thrown);
  const message = shownMessage(error);
  // The hint of the code, which always fits, replaces a hint with a long path.
  const fits = bytesOf(message.hint) <= maxBytes / 2; // MAX_HINT_BYTES is half of a row.
  return fitted(fits ? message : { ...message, hint: ERROR_CODES[shownCode(error)].hint }, maxBytes);
}

/**
 * `What happened (where). What to do.` in at most `maxBytes` bytes. What happened is shortened first, then where; the hint
 * is never shortened.
 */
export function fitted({ happened, where, hint }: Message, maxBytes: number): string {
  const room = maxBytes - bytesOf(hint) - 1;
  const location = where === undefined ? '' : ` (${where})`;
  const said = happened.endsWith('.') ? happened.slice(0, -1) : happened;
  const whole = `${said}${location}.`;
  if (bytesOf(whole) <= room) return `${whole} ${hint}`;
  const left = room - bytesOf(location);
  // A location that leaves no room for a sentence is shortened together with it.
  if (left < room / 2) return `${shortened(whole, room)} ${hint}`;
  return `${shortened(said, left)}${location} ${hint}`;
}

/** A name that a user or a server chose, quoted, printable and cut for a message. */
export function quoted(name: string): string {
  return `"${shortened(name, MAX_QUOTED)}"`;
}

/** How many names a message has. */
const MOST_NAMES = 2;

/** The first names of a list for a message, and how many more there are: `type, label team and 3 more`. */
export function firstNames(names: readonly string[]): string {
  const more = names.length - MOST_NAMES;
  return `${names.slice(0, MOST_NAMES).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

const ELLIPSIS = '…';
/** Bytes of a name in a message. */
const MAX_QUOTED = 60;

/**
 * At most `maxBytes` bytes of UTF-8 of the text, cut at a word, with … for what is missing. Always printable Unicode: a
 * terminal obeys some other characters, and a server would store half of a character as another one, so that the stored text
 * would differ from then on.
 */
export function shortened(said: string, maxBytes: number): string {
  const text = escaped(said.toWellFormed());
  if (bytesOf(text) <= maxBytes) return text;
  const room = Math.max(0, maxBytes - bytesOf(ELLIPSIS));
  const cut = prefixOf(text, room);
  const lastSpace = cut.lastIndexOf(' ');
  // A word that fills most of the space (a path) is cut inside.
  const end = lastSpace > cut.length / 2 ? lastSpace : cut.length;
  return `${cut.slice(0, end).replace(/[\s.,;:(]+$/, '')}${ELLIPSIS}`;
}

/** The longest prefix of whole characters that fits into `maxBytes`. */
function prefixOf(text: string, maxBytes: number): string {
  const buffer = new Uint8Array(maxBytes);
  const { read } = new TextEncoder().encodeInto(text, buffer);
  return text.slice(0, read);
}

function bytesOf(text: string): number {
  return Buffer.byteLength(text);
}
