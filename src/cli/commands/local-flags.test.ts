import { describe, expect, it } from 'vitest';
import { localFlagsOf } from './local-flags.ts';

describe('--local', () => {
  it('hands on the flags of a run in this process', () => {
    const flags = { local: true, filename: 'm.yaml', credential: ['bao=env:TOKEN'], dryRun: true };
    expect(localFlagsOf(flags)).toMatchObject({
      filename: 'm.yaml',
      credential: ['bao=env:TOKEN'],
      dryRun: true,
      wait: false,
    });
    expect(localFlagsOf({ from: 'a', to: 'b' })).toBeUndefined();
  });

  it.each([
    ['credential', '--credential needs --local.'],
    ['directoryRoot', '--directory-root needs --local.'],
  ])('is needed for %s', (flag, message) => {
    expect(() => localFlagsOf({ [flag]: 'x' })).toThrow(message);
  });

  it.each(['from', 'names', 'deleteSource'])('refuses %s, which the file says', (flag) => {
    expect(() => localFlagsOf({ local: true, [flag]: 'x' })).toThrow('has no effect with --local');
  });
});
