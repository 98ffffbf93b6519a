/** What both servers keep if neither the path nor the mount says otherwise. */
const DEFAULT_MAX_VERSIONS = 10;

/**
 * How many versions of a path the server keeps: the larger of the two settings, so a path cannot keep fewer than a mount
 * that names a number (measured on both servers; the documentation says that the path wins).
 */
export function keptVersions(ofPath: number, ofMount: number): number {
  const kept = Math.max(ofPath, ofMount);
  return kept === 0 ? DEFAULT_MAX_VERSIONS : kept;
}
