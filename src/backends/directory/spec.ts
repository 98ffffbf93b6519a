import { z } from 'zod';
import { PathSchema } from '#src/schema/path.ts';

/** `spec.directory`. */
export const DirectorySpecSchema = z.object({
  path: PathSchema.optional().describe(
    'Folder below <directory-root>/<namespace>, which the operator was started with. Default: that folder itself.',
  ),
  trailingNewline: z
    .enum(['Keep', 'Strip'])
    .describe(
      'What a newline at the end of a file is. Keep: a part of the value. Strip: not a part of it; one is taken away when a file is read, and added when it is written.',
    ),
  allowWorldReadable: z
    .boolean()
    .default(false)
    .describe(
      'Use the folder although everybody on the machine has rights on it, or on one above it up to the root.',
    ),
});
export type DirectorySpec = z.infer<typeof DirectorySpecSchema>;
