/** What a view says while it does not see the cluster. */
export function lostText(trouble: string): string {
  return `The connection is lost; it is tried again. ${trouble}`;
}
