import type * as fc from 'fast-check';
import type { Driver } from '#src/backends/driver.ts';
import type { ErrorCode } from '#src/errors.ts';
import type { Holdings } from '#test/support/documents.ts';

/** One kind of store, as the suite needs it. Everything that differs between drivers is declared here. */
export interface Subject {
  readonly kind: string;
  /** Makes a place of its own, and drivers for it. */
  readonly open: () => Promise<Place>;
  /** Names that need more than one page. */
  readonly manyNames: number;
  /** Bytes of ASCII text that one field must be able to hold. */
  readonly largeTextBytes: number;
  /** Bytes of text that must be refused before anything is sent. */
  readonly tooLargeBytes: number;
  readonly fieldName: fc.Arbitrary<string>;
  /** Addresses that must be refused before anything is sent. */
  readonly hostileAddresses: readonly string[];
  /** What a document may be made of. Default: anything. */
  readonly holds?: Holdings;
  /** How a store fails that is not there. Default: as a server does; a folder that is missing is no server that is down. */
  readonly unreachableAs?: ErrorCode;
  /** True where a deleted document keeps its name: a version of it still takes it. Default: false. */
  readonly listsDeleted?: boolean;
}

export interface Place extends AsyncDisposable {
  readonly driver: Driver;
  /** Same place, credentials without any right. */
  readonly denied: Driver;
  /** Same place, a port where nobody listens or a folder that is not there. */
  readonly unreachable: Driver;
  /** What reached the store meanwhile: requests, or changes on the disk where a store has none. */
  readonly traffic: (during: () => Promise<void>) => Promise<readonly unknown[]>;
  /** Removes a document and makes it again behind the driver's back: another incarnation of the same name. */
  readonly recreate: (address: string, field: string, text: string) => Promise<void>;
}
