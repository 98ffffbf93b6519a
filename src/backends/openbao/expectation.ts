import type { Address, Expectation, Version } from '#src/core/document.ts';
import { sameVersion } from '#src/core/document.ts';
import { OperatorError } from '#src/errors.ts';
import type { KvMetadata, PathMetadata } from './kv-metadata.ts';

/** True if this version exists. Its creation time is compared too: the number starts again when a path is removed. */
export function hasVersion({ versions }: PathMetadata, version: Version): boolean {
  return versions.some(({ number, createdTime: identity }) =>
    sameVersion({ identity, revision: String(number) }, version),
  );
}

/** Throws the error of `conflict` if the path has another version than expected. */
export function requireExpected(found: KvMetadata, expect: Expectation, address: Address): void {
  if (!isExpected(found, expect)) throw conflict(expect, address);
}

function isExpected(found: KvMetadata, expect: Expectation): boolean {
  if (found.state === 'absent') return expect === 'absent';
  if (expect === 'absent') return found.currentVersion === 0;
  return String(found.currentVersion) === expect.revision && hasVersion(found, expect);
}

/** The error for a path that has another version than the write expects. */
export function conflict(expect: Expectation, address: Address): OperatorError {
  const code = expect === 'absent' ? 'ALREADY_EXISTS' : 'VERSION_CONFLICT';
  return new OperatorError(code, { op: 'openbao.write', target: address });
}
