import { lookup } from 'node:dns/promises';
import type { LookupAddress } from 'node:dns';
import { BlockList, isIP, isIPv4 } from 'node:net';

/*
 * Where a backend may be. Its address comes from a tenant, the connection from the operator, which reaches more than the
 * tenant does: what listens on its own machine, the metadata service of the cloud, the API server.
 */

/** Refused unless an administrator allows it. */
const REFUSED = [
  // RFC 6890: "this host" (Linux connects 0.0.0.0 and :: to itself), loopback, link-local with most metadata services.
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '::/128',
  '::1/128',
  'fe80::/10',
  // Multicast and broadcast.
  '224.0.0.0/4',
  '255.255.255.255/32',
  'ff00::/8',
  // Metadata services elsewhere: Alibaba Cloud, Azure, Oracle Cloud; AWS and Google Cloud with IPv6.
  '100.100.100.200/32',
  '168.63.129.16/32',
  '192.0.0.192/32',
  'fd00:ec2::254/128',
  'fd20:ce::254/128',
];

/** All addresses of a host. Rejects with the error of `getaddrinfo`. */
export type Resolve = (host: string) => Promise<readonly LookupAddress[]>;

export interface ConnectRulesOptions {
  /** Addresses and CIDRs that an administrator allows: operator flag --allow-connect-to. */
  readonly allowed: readonly string[];
  /** Hosts of the API server, as this process reaches it: names or addresses. */
  readonly apiServers: readonly string[];
  /** Default: the resolver of the system. */
  readonly resolve?: Resolve;
}

export class ConnectRules {
  readonly #refused = rangesOf(REFUSED);
  readonly #allowed: BlockList;
  readonly #apiServers: readonly string[];
  readonly #resolve: Resolve;
  /** The addresses of the API server, as they were found last. */
  #apiServer = new BlockList();

  constructor({ allowed, apiServers, resolve = everyAddress }: ConnectRulesOptions) {
    this.#allowed = rangesOf(allowed);
    this.#apiServers = apiServers;
    this.#resolve = resolve;
  }

  /**
   * All addresses of a host; undefined if one of them is refused, because a name that leads there now and then is not
   * the name of a backend. Rejects with the error of the resolver, also if the API server cannot be found.
   */
  async addressesOf(host: string): Promise<readonly LookupAddress[] | undefined> {
    const hosts = [host, ...this.#apiServers];
    const [found = [], ...own] = await Promise.all(hosts.map(async (each) => this.#resolve(each)));
    this.#apiServer = rangesOf(own.flat().map(({ address }) => address));
    return found.some(({ address }) => this.refuses(address)) ? undefined : found;
  }

  /** True for an address that nothing may connect to, in every notation and translation, and for what is no address. */
  refuses(address: string): boolean {
    const [bare = ''] = address.split('%'); // A zone, as in fe80::1%eth0.
    if (isIP(bare) === 0) return true;
    const meant = [bare, ...embeddedIn(bare)];
    const isIn = (ranges: BlockList): boolean => meant.some((each) => ranges.check(each, familyOf(each)));
    return (isIn(this.#refused) || isIn(this.#apiServer)) && !isIn(this.#allowed);
  }
}

async function everyAddress(host: string): Promise<readonly LookupAddress[]> {
  return await lookup(host, { all: true });
}

/** `10.0.0.0/8`, or one address. */
function rangesOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [bare = '', prefix] = range.split('/');
    const [address = ''] = bare.split('%');
    if (prefix === undefined) list.addAddress(address, familyOf(address));
    else list.addSubnet(address, Number(prefix), familyOf(address));
  }
  return list;
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv4(address) ? 'ipv4' : 'ipv6';
}

/**
 * The IPv4 addresses that an IPv6 address stands for, where the network translates it: IPv4-mapped and -compatible
 * (RFC 4291), -translated (RFC 2765), NAT64 (RFC 6052 and 8215), 6to4 (RFC 3056), Teredo (RFC 4380, server and client),
 * ISATAP (RFC 5214). A NAT64 prefix that a network chose itself cannot be known.
 */
function embeddedIn(address: string): readonly string[] {
  if (isIPv4(address)) return [];
  const groups = groupsOf(address);
  const starts = (...prefix: readonly number[]): boolean => prefix.every((group, at) => groups[at] === group);
  const at = (index: number, mask = 0): string => dotted(groups[index] ?? 0, groups[index + 1] ?? 0, mask);
  const isLast32 =
    starts(0, 0, 0, 0, 0, 0) ||
    starts(0, 0, 0, 0, 0, 0xffff) ||
    starts(0, 0, 0, 0, 0xffff, 0) ||
    starts(0x64, 0xff9b, 0, 0, 0, 0) ||
    starts(0x64, 0xff9b, 1) ||
    groups[5] === 0x5efe;
  if (isLast32) return [at(6)];
  if (starts(0x2002)) return [at(1)];
  return starts(0x2001, 0) ? [at(2), at(6, 0xffff)] : [];
}

function dotted(high: number, low: number, mask: number): string {
  const [first, second] = [high ^ mask, low ^ mask];
  return [first >> 8, first & 255, second >> 8, second & 255].join('.');
}

/** The eight groups of an IPv6 address; the URL parser removes dotted decimals and capitals. */
function groupsOf(address: string): readonly number[] {
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => '0');
  return [...first, ...zeros, ...last].map((group) => Number.parseInt(group, 16));
}
