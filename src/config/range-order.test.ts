import { describe, expect, it } from 'vitest';
import { readRangeFlags } from './range-order.ts';

const FLAGS = ['--migration=team/large', '--uid=4f2c-1', '--generation=3', '--pods=4'];

describe('the flags of a pod of a Job', () => {
  it('name its range, and leave those of the operator', () => {
    const { order, rest } = readRangeFlags([...FLAGS, '--index=2', '--log-level=debug'], {});
    expect(order).toEqual({
      namespace: 'team',
      name: 'large',
      uid: '4f2c-1',
      generation: 3,
      range: { index: 2, count: 4 },
    });
    expect(rest).toEqual(['--log-level=debug']);
  });

  it('take the index from the variable that Kubernetes sets', () => {
    expect(readRangeFlags(FLAGS, { JOB_COMPLETION_INDEX: '3' }).order.range.index).toBe(3);
  });

  it.each([
    ['no index', FLAGS, '--index'],
    ['an index that no pod has', [...FLAGS, '--index=4'], '--index'],
    ['no migration', [...FLAGS.slice(1), '--index=0'], '--migration'],
    [
      'text for a generation',
      ['--generation=x', ...FLAGS.slice(0, 2), '--pods=4', '--index=0'],
      '--generation',
    ],
  ])('are refused with %s', (_why, argv, named) => {
    expect(() => readRangeFlags(argv, {})).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    expect(() => readRangeFlags(argv, {})).toThrow(named);
  });
});
