import { defineKind } from '../kind.ts';
import { DirectorySpecSchema } from './spec.ts';

export const DIRECTORY = defineKind({
  type: 'directory',
  schema: DirectorySpecSchema,
  summary:
    'Files that the operator can reach. A file is a document with the one key "value"; a folder is a document with a key for each file in it.',
  secretReferences: () => [],
  placeOf: ({ path = '' }) => path,
  columns: [],
  limits: {
    projections: { why: 'Pods do not read files of the operator.' },
    revisions: { why: 'A file has no earlier versions.' },
  },
});
