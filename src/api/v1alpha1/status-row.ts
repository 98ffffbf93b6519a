import { z } from 'zod';
import { TimeSchema } from '#src/schema/meta.ts';
import { PLANNED_ACTIONS, ROW_STATES } from './conditions.ts';

/*
 * One row of the per-key table, as this version writes it: the keys of one document that are alike in everything else.
 * `key-rows.ts` has what it says of each key; `stored-rows.ts` reads rows of any version.
 */

/** Maximum length of the `name` of a row. A document with a longer name is not moved. */
export const MAX_ROW_NAME = 2048;
/** Maximum length of a key in a row; a longer name of a key is cut. */
export const MAX_ROW_KEY = 512;
/** Maximum number of keys in one row; those that follow have another row. */
export const MAX_ROW_KEYS = 128;
/** Maximum bytes of all names of keys in one row, if it has more than one key. The schema cannot express it. */
export const MAX_ROW_KEYS_BYTES = 16 * 1024;
/** Maximum length of a path in a row. A document at a longer one is not moved. */
export const MAX_ROW_PATH = 4096;
/** Maximum length of a version in a row; a longer one is cut. */
export const MAX_ROW_VERSION = 64;
/** Maximum length of an identity in a row; a longer one is cut. */
export const MAX_ROW_IDENTITY = 128;
/** Maximum length of the `rule` of a row. */
export const MAX_ROW_RULE = 64;
/** Maximum length of the `message` of a row. */
export const MAX_ROW_MESSAGE = 256;

const RowKeysSchema = z
  .array(z.string().max(MAX_ROW_KEY).describe('Name of a key.'))
  .max(MAX_ROW_KEYS)
  .meta({ 'x-kubernetes-list-type': 'atomic' });
const RowVersionSchema = z.string().max(MAX_ROW_VERSION);
const RowIdentitySchema = z.string().max(MAX_ROW_IDENTITY);
const RowReasonSchema = z
  .string()
  .max(64)
  .regex(/^[A-Z][A-Za-z0-9]*$/);
const recorded = {
  version: RowVersionSchema.optional().describe('Version that was proven.'),
  identity: RowIdentitySchema.optional().describe('Identity of the document.'),
};
const planned = {
  version: RowVersionSchema.optional().describe('Version when the plan was made.'),
  identity: recorded.identity,
};

export const StatusRowSchema = z
  .object({
    name: z
      .string()
      .max(MAX_ROW_NAME)
      .describe(
        'Name of the document at the source. A name that is too long for a row is cut and ends in "…" and a tag that differs for each name; so are paths and names of keys. The message says so.',
      ),
    keys: RowKeysSchema.default([]).describe(
      'Names of the keys; empty for a document without keys, or one that was not read. A document has more rows where its keys are not alike, or do not fit into one.',
    ),
    state: z.enum(ROW_STATES).describe('State of these keys.'),
    reason: RowReasonSchema.optional().describe('Reason for the state, as one CamelCase word.'),
    message: z
      .string()
      .max(MAX_ROW_MESSAGE)
      .optional()
      .describe('Reason for the state, as a sentence; never a value.'),
    destination: z
      .object({
        path: z.string().max(MAX_ROW_PATH).describe('Path at the destination.'),
        keys: RowKeysSchema.optional().describe(
          'The names that spec.mapping.keys gives these keys, in the same order; absent if all keep their names.',
        ),
        version: RowVersionSchema.optional().describe(
          'Version that was written or found at the destination.',
        ),
        identity: RowIdentitySchema.optional().describe(
          'Identity of the document. A document that is deleted and created again has another identity.',
        ),
        priorVersion: RowVersionSchema.optional().describe('Version before the overwrite, to restore.'),
        created: z
          .boolean()
          .optional()
          .describe(
            'True: this migration created the document, so spec.undo can remove it. False: it was there, and equal; with priorVersion, a run that was killed may have written it. Absent: it was overwritten, or this is not known.',
          ),
        originalVersion: RowVersionSchema.optional().describe(
          'Version before the first overwrite by this migration, if that is not priorVersion: the one that spec.undo restores.',
        ),
      })
      .optional()
      .describe('The document at the destination.'),
    source: z
      .object({
        path: z
          .string()
          .max(MAX_ROW_PATH)
          .optional()
          .describe('Old path at which the document was read (spec.source.fallback); absent otherwise.'),
        version: RowVersionSchema.optional().describe('Last version that was read at the source.'),
        identity: RowIdentitySchema.optional().describe(
          'Identity of the document. A document that is deleted and created again has another identity.',
        ),
      })
      .optional()
      .describe('The document at the source.'),
    base: z
      .object({
        source: z.object(recorded).optional().describe('Version of the source.'),
        destination: z.object(recorded).optional().describe('Version of the destination.'),
      })
      .optional()
      .describe(
        'Mode Sync: the versions in which source and destination were last proven equal, of keys that are not Verified. Verified keys have them in source and destination.',
      ),
    planned: z
      .enum(PLANNED_ACTIONS)
      .optional()
      .describe('What the plan does with the document, in a dry run and with spec.approval. Keep: nothing.'),
    expected: z
      .object({
        path: z.string().max(MAX_ROW_PATH).optional().describe('Path at the destination.'),
        source: z.object(planned).optional().describe('Version of the source that is copied.'),
        destination: z
          .object(planned)
          .optional()
          .describe('Version at the destination that is adopted or overwritten; absent if there is none.'),
        removal: z
          .enum(['Delete', 'Backup', 'Project'])
          .optional()
          .describe('What happens to the source after its copy is verified; absent if it stays.'),
        held: RowReasonSchema.optional().describe('Why the source stays in spite of that.'),
        losesMetadata: z
          .literal(true)
          .optional()
          .describe('The copy lacks labels, annotations or types of JSON values of the source.'),
        reason: RowReasonSchema.optional().describe('Why nothing is done.'),
      })
      .optional()
      .describe('What the plan rests on: if it is not so any more, nothing is done (NeedsReplan).'),
    rule: z
      .string()
      .max(MAX_ROW_RULE)
      .optional()
      .describe('The rule of spec.mapping that makes the new name: "prefixes[0]".'),
    backup: z.string().max(MAX_ROW_PATH).optional().describe('Path of the backup at the source.'),
    lastTransitionTime: TimeSchema.describe('When the state last changed.'),
    key: z
      .string()
      .max(MAX_ROW_KEY)
      .optional()
      .describe(
        'The only key of a row that an earlier version wrote, which had one for each key. It is read, and never written.',
      ),
  })
  .describe('The keys of one document that are alike in everything else.');
/** As this version writes it. */
export type StatusRow = Omit<z.infer<typeof StatusRowSchema>, 'key'>;
