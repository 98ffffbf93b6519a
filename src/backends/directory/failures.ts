import { OperatorError, type ErrorCode, type ErrorDetail } from '#src/errors.ts';

/** What an errno means for a document; the sentence is shown, the name of the errno behind it. */
const CODES: ReadonlyMap<string, readonly [ErrorCode, string]> = new Map([
  ['EACCES', ['AUTH_DENIED', 'The file system does not allow it.']],
  ['EPERM', ['AUTH_DENIED', 'The file system does not allow it.']],
  ['EROFS', ['AUTH_DENIED', 'The file system is mounted read-only.']],
  ['EEXIST', ['ALREADY_EXISTS', 'The name is taken.']],
  ['ENOTEMPTY', ['ALREADY_EXISTS', 'The name is taken.']],
  ['ENOTDIR', ['ALREADY_EXISTS', 'The name is taken.']],
  ['EISDIR', ['ALREADY_EXISTS', 'The name is taken.']],
  ['ELOOP', ['DOCUMENT_REFUSED', 'It is a symbolic link where none may be.']],
  ['ENXIO', ['DOCUMENT_REFUSED', 'It is a socket or a device.']],
  ['ENAMETOOLONG', ['DOCUMENT_REFUSED', 'The file system does not take names of this length.']],
  ['EILSEQ', ['DOCUMENT_REFUSED', 'The file system does not take this name.']],
  ['EINVAL', ['DOCUMENT_REFUSED', 'The file system does not take this name.']],
  ['EFBIG', ['DOCUMENT_REFUSED', 'The file system does not take files of this size.']],
  ['ENOSPC', ['SERVER_ERROR', 'The file system is full.']],
  ['EDQUOT', ['SERVER_ERROR', 'The quota of the file system is used up.']],
  ['EIO', ['SERVER_ERROR', 'The disk failed.']],
  ['ESTALE', ['BACKEND_UNREACHABLE', 'The file system was taken away.']],
  ['ENOTCONN', ['BACKEND_UNREACHABLE', 'The file system was taken away.']],
  ['EHOSTDOWN', ['BACKEND_UNREACHABLE', 'The server of the file system does not answer.']],
  ['ETIMEDOUT', ['BACKEND_UNREACHABLE', 'The server of the file system does not answer.']],
  ['ENOTSUP', ['CAPABILITY_MISSING', 'The file system has no hard links.']],
  ['EOPNOTSUPP', ['CAPABILITY_MISSING', 'The file system has no hard links.']],
  ['ENOSYS', ['CAPABILITY_MISSING', 'The file system has no hard links.']],
]);

/** Name of the errno that a call of node:fs failed with. */
export function errnoOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('syscall' in thrown) || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}

/** True when a call failed with one of these. */
export function failedWith(thrown: unknown, ...errnos: readonly string[]): boolean {
  const errno = errnoOf(thrown);
  return errno !== undefined && errnos.includes(errno);
}

/** The failure of a call as one of ours; what is no failure of the file system passes through. */
export function failureOf(thrown: unknown, about: Omit<ErrorDetail, 'detail' | 'cause'>): unknown {
  const errno = errnoOf(thrown);
  if (errno === undefined) return thrown;
  const [code, sentence] = CODES.get(errno) ?? ['SERVER_ERROR', 'The file system failed.'];
  return new OperatorError(code, { ...about, detail: `${sentence} (${errno})` });
}
