/**
 * What a server turned out to be able to do; the closed list behind `status.capabilities` and `Probe.capabilities`.
 * Found by asking the server, never by its version number.
 */
export const CAPABILITIES = {
  ConditionalWrite:
    'A write can name the version that it replaces. Without it nothing is written, unless UnsafeWrites is there.',
  UnsafeWrites:
    'Writes and deletes only look right before, because the spec allows it: what somebody else writes in between is lost.',
  Revisions: 'Older revisions stay readable after a newer write.',
  PagedList: 'Listings are paged by the server.',
  DetailedList: 'One listing tells versions and times of a whole folder.',
  FieldLimit498: 'A request holds at most 1,000 JSON strings, that is 498 fields a document.',
  Expiry: 'A document can be given the time at which it expires.',
  SelfDestructs:
    'Settings of the store destroy values later by themselves, or could not be read: no source is deleted.',
} as const;
export type Capability = keyof typeof CAPABILITIES;
