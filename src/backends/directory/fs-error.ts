import { z } from 'zod';
import { OperatorError, type ErrorCode } from '#src/errors.ts';

const SystemError = z.object({ code: z.string() });

/** `errno` names, and what they are to us; others are SERVER_ERROR. Their texts hold paths and are not passed on. */
const CODES: Readonly<Record<string, readonly [code: ErrorCode, detail: string]>> = {
  EACCES: ['AUTH_DENIED', 'The user of the operator may not use this file or folder.'],
  EPERM: ['AUTH_DENIED', 'The user of the operator may not change this file or folder.'],
  EROFS: ['AUTH_DENIED', 'The file system is mounted read-only.'],
  ENAMETOOLONG: ['DOCUMENT_REFUSED', 'The name is too long for the file system.'],
  ELOOP: ['DOCUMENT_REFUSED', 'It is a symbolic link that leads to itself.'],
  ENOTSUP: ['CAPABILITY_MISSING', 'The file system has no hard links.'],
  EOPNOTSUPP: ['CAPABILITY_MISSING', 'The file system has no hard links.'],
  ENOSPC: ['SERVER_ERROR', 'The file system is full.'],
  EDQUOT: ['SERVER_ERROR', 'The quota of the file system is used up.'],
};

/** True for a failure of the file system with one of these names. */
export function isErrno(thrown: unknown, ...names: readonly string[]): boolean {
  const parsed = SystemError.safeParse(thrown);
  return parsed.success && names.includes(parsed.data.code);
}

/** A failure of the file system as one of ours; ours, and aborts, as they are. */
export function fsError(
  thrown: unknown,
  what: { readonly op: string; readonly target: string; readonly indeterminate?: boolean },
): unknown {
  const parsed = SystemError.safeParse(thrown);
  if (thrown instanceof OperatorError || !parsed.success || !parsed.data.code.startsWith('E')) return thrown;
  const [code, detail] = CODES[parsed.data.code] ?? [
    'SERVER_ERROR',
    `The file system says ${parsed.data.code}.`,
  ];
  return new OperatorError(code, { ...what, detail });
}
