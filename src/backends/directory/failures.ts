import { documentation } from '#src/errors/documentation.ts';
import { OperatorError, type ErrorCode, type ErrorDetail } from '#src/errors.ts';

interface Meaning {
  readonly code: ErrorCode;
  /** What happened, without a period: the name of the errno follows. */
  readonly sentence: string;
  readonly hint?: string;
}

const DENIED: Meaning = {
  code: 'AUTH_DENIED',
  sentence: 'The file system denies access',
  hint: `Grant the operator the rights that it needs there: ${documentation('directory.md')}.`,
};
const READ_ONLY: Meaning = {
  code: 'AUTH_DENIED',
  sentence: 'The file system is mounted read-only',
  hint: 'Mount it writable.',
};
const TAKEN: Meaning = { code: 'ALREADY_EXISTS', sentence: 'The name is taken' };
const BAD_NAME: Meaning = { code: 'DOCUMENT_REFUSED', sentence: 'The file system does not allow this name' };
const UNMOUNTED: Meaning = {
  code: 'BACKEND_UNREACHABLE',
  sentence: 'The file system was unmounted',
  hint: 'Check the volume and its mount.',
};
const SILENT: Meaning = {
  code: 'BACKEND_UNREACHABLE',
  sentence: 'The server of the file system does not answer',
  hint: 'Check that server and the network path to it.',
};
const NO_LINKS: Meaning = {
  code: 'CAPABILITY_MISSING',
  sentence: 'The file system has no hard links',
  hint: 'Use a file system with hard links.',
};
const FAILED: Meaning = {
  code: 'SERVER_ERROR',
  sentence: 'The file system failed',
  hint: 'Read the kernel log of the node at this time.',
};

/** What an errno means for a document. */
const MEANINGS: ReadonlyMap<string, Meaning> = new Map([
  ['EACCES', DENIED],
  ['EPERM', DENIED],
  ['EROFS', READ_ONLY],
  ['EEXIST', TAKEN],
  ['ENOTEMPTY', TAKEN],
  ['ENOTDIR', TAKEN],
  ['EISDIR', TAKEN],
  ['ELOOP', { code: 'DOCUMENT_REFUSED', sentence: 'A symbolic link is not allowed here' }],
  ['ENXIO', { code: 'DOCUMENT_REFUSED', sentence: 'It is a socket or a device' }],
  ['ENAMETOOLONG', { code: 'DOCUMENT_REFUSED', sentence: 'The name is too long for the file system' }],
  ['EILSEQ', BAD_NAME],
  ['EINVAL', BAD_NAME],
  ['EFBIG', { code: 'DOCUMENT_REFUSED', sentence: 'The file is too large for the file system' }],
  ['ENOSPC', { ...FAILED, sentence: 'The file system is full', hint: 'Free space on it.' }],
  ['EDQUOT', { ...FAILED, sentence: 'The quota of the file system is used up', hint: 'Raise the quota.' }],
  ['EIO', { ...FAILED, sentence: 'The disk failed' }],
  ['ESTALE', UNMOUNTED],
  ['ENOTCONN', UNMOUNTED],
  ['EHOSTDOWN', SILENT],
  ['ETIMEDOUT', SILENT],
  ['ENOTSUP', NO_LINKS],
  ['EOPNOTSUPP', NO_LINKS],
  ['ENOSYS', NO_LINKS],
]);

/** Name of the errno that a call of node:fs failed with. */
export function errnoOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('syscall' in thrown) || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}

/** True if the call failed with one of these errnos. */
export function failedWith(thrown: unknown, ...errnos: readonly string[]): boolean {
  const errno = errnoOf(thrown);
  return errno !== undefined && errnos.includes(errno);
}

/** A failure of the file system as an OperatorError; returns any other failure unchanged. */
export function failureOf(thrown: unknown, about: Omit<ErrorDetail, 'detail' | 'hint' | 'cause'>): unknown {
  const errno = errnoOf(thrown);
  if (errno === undefined) return thrown;
  const { code, sentence, hint } = MEANINGS.get(errno) ?? FAILED;
  const advice = hint === undefined ? {} : { hint };
  return new OperatorError(code, { ...about, detail: `${sentence} (${errno}).`, ...advice });
}
