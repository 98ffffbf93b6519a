import { readFileSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import { isIPv4 } from 'node:net';
import { z } from 'zod';

/**
 * The process that answers DNS questions of pods: `node names.ts <address> <file>`, where the file has a JSON object, name →
 * IPv4 address. It knows nothing but addresses of type A, RFC 1035.
 */
const Names = z.record(z.string(), z.string());
const HEADER_BYTES = 12;
const TYPE_A = 1;
/** A response with authority, recursion available; and one that says that there is no such name. */
const [FOUND, NOT_FOUND] = [0x85_80, 0x85_83];

const [address = '', file = ''] = process.argv.slice(2);
const server = createSocket('udp4');
server.on('message', (query, client) => {
  const reply = answerTo(query, Names.parse(JSON.parse(readFileSync(file, 'utf8'))));
  server.send(reply, client.port, client.address);
});
server.bind(53, address);

function answerTo(query: Buffer, names: Readonly<Record<string, string>>): Buffer {
  const { name, end } = nameIn(query);
  const type = query.readUInt16BE(end);
  const ip = names[name.toLowerCase()];
  const answer = ip !== undefined && isIPv4(ip) && type === TYPE_A ? record(ip) : undefined;
  const header = Buffer.alloc(HEADER_BYTES);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(ip === undefined ? NOT_FOUND : FOUND, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(answer === undefined ? 0 : 1, 6);
  return Buffer.concat([header, query.subarray(HEADER_BYTES, end + 4), answer ?? Buffer.alloc(0)]);
}

/** The name of the question, and where it ends. */
function nameIn(query: Buffer): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.'), end: at + 1 };
}

/** Of the name of the question, for a second. */
function record(ip: string): Buffer {
  const fixed = Buffer.from([0xc0, HEADER_BYTES, 0, TYPE_A, 0, 1, 0, 0, 0, 1, 0, 4]);
  return Buffer.concat([fixed, Buffer.from(ip.split('.').map(Number))]);
}
