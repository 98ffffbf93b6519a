import { randomUUID } from 'node:crypto';
import { dump } from 'js-yaml';
import { escapedJson, isPrintable } from '#src/errors/printable.ts';
import { parseJson } from '#src/json/parse.ts';

export type Format = 'json' | 'yaml';

/** The object as JSON or YAML, for programs and terminals: no character that a terminal obeys, and nothing is lost. */
export function structured(object: object, format: Format): string {
  return format === 'json' ? asJson(object) : asYaml(object);
}

function asJson(object: object): string {
  return JSON.stringify(object, undefined, 4).split('\n').map(escapedJson).join('\n');
}

/** A text with other characters is written as a JSON string, which YAML reads the same. */
function asYaml(object: object): string {
  const texts: string[] = [];
  const mark = randomUUID();
  // Ends in a letter, so that the first is not found in the tenth.
  const placeholder = (index: number): string => `${mark}-${index}x`;
  const held = JSON.stringify(object, (_member, value: unknown) => {
    if (typeof value !== 'string' || value.split('\n').every(isPrintable)) return value;
    texts.push(value);
    return placeholder(texts.length - 1);
  });
  const parsed: unknown = parseJson(held);
  const yaml = dump(parsed, { lineWidth: -1, noRefs: true }).trimEnd();
  return texts.reduce(
    (text, value, index) => text.replace(placeholder(index), () => escapedJson(JSON.stringify(value))),
    yaml,
  );
}
