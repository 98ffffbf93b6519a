const RULE = '='.repeat(80);

/** A part of what ships, with the terms it comes under. */
export interface Licensed {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  /** The text of each file with its terms; empty where it ships none. */
  readonly texts: readonly string[];
}

/** One text with the terms of all parts, for people. The same input gives the same bytes. */
export function thirdPartyText(parts: readonly Licensed[]): string {
  const sections = parts.map(({ name, version, license, texts }) => {
    const terms =
      texts.length > 0 ? texts : [`It ships no text of its license. Its package.json says: ${license}`];
    return [RULE, `${name} ${version} (${license})`, RULE, '', ...terms].join('\n');
  });
  return `Software of others that is part of Keyferry, and its licenses.\n\n${sections.join('\n\n')}\n`;
}
