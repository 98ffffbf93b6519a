import { escaped, escapedName } from '#src/errors/printable.ts';

/*
 * HTML from text that others wrote. Everything passes here: what is not printable is shown as its code, as in a terminal.
 */

/** HTML that is safe to insert as it is. */
export interface Markup {
  readonly html: string;
}

type Part = Markup | string | number | undefined | readonly (Markup | string)[];

/** A template whose parts are text, unless they are markup: text is escaped, for content and for quoted attributes. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return { html: strings.map((before, index) => before + textOf(parts[index])).join('') };
}

/** A name of a user or server: different names stay different. */
export function nameText(name: string): Markup {
  return { html: quoted(escapedName(name)) };
}

/** HTML that is already safe: a constant, or made of these functions. */
export function trusted(markup: string): Markup {
  return { html: markup };
}

function textOf(part: Part): string {
  if (part === undefined) return '';
  if (typeof part === 'number') return String(part);
  if (typeof part === 'string') return quoted(escaped(part));
  if ('html' in part) return part.html;
  return part.map((each) => textOf(each)).join('');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function quoted(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
