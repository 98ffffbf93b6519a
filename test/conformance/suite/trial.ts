import type { Driver } from '#src/backends/driver.ts';
import type { ReadResult, Version } from '#src/core/document.ts';
import type { ErrorCode } from '#src/errors.ts';
import { aDocument, type Holdings } from '#test/support/documents.ts';
import type { TestStore, Subject } from './subject.ts';
import { permitted } from '#test/support/permit.ts';

/** The store of the tests of the suite, and for each test an address that no other test uses. */
export class Trial {
  readonly subject: Subject;
  readonly holds: Holdings;
  readonly unreachableAs: ErrorCode;
  readonly signal: AbortSignal = new AbortController().signal;
  #store: TestStore | undefined;
  #count = 0;

  constructor(subject: Subject) {
    this.subject = subject;
    this.holds = subject.holds ?? 'anything';
    this.unreachableAs = subject.unreachableAs ?? 'BACKEND_UNREACHABLE';
  }

  /** Called before the first test. */
  async open(): Promise<void> {
    this.#store = await this.subject.open();
  }

  /** Called before each test: makes `address` a new one. */
  begin(): void {
    this.#count += 1;
  }

  get store(): TestStore {
    if (this.#store === undefined) throw new Error('the store is opened before the first test');
    return this.#store;
  }

  get driver(): Driver {
    return this.store.driver;
  }

  get address(): string {
    return `doc-${this.#count}`;
  }

  async read(address = this.address): Promise<ReadResult> {
    return await this.driver.read(address, this.signal);
  }

  async create(fields: Readonly<Record<string, string | Buffer>>): Promise<Version> {
    return await this.driver.write(aDocument(this.address, fields), 'absent', permitted(this.signal));
  }

  async close(): Promise<void> {
    await this.store[Symbol.asyncDispose]();
  }
}
