/**
 * Wall clock → metav1.MicroTime. The API server accepts only six fraction digits (kubernetes-client/javascript#828);
 * `toISOString` gives three.
 */
export function toMicroTime(epochMs: number): string {
  return new Date(epochMs).toISOString().replace('Z', '000Z');
}
