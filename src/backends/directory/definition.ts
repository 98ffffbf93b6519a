import { defineKind } from '../kind.ts';
import { DirectorySpecSchema } from './spec.ts';

export const DIRECTORY = defineKind({
  type: 'directory',
  schema: DirectorySpecSchema,
  summary:
    'Files that the operator can reach: a file is a document with the field value, a folder one with a field for each file in it.',
  secretReferences: () => [],
  columns: [],
  limits: {
    projections: 'Pods read no files of the operator.',
    revisions: 'A file has no earlier versions.',
  },
});
