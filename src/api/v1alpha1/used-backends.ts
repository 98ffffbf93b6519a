import { z } from 'zod';

/*
 * What the status of a migration says of its backends.
 */

/** Maximum length of `status.destinationStore`. */
export const MAX_STORE = 1024;

export const UsedBackendsSchema = z
  .object({
    source: z.string().max(320).describe('Kind and name of the backend that the values come from.'),
    destination: z.string().max(320).describe('Kind and name of the backend that the values go to.'),
  })
  .describe(
    'The backends in use, for example "SecretBackend/bao". If the default backend changes later, the migration does not switch to the new one.',
  );

export const DestinationStoreSchema = z
  .string()
  .max(MAX_STORE)
  .describe(
    'Identity of the store of the destination, and the folder in it. If another store answers, or the folder changes, every soak starts again.',
  );
