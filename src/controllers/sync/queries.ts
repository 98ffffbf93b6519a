import type { ListQuery } from '#src/backends/listing.ts';
import type { Address } from '#src/core/document.ts';
import { allBut } from '#src/core/folders.ts';
import type { Side } from '#src/core/sync/observed.ts';
import type { FollowedMigration } from './following.ts';

/**
 * The listings of one side: where its documents are, and no folder in which none can be. At the destination, only documents that
 * are known count, however many migrations write into its folder.
 */
export function queriesOf(
  { followed, intent }: Pick<FollowedMigration, 'followed' | 'intent'>,
  side: Side,
  nowMs: number,
): readonly ListQuery[] {
  const { route, selection } = intent;
  if (side === 'destination') {
    const known = new Set(followed.addresses('destination'));
    const wants = (address: Address): boolean => known.has(address);
    return [{ folder: route.destinationFolder ?? '', skips: allBut(known), wants }];
  }
  const { scope } = selection;
  const wanted = {
    ...(scope.by === 'labelSelector' ? { labelSelector: scope.labelSelector } : {}),
    ...(scope.by === 'names' ? { skips: allBut(scope.names.map((name) => route.sourceOf(name))) } : {}),
  };
  const { fallback } = route;
  const isActive = fallback !== undefined && (intent.fallbackUntil ?? 0) > nowMs;
  const old = isActive && !isInside(fallback.folder, route.sourceFolder) ? [{ folder: fallback.folder }] : [];
  return [{ folder: route.sourceFolder, ...wanted }, ...old];
}

/** True for the folder itself too. */
function isInside(folder: Address, outer: Address): boolean {
  return outer === '' || `${folder}/`.startsWith(`${outer}/`);
}
