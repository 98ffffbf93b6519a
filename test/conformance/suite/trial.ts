import type { Driver } from '#src/backends/driver.ts';
import type { ReadResult, Version } from '#src/core/document.ts';
import type { ErrorCode } from '#src/errors.ts';
import { aDocument, type Holdings } from '#test/support/documents.ts';
import type { Place, Subject } from './subject.ts';

/** What the tests of the suite act on: one place, and for each test an address that no other test uses. */
export class Trial {
  readonly subject: Subject;
  readonly holds: Holdings;
  readonly unreachableAs: ErrorCode;
  readonly signal: AbortSignal = new AbortController().signal;
  #place: Place | undefined;
  #count = 0;

  constructor(subject: Subject) {
    this.subject = subject;
    this.holds = subject.holds ?? 'anything';
    this.unreachableAs = subject.unreachableAs ?? 'BACKEND_UNREACHABLE';
  }

  /** Before the first test. */
  async open(): Promise<void> {
    this.#place = await this.subject.open();
  }

  /** Before each test: `address` is another one from here on. */
  begin(): void {
    this.#count += 1;
  }

  get place(): Place {
    if (this.#place === undefined) throw new Error('the place is opened before the first test');
    return this.#place;
  }

  get driver(): Driver {
    return this.place.driver;
  }

  get address(): string {
    return `doc-${this.#count}`;
  }

  async read(address = this.address): Promise<ReadResult> {
    return await this.driver.read(address, this.signal);
  }

  async create(fields: Readonly<Record<string, string | Buffer>>): Promise<Version> {
    return await this.driver.write(aDocument(this.address, fields), 'absent', this.signal);
  }

  async close(): Promise<void> {
    await this.place[Symbol.asyncDispose]();
  }
}
