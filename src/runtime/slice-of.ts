/** More replicas than this do not share the work: the role of the operator names as many Leases. */
export const MOST_SLICES = 16;

/** The slice of what belongs to no namespace, and of all work that is not cut. */
export const COMMON_SLICE = 0;

/**
 * The slice of a namespace, from 0 to `count` − 1: the same in every process and version, or two replicas would work on one
 * namespace. A namespace is never cut, because what its migrations share is in the memory of one process: locks, its part of
 * the workers, restarts. The hash is FNV-1a of 32 bits over UTF-16 code units; names of namespaces are ASCII.
 */
export function sliceOf(namespace: string | undefined, count: number): number {
  if (namespace === undefined || count === 1) return COMMON_SLICE;
  let hash = 0x811c9dc5;
  for (let index = 0; index < namespace.length; index += 1)
    hash = Math.imul(hash ^ namespace.charCodeAt(index), 0x01000193) >>> 0;
  // The low bits of FNV-1a depend on the low bits of the text alone: fold the high ones into them.
  return (((hash >>> 16) ^ hash) >>> 0) % count;
}

/** The Lease of a slice. That of the first one has the name that the Lease has without slices. */
export function leaseOfSlice(leaseName: string, slice: number): string {
  return slice === COMMON_SLICE ? leaseName : `${leaseName}-${slice}`;
}
