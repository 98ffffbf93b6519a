import { OperatorError } from '#src/errors.ts';
import type { LayeredDriver } from '../layer.ts';

/**
 * The members of a view in which a document is more, or less, than what the store can change at once: each change is a bug,
 * and there are no backups, claims, copies or projections. Rights are not asked for: they are those of other addresses.
 */
export function onlyRead(
  view: 'join' | 'split',
): Pick<
  LayeredDriver,
  | 'write'
  | 'writeAndRead'
  | 'delete'
  | 'finish'
  | 'undo'
  | 'undelete'
  | 'denied'
  | 'backups'
  | 'claims'
  | 'copies'
  | 'projections'
> {
  const refused = async (): Promise<never> =>
    Promise.reject(new OperatorError('INVARIANT', { op: `${view}.change` }));
  return {
    write: refused,
    writeAndRead: undefined,
    delete: refused,
    finish: refused,
    undo: refused,
    undelete: refused,
    denied: async () => Promise.resolve(new Map()),
    backups: undefined,
    claims: undefined,
    copies: undefined,
    projections: undefined,
  };
}
