import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Address } from '#src/core/document.ts';
import type { Driver } from '../driver.ts';
import { withoutReserved } from './reserved.ts';

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only what a gate calls without a request
const bare = { addressRefusalOf: () => undefined } as unknown as Driver;

function isReserved(prefix: string, address: Address): boolean {
  const driver = withoutReserved(bare, [{ prefix, allowNamespaces: [] }], 'ns');
  return driver.addressRefusalOf(address) !== undefined;
}

describe('names under a reserved prefix', () => {
  it.each([
    ['sys_', 'sys_a', true],
    ['sys_', 'team/sys_a', true],
    ['sys_', 'team/sys_folder/a', true],
    ['sys_', 'team/a_sys_b', false],
    ['sys_', 'SYS_a', false],
    ['sys_', 'sys', false],
    ['sys/', 'sys/a', true],
    ['sys/', 'team/sys/a', true],
    ['sys/', 'sys', false],
    ['sys/', 'system/a', false],
    ['team/sys_', 'team/sys_a', true],
    ['team/sys_', 'all/team/sys_a', true],
    ['team/sys_', 'sys_a', false],
    ['team/sys_', 'my-team/sys_a', false],
  ])('%s: %s is reserved: %s', (prefix, address, expected) => {
    expect(isReserved(prefix, address)).toBe(expected);
  });

  const segment = fc.stringMatching(/^[a-c_]{1,4}$/);
  const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));

  it('are those that start with it, at the start or after a slash, and all names below them', () => {
    fc.assert(
      fc.property(path, path, segment, (prefix, address, child) => {
        const parts = address.split('/');
        const tails = parts.map((_, index) => parts.slice(index).join('/'));
        const expected = tails.some((tail) => tail.startsWith(prefix));
        expect(isReserved(prefix, address)).toBe(expected);
        // Names below a reserved folder are reserved too, so that a listing can skip the folder.
        if (expected) expect(isReserved(prefix, `${address}/${child}`)).toBe(true);
      }),
    );
  });

  it('are checked for each prefix separately, for namespaces that the prefix does not allow', () => {
    const reserved = [
      { prefix: 'sys_', allowNamespaces: ['platform'] },
      { prefix: 'sys_root_', allowNamespaces: [] },
    ];
    const refusal = (namespace: string, address: Address) =>
      withoutReserved(bare, reserved, namespace).addressRefusalOf(address)?.message;
    expect(refusal('platform', 'sys_a')).toBeUndefined();
    expect(refusal('platform', 'sys_root_a')).toBe(
      'Names that start with sys_root_ are reserved for system use.',
    );
    expect(refusal('team', 'sys_a')).toBe('Names that start with sys_ are reserved for system use.');
  });

  it('leave the driver unchanged if nothing is reserved for others', () => {
    expect(withoutReserved(bare, [], 'ns')).toBe(bare);
    expect(withoutReserved(bare, [{ prefix: 'sys_', allowNamespaces: ['ns'] }], 'ns')).toBe(bare);
  });
});
