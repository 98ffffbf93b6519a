/**
 * What a server turned out to be able to do; the closed list behind `status.capabilities` and `Probe.capabilities`.
 * Found by asking the server, never by its version number.
 */
export const CAPABILITIES = {
  ConditionalWrite:
    'A write can name the version that it replaces. Without it or UnsafeWrites, nothing is written.',
  UnsafeWrites:
    'The spec allows writes and deletes that only read before: a change that another writer makes in between is lost.',
  Versions: 'Earlier versions stay readable after a newer write.',
  KeyLimit498: 'A request holds at most 1,000 JSON strings: 498 keys per document.',
  Expiry: 'A document can have an expiry time.',
  SelfDestructs:
    'Settings of the store delete values automatically, or cannot be read: no source is removed.',
} as const;
export type Capability = keyof typeof CAPABILITIES;
