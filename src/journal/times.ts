import { toKubernetesTime } from '#src/schema/meta.ts';

const SECOND_MS = 1000;

/** Times of rows, as seconds and as texts. Rows that follow each other mostly have the same time, so the last one is known. */
export class Times {
  #text = '';
  #seconds: number | undefined;

  /** The seconds of a time; undefined for one that is not written as this version writes it. */
  secondsOf(text: string): number | undefined {
    if (text === this.#text) return this.#seconds;
    const epochMs = Date.parse(text);
    const isOurs = epochMs >= 0 && epochMs % SECOND_MS === 0 && toKubernetesTime(epochMs) === text;
    if (!isOurs) return undefined;
    this.#text = text;
    this.#seconds = epochMs / SECOND_MS;
    return this.#seconds;
  }

  /** The text of a time in whole seconds. */
  textOf(epochMs: number): string {
    const seconds = Math.floor(epochMs / SECOND_MS);
    if (seconds === this.#seconds) return this.#text;
    this.#text = toKubernetesTime(epochMs);
    this.#seconds = seconds;
    return this.#text;
  }
}
