/** FNV-1a of 32 bits begins here. */
const OFFSET_BASIS = 0x81_1c_9d_c5;
const PRIME = 0x01_00_01_93;

/**
 * FNV-1a of 32 bits over UTF-16 code units, mixed (the end of MurmurHash3), because the bits of FNV-1a hardly depend on all
 * characters. The same in every process and version. `start`: a secret number, where nobody may choose texts that collide.
 */
export function textHash(text: string, start = OFFSET_BASIS): number {
  let hash = start;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), PRIME);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85_eb_ca_6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2_b2_ae_35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
