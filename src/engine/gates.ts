/**
 * A condition for the removal of a source; each gate checks one fact. The plan asks the gates in order, to show what is
 * held; they are asked again right before the removal.
 */
export type RemovalGate = (document: RemovalCandidate) => Held | undefined;

export interface RemovalCandidate {
  /** The name of the document at the source. */
  readonly name: string;
}

/** Why a source stays although its copy is proven. */
export interface Held {
  readonly reason: 'TrustRoot';
  readonly message: string;
}

/** The first gate that holds the removal of this document, or undefined. */
export function heldBy(gates: readonly RemovalGate[], document: RemovalCandidate): Held | undefined {
  for (const gate of gates) {
    const held = gate(document);
    if (held !== undefined) return held;
  }
  return undefined;
}

/**
 * Holds the Secrets that a backend needs for its credentials. `holderOf` returns the backend that needs the Secret of this
 * name, or undefined.
 */
export function trustRootGate(holderOf: (name: string) => string | undefined): RemovalGate {
  return ({ name }) => {
    const holder = holderOf(name);
    if (holder === undefined) return undefined;
    const message = `The source is kept: ${holder} reads its credentials from this Secret.`;
    return { reason: 'TrustRoot', message };
  };
}
