import {
  MAX_ROW_IDENTITY,
  MAX_ROW_KEY,
  MAX_ROW_MESSAGE,
  MAX_ROW_NAME,
  MAX_ROW_PATH,
  MAX_ROW_RULE,
  MAX_ROW_VERSION,
} from '#src/api/v1alpha1/status-row.ts';
import { boundedText, isCut } from '#src/core/bounded-text.ts';
import type { DestinationRecord, Outcome, RecordedVersion, SourceRecord, Base } from '#src/core/outcome.ts';

import { shortened } from '#src/errors/explain.ts';

/** The name by which the table knows a document. */
export function recordedName(name: string): string {
  return boundedText(name, MAX_ROW_NAME);
}

/**
 * The outcome as rows can hold it, whatever a store or server sends: each text has at most the length in the schema of a row
 * and is Unicode. The message says what was cut. To be called once: a text that was cut is not cut again.
 */
export function recordable(outcome: Outcome): Outcome {
  const { base, destination, source, rule, backup } = outcome;
  const bounded: Outcome = {
    ...outcome,
    name: recordedName(outcome.name),
    keys: boundedKeys(outcome.keys),
    ...(outcome.newKeys === undefined ? {} : { newKeys: boundedKeys(outcome.newKeys) }),
    ...(destination === undefined ? {} : { destination: boundedDestination(destination) }),
    ...(source === undefined ? {} : { source: boundedSource(source) }),
    ...(base === undefined ? {} : { base: boundedBase(base) }),
    ...(rule === undefined ? {} : { rule: boundedText(rule, MAX_ROW_RULE) }),
    ...(backup === undefined ? {} : { backup: boundedText(backup, MAX_ROW_PATH) }),
  };
  const message = messageOf(outcome.message, cutParts(bounded));
  return message === undefined ? bounded : { ...bounded, message };
}

/** True when a row has the whole name and paths of the document, so that a later run can look for it there. */
export function isFindable({ name, source, destination }: Outcome): boolean {
  return ![name, source?.path ?? '', destination?.path ?? ''].some(isCut);
}

function boundedKeys(keys: readonly string[]): readonly string[] {
  return keys.map((key) => boundedText(key, MAX_ROW_KEY));
}

function boundedVersion({ version, identity }: RecordedVersion): RecordedVersion {
  return {
    ...(version === undefined ? {} : { version: boundedText(version, MAX_ROW_VERSION) }),
    ...(identity === undefined ? {} : { identity: boundedText(identity, MAX_ROW_IDENTITY) }),
  };
}

function boundedBase({ source, destination }: Base): Base {
  return {
    ...(source === undefined ? {} : { source: boundedVersion(source) }),
    ...(destination === undefined ? {} : { destination: boundedVersion(destination) }),
  };
}

function boundedSource(source: SourceRecord): SourceRecord {
  const { path } = source;
  return {
    ...(path === undefined ? {} : { path: boundedText(path, MAX_ROW_PATH) }),
    ...boundedVersion(source),
  };
}

function boundedDestination(destination: DestinationRecord): DestinationRecord {
  const { path, priorVersion, created, originalVersion } = destination;
  return {
    path: boundedText(path, MAX_ROW_PATH),
    ...boundedVersion(destination),
    ...(priorVersion === undefined ? {} : { priorVersion: boundedText(priorVersion, MAX_ROW_VERSION) }),
    ...(created === undefined ? {} : { created }),
    ...(originalVersion === undefined
      ? {}
      : { originalVersion: boundedText(originalVersion, MAX_ROW_VERSION) }),
  };
}

function cutParts(bounded: Outcome): readonly string[] {
  const { name, keys, newKeys = [], destination, source, rule, backup } = bounded;
  const parts: Readonly<Record<string, readonly (string | undefined)[]>> = {
    'the name': [name],
    'the name of a key': [...keys, ...newKeys],
    'a path': [destination?.path, source?.path, backup],
    'a version': versionsIn(bounded),
    'the rule': [rule],
  };
  return Object.keys(parts).filter((part) => parts[part]?.some((text) => text !== undefined && isCut(text)));
}

function versionsIn({ base, destination, source }: Outcome): readonly (string | undefined)[] {
  const proven = [destination, source, base?.source, base?.destination];
  return [
    ...proven.flatMap((each) => [each?.version, each?.identity]),
    destination?.priorVersion,
    destination?.originalVersion,
  ];
}

function messageOf(message: string | undefined, cut: readonly string[]): string | undefined {
  const text = message?.toWellFormed();
  if (cut.length === 0) return text === undefined ? undefined : shortened(text, MAX_ROW_MESSAGE);
  const note = `Cut or escaped to fit this row: ${cut.join(', ')}.`;
  if (text === undefined) return note;
  return `${shortened(text, MAX_ROW_MESSAGE - Buffer.byteLength(note) - 1)} ${note}`;
}
