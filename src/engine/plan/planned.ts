import { MAX_ROW_IDENTITY, MAX_ROW_PATH, MAX_ROW_VERSION } from '#src/api/v1alpha1/status-row.ts';
import { boundedText } from '#src/core/bounded-text.ts';
import type { Version } from '#src/core/document.ts';
import {
  recordedVersion,
  type Planned,
  type PlannedAction,
  type RecordedVersion,
} from '#src/core/outcome.ts';
import type { PlannedStep, TransferStep } from './plan.ts';

/** The word of a row for each kind of step. */
export const ACTIONS = { create: 'Create', adopt: 'Adopt', overwrite: 'Overwrite' } as const satisfies Record<
  TransferStep['kind'],
  PlannedAction
>;

/** What the row of a planned step says of the plan, cut as rows are. */
export function plannedOf(step: PlannedStep): Planned {
  if (step.kind === 'report') {
    const { destination, reason } = step.outcome;
    const path = destination === undefined ? {} : { path: plannedPath(destination.path) };
    return { action: 'Keep', ...path, ...(reason === undefined ? {} : { reason }) };
  }
  const { destination, removal, row, source } = step;
  return {
    action: ACTIONS[step.kind],
    path: plannedPath(destination.address),
    source: plannedVersion(source.version),
    ...(destination.version === undefined ? {} : { destination: plannedVersion(destination.version) }),
    ...(removal === undefined ? {} : { removal: removal.policy }),
    ...(removal?.held === undefined ? {} : { held: removal.held.reason }),
    ...(row.reason === 'MetadataLost' ? { losesMetadata: true } : {}),
  };
}

export function plannedPath(path: string): string {
  return boundedText(path, MAX_ROW_PATH);
}

export function plannedVersion(version: Version): RecordedVersion {
  const { identity, version: revision } = recordedVersion(version);
  return {
    ...(revision === undefined ? {} : { version: boundedText(revision, MAX_ROW_VERSION) }),
    ...(identity === undefined ? {} : { identity: boundedText(identity, MAX_ROW_IDENTITY) }),
  };
}
