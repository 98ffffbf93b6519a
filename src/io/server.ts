import { createHash } from 'node:crypto';

/** Where a connection leads, and as whom. */
export interface Server {
  /** `https://bao.example.org:8200`, or plain http. */
  readonly origin: string;
  /** What the certificate must be for; default: the host. */
  readonly serverName: string | undefined;
  /** PEM, as `tls.connect` takes it. Without `ca`, the authorities of the system. */
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

/**
 * Equal for clients that accept exactly the same other end and show it the same certificate: what one of them learns of the
 * server, and the connections that it has, serve the others. A hash, so that no second copy of a private key is kept for it.
 */
export function serverKeyOf({ origin, serverName, tls: { ca, cert, key } }: Server): string {
  const parts = JSON.stringify([origin, serverName ?? null, ca ?? null, cert ?? null, key ?? null]);
  return createHash('sha256').update(parts).digest('base64');
}
