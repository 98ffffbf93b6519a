/**
 * What a server can do: the closed list behind `status.capabilities` and `Probe.capabilities`. A probe finds it by
 * requests, never by a version number.
 */
export const CAPABILITIES = {
  ConditionalWrite:
    'A write can name the version that it replaces. Without this or UnsafeWrites, nothing is written.',
  UnsafeWrites:
    'The spec allows writes and deletes that only read first: a change by another writer in between is lost.',
  Versions: 'Earlier versions stay readable after a newer write.',
  KeyLimit498: 'A request can have at most 1,000 JSON strings: 498 keys per document.',
  Expiry: 'A document can have an expiry time.',
  SelfDestructs:
    'Settings of the store delete values automatically, or cannot be read: no source is removed.',
} as const;
export type Capability = keyof typeof CAPABILITIES;
