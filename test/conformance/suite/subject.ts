import type * as fc from 'fast-check';
import type { Driver } from '#src/backends/driver.ts';
import type { ErrorCode } from '#src/errors.ts';
import type { Holdings } from '#test/support/documents.ts';

/** One kind of store under test. Declares everything that differs between drivers. */
export interface Subject {
  readonly kind: string;
  /** Makes a new store, and drivers for it. */
  readonly open: () => Promise<TestStore>;
  /** A number of names that needs more than one page. */
  readonly manyNames: number;
  /** Bytes of ASCII text that the value of one key must be able to have. */
  readonly largeTextBytes: number;
  /** Bytes of text that must be refused before a request is sent. */
  readonly tooLargeBytes: number;
  readonly fieldName: fc.Arbitrary<string>;
  /** Addresses that must be refused before a request is sent. */
  readonly hostileAddresses: readonly string[];
  /** What documents of the store can contain. Default: anything. */
  readonly holds?: Holdings;
  /**
   * Code of the failure of a store that does not exist. Default: `BACKEND_UNREACHABLE`, as for a server that is down.
   */
  readonly unreachableAs?: ErrorCode;
  /** True if a deleted document keeps its name, because a version still takes it. Default: false. */
  readonly listsDeleted?: boolean;
  /** False if only a read tells whether a document changed (KV version 1). Default: true. */
  readonly tellsVersions?: boolean;
  /** True if a document says which version it was written from. Default: false. */
  readonly keepsReflected?: boolean;
  /** True if a write is several requests, so one that was cut off leaves something to undo. Default: false. */
  readonly undoesWrites?: boolean;
}

export interface TestStore extends AsyncDisposable {
  readonly driver: Driver;
  /** Same store, credentials without any right. */
  readonly denied: Driver;
  /** Same store, a port without a listener or a folder that does not exist. */
  readonly unreachable: Driver;
  /** What reaches the store while `during` runs: requests or, for a directory, changes on the disk. */
  readonly traffic: (during: () => Promise<void>) => Promise<readonly unknown[]>;
  /** Acts as another writer: removes a document and creates another incarnation of its name. */
  readonly recreate: (address: string, field: string, text: string) => Promise<void>;
  /**
   * Acts as another writer: creates what the store accepts and no document can have. Resolves with the addresses of the
   * problems in a listing.
   */
  readonly createIllegal: () => Promise<readonly string[]>;
}
