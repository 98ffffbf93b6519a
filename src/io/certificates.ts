import { X509Certificate } from 'node:crypto';

/** The labels that OpenSSL reads as a certificate. */
const CERTIFICATE = /^-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/;

/**
 * What is wrong with a text that must be trusted certificates in PEM, as the end of a sentence about it; undefined if nothing
 * is. Never quotes the text. Ask it of each CA before a connection: Node takes an empty `ca` for "those of the system", so
 * that every public CA could vouch for the server (`lib/internal/tls/secure-context.js`: `if (ca)`).
 */
export function authoritiesProblem(pem: string): string | undefined {
  const blocks = pem.split(/(?=-----BEGIN )/).filter((block) => block.startsWith('-----BEGIN '));
  const certificates = blocks.filter((block) => CERTIFICATE.test(block));
  if (pem.trim() === '') return 'is empty';
  if (blocks.length === 0) return 'is not PEM';
  if (certificates.length === 0) return 'has no certificate';
  const broken = certificates.findIndex((block) => !isCertificate(block));
  return broken < 0 ? undefined : `has a certificate that cannot be read (number ${broken + 1})`;
}

function isCertificate(block: string): boolean {
  try {
    void new X509Certificate(block);
    return true;
  } catch {
    return false; // The error can quote the block.
  }
}
