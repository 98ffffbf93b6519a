/*
 * Base64 as tools write it into text: RFC 4648 §4 and §5, padded or not, in lines (base64(1), openssl, MIME) and with white
 * space around it. What could mean other bytes is not read: a mixture of both alphabets, a character that is not in them,
 * padding that is not at the end or incomplete, an empty line, and bits that the last character should not have.
 */

const SPACE = ' \t\r\n';
const LINE_END = /\r?\n/;
const STANDARD = /^[A-Za-z0-9+/]*={0,2}$/;
const URL_SAFE = /^[A-Za-z0-9_-]*={0,2}$/;
/** Characters for three bytes. */
const GROUP = 4;

/** The bytes that this text stands for; undefined if it is not base64. Empty text stands for no bytes. */
export function bytesOfBase64(text: string): Buffer | undefined {
  const lines = trimmed(text).split(LINE_END);
  if (lines.length > 1 && lines.includes('')) return undefined;
  const joined = lines.join('');
  if (!STANDARD.test(joined) && !URL_SAFE.test(joined)) return undefined;
  if (joined.endsWith('=') && joined.length % GROUP !== 0) return undefined;
  const digits = joined.replace(/={1,2}$/, '');
  const bytes = Buffer.from(digits, 'base64');
  // What the bytes are written as: it differs if characters are missing, or bits of the last one are set.
  const written = bytes.toString('base64url');
  return written === digits.replaceAll('+', '-').replaceAll('/', '_') ? bytes : undefined;
}

/** A regular expression for white space at the end would try each run of it inside the text, to its end. */
function trimmed(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && SPACE.includes(text.charAt(start))) start += 1;
  while (end > start && SPACE.includes(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}
