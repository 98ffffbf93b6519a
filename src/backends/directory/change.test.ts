import { describe, expect, it } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import { attempt, conclude } from './change.ts';

function aChange(signal = new AbortController().signal) {
  return { address: 'x', signal, op: 'directory.write' };
}

/** As node:fs throws. */
function errno(code: string): Error {
  return Object.assign(new Error(`${code}: of /a/secret/path`), { code, errno: -1, syscall: 'fsync' });
}

describe('a failure of the file system', () => {
  it.each([
    ['EACCES', 'AUTH_DENIED'],
    ['EPERM', 'AUTH_DENIED'],
    ['EROFS', 'AUTH_DENIED'],
    ['EEXIST', 'ALREADY_EXISTS'],
    ['ENOTEMPTY', 'ALREADY_EXISTS'],
    ['ELOOP', 'DOCUMENT_REFUSED'],
    ['ENOSPC', 'SERVER_ERROR'],
    ['EIO', 'SERVER_ERROR'],
    ['ESTALE', 'BACKEND_UNREACHABLE'],
    ['EOPNOTSUPP', 'CAPABILITY_MISSING'],
    ['EWHATEVER', 'SERVER_ERROR'],
  ])('%s before the commit point is %s, and certain', async (code, expected) => {
    const failure = attempt(aChange(), async () => Promise.reject(errno(code)));
    await expect(failure).rejects.toMatchObject({
      code: expected,
      target: 'x',
      indeterminate: false,
      message: expect.stringContaining(`(${code})`),
    });
  });

  it('after the commit point says that the change may be done', async () => {
    const failure = conclude(aChange(), async () => Promise.reject(errno('EIO')));
    await expect(failure).rejects.toMatchObject({ code: 'SERVER_ERROR', indeterminate: true });
    const ours = new OperatorError('VERSION_CONFLICT', { op: 'directory.read' });
    await expect(conclude(aChange(), async () => Promise.reject(ours))).rejects.toMatchObject({
      code: 'VERSION_CONFLICT',
      indeterminate: true,
    });
  });

  it('passes on a failure that is not of the file system', async () => {
    const reason = new DOMException('stop', 'AbortError');
    await expect(attempt(aChange(), async () => Promise.reject(reason))).rejects.toBe(reason);
    const aborted = aChange(AbortSignal.abort(reason));
    await expect(conclude(aborted, async () => Promise.reject(reason))).rejects.toBe(reason);
  });
});
