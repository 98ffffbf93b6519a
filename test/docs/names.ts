import { promises, type LookupAddress } from 'node:dns';
import { syncBuiltinESMExports } from 'node:module';

/* Loaded before the operator: names that the DNS of a cluster knows. KEYFERRY_TEST_NAMES has `name=address,…`. */

const known = new Map(
  (process.env['KEYFERRY_TEST_NAMES'] ?? '').split(',').map((entry): readonly [string, string] => {
    const [name = '', address = ''] = entry.split('=');
    return [name, address];
  }),
);
const lookup = promises.lookup;

async function lookupKnown(host: string, options: object): Promise<LookupAddress[] | LookupAddress> {
  const address = known.get(host);
  return address === undefined ? await lookup(host, options) : [{ address, family: 4 }];
}

Object.assign(promises, { lookup: lookupKnown });
syncBuiltinESMExports();
