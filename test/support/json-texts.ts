import * as fc from 'fast-check';

/*
 * JSON texts as any program can write them: numbers of any size and spelling, escapes, names in any order, space anywhere.
 */

const SPACE = fc.constantFrom('', '', '', ' ', '\n\t', '\r\n ');

/** The text of any number. */
export const numberText: fc.Arbitrary<string> = fc.oneof(
  fc.stringMatching(/^-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?$/),
  fc.integer().map(String),
  fc.constantFrom('12345678901234567890', '1e400', '-0', '1.10', '-0.0', '9007199254740993', '1E-400'),
);

/** A literal of a string: each character as it is or escaped. */
const stringText = fc
  .array(fc.tuple(fc.string({ unit: 'binary', maxLength: 2 }), fc.boolean()), { maxLength: 5 })
  .map((parts) => `"${parts.map(([text, isEscaped]) => literal(text, isEscaped)).join('')}"`);

function literal(text: string, isEscaped: boolean): string {
  if (!isEscaped) return JSON.stringify(text).slice(1, -1);
  const units = Array.from({ length: text.length }, (_, index) => text.charCodeAt(index));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}

const spaced = (value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(SPACE, value, SPACE).map((parts) => parts.join(''));

const nameText = fc.oneof(stringText, fc.constantFrom('"__proto__"', '"10"', '"2"', '"a"', '""'));

const { value } = fc.letrec<{ value: string; array: string; object: string }>((tie) => ({
  array: fc.array(spaced(tie('value')), { maxLength: 4 }).map((items) => `[${items.join(',')}]`),
  object: fc
    .array(fc.tuple(spaced(nameText), spaced(tie('value'))), { maxLength: 4 })
    .map((members) => `{${members.map(([name, member]) => `${name}:${member}`).join(',')}}`),
  value: fc.oneof(
    { maxDepth: 4 },
    numberText,
    fc.constantFrom('null', 'true', 'false', '{}', '[ ]'),
    stringText,
    tie('array'),
    tie('object'),
  ),
}));

/** Any value. */
export const jsonText: fc.Arbitrary<string> = value;

/** Any value that is not a string. */
export const jsonNotString: fc.Arbitrary<string> = value.filter((text) => !text.startsWith('"'));
