import * as fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { ConnectRules, type Resolve } from './connect-rules.ts';

const rules = (allowed: readonly string[] = []): ConnectRules =>
  new ConnectRules({ allowed, apiServers: [] });

const REFUSED = [
  '0.0.0.0',
  '127.0.0.1',
  '127.255.255.254',
  '169.254.169.254',
  '224.0.0.1',
  '239.255.255.255',
  '255.255.255.255',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  '::',
  '::1',
  'fe80::1',
  'fe80::1%eth0',
  'febf::1',
  'ff02::1',
  'fd00:ec2::254',
  'fd20:ce::254',
];
const REACHABLE = [
  '10.0.0.1',
  '172.16.0.1',
  '192.168.1.1',
  '100.64.0.1',
  '8.8.8.8',
  '128.0.0.1',
  '169.253.0.1',
  '223.255.255.255',
  '2606:4700::1111',
  'fd00::1',
  'fec0::1',
  '64:ff9b::808:808',
  '2002:808:808::1',
];

test.each(REFUSED)('%s is refused', (address) => {
  expect(rules().refuses(address)).toBe(true);
});

test.each(REACHABLE)('%s may be the address of a backend', (address) => {
  expect(rules().refuses(address)).toBe(false);
});

/** As an address of each kind that stands for an IPv4 address. */
function translations(address: string): readonly string[] {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  const hex = (high: number, low: number): string => ((high << 8) | low).toString(16);
  const [high, low] = [hex(a, b), hex(c, d)];
  return [
    `::ffff:${address}`,
    `::FFFF:${high}:${low}`,
    `0:0:0:0:0:ffff:${high}:${low}`,
    `::${address}`,
    `::ffff:0:${high}:${low}`,
    `64:ff9b::${address}`,
    `64:ff9b:1::${high}:${low}`,
    `2002:${high}:${low}::1`,
    `2001:0:${high}:${low}::`,
    `2001:0:808:808::${hex(255 - a, 255 - b)}:${hex(255 - c, 255 - d)}`,
    `2606:4700::5efe:${high}:${low}`,
  ];
}

test('an address is refused in every form that IPv6 has for it', () => {
  for (const address of REFUSED.filter((each) => !each.includes(':'))) {
    for (const form of translations(address)) expect([form, rules().refuses(form)]).toEqual([form, true]);
  }
});

test('a translation is refused exactly if the address is that it stands for', () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      const refused = rules().refuses(address);
      for (const form of translations(address).slice(0, 3)) expect(rules().refuses(form)).toBe(refused);
      for (const form of translations(address)) if (refused) expect(rules().refuses(form)).toBe(true);
    }),
  );
});

test.each(['', 'localhost', '127.1', '0x7f.1', '1.2.3', '::g', '[::1]'])(
  'what is no address (%j) is refused',
  (text) => {
    expect(rules(['0.0.0.0/0', '::/0']).refuses(text)).toBe(true);
  },
);

describe('a URL with a number in another notation', () => {
  // The factory takes the origin of the URL, which has the address.
  it.each([
    '0x7f.1',
    '2130706433',
    '0177.0.0.1',
    '127.1',
    '127.0.0.1.',
    '0',
    '0xA9FEA9FE',
    '①②⑦.0.0.1',
    '[::ffff:127.0.0.1]',
    '[::127.0.0.1]',
    '[0:0:0:0:0:0:0:1]',
    '[64:ff9b::7f00:1]',
  ])('%s names an address that is refused', (host) => {
    const { hostname } = new URL(new URL(`https://${host}:8200`).origin);
    expect(rules().refuses(hostname.replaceAll(/[[\]]/g, ''))).toBe(true);
  });
});

describe('an administrator', () => {
  it('allows ranges and single addresses, and nothing beside them', () => {
    const own = rules(['127.0.0.0/8', '::1', '169.254.1.1']);
    const allowed = ['127.0.0.1', '::ffff:127.0.0.1', '::1', '169.254.1.1'];
    expect(allowed.filter((each) => own.refuses(each))).toEqual([]);
    expect(['169.254.169.254', '0.0.0.0', 'fe80::1'].filter((each) => !own.refuses(each))).toEqual([]);
  });
});

const answers =
  (hosts: Readonly<Record<string, readonly string[]>>): Resolve =>
  async (host) =>
    await Promise.resolve(
      (hosts[host] ?? []).map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );

describe('a name', () => {
  const resolve = answers({
    api: ['10.96.0.1', 'fd00:10::1'],
    bao: ['10.1.2.3'],
    mixed: ['10.1.2.3', '127.0.0.1'],
    same: ['::ffff:10.96.0.1'],
    rebound: ['10.1.2.3', 'fd00:10::1'],
  });
  const own = new ConnectRules({ allowed: [], apiServers: ['api'], resolve });

  it('stands for all of its addresses', async () => {
    expect(await own.addressesOf('bao')).toEqual([{ address: '10.1.2.3', family: 4 }]);
  });

  it.each(['mixed', 'api', 'same', 'rebound'])('is refused if one address is: %s', async (host) => {
    expect(await own.addressesOf(host)).toBeUndefined();
  });

  it('of the API server is allowed by an administrator only', async () => {
    const open = new ConnectRules({ allowed: ['10.96.0.0/12', 'fd00::/8'], apiServers: ['api'], resolve });
    expect(await open.addressesOf('api')).toHaveLength(2);
  });

  it('is not checked against an API server that nobody can find: the connection fails', async () => {
    const lost = new ConnectRules({
      allowed: [],
      apiServers: ['api'],
      resolve: async (host) => (host === 'api' ? Promise.reject(new Error('gone')) : resolve(host)),
    });
    await expect(lost.addressesOf('bao')).rejects.toThrow('gone');
  });
});
