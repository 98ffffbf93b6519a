import { z } from 'zod';
import { PathSchema } from '#src/schema/path.ts';

/** `spec.directory`. */
export const DirectorySpecSchema = z.object({
  path: PathSchema.optional().describe(
    'Folder below <directory-root>/<namespace>, where --directory-root of the operator names the root. Default: <directory-root>/<namespace> itself.',
  ),
  trailingNewline: z
    .enum(['Keep', 'Strip'])
    .describe(
      'How to treat a newline at the end of a file. Keep: it is part of the value. Strip: it is not part of the value; one newline is removed when a file is read and added when it is written.',
    ),
  allowWorldReadable: z
    .boolean()
    .default(false)
    .describe(
      'Use the folder even if every user of the machine can access it, or a folder above it up to the root.',
    ),
});
export type DirectorySpec = z.infer<typeof DirectorySpecSchema>;
