import { MAX_ROW_MESSAGE } from '#src/api/v1alpha1/status-row.ts';
import type { ListingProblem } from '#src/backends/listing.ts';
import type { Outcome, PriorRecord } from '#src/core/outcome.ts';
import { fitted, shownMessage, type Message } from '#src/errors/explain.ts';
import { OperatorError } from '#src/errors.ts';
import { failedOutcome } from '../failure.ts';
import { refusedOutcome } from './targets.ts';
import type { PlanInputs } from './inputs.ts';

/*
 * The rows of what the source could not list. One bad name or folder is one row; the listing and the run go on.
 */

/** The outcome of a name that no document can have, or of a folder whose names are unknown. */
export function problemOutcome(name: string, { address, problem }: ListingProblem): Outcome {
  const message = fitted(inFolder(address, messageFor(address, problem)), MAX_ROW_MESSAGE);
  const outcome =
    problem instanceof OperatorError
      ? failedOutcome({ name, keys: [] }, problem)
      : refusedOutcome(name, { reason: problem.reason, message });
  // The source can heal without an edit of the migration.
  return { ...outcome, message, retry: outcome.retry === 'soon' ? 'soon' : 'later' };
}

function messageFor(where: string, problem: ListingProblem['problem']): Message {
  if (problem instanceof OperatorError) return { where, ...shownMessage(problem) };
  const hint = 'Rename it at the source, or exclude it in spec.select.exclude.';
  return { happened: problem.message, where, hint };
}

function inFolder(address: string, message: Message): Message {
  if (!address.endsWith('/')) return message;
  return { ...message, happened: `What is in this folder is unknown. ${message.happened}` };
}

/**
 * True for the row of a problem that an earlier run recorded: no document can have its address, so there is nothing to
 * read once the listing no longer shows it.
 */
export function isOfProblem(
  { intent, source }: Pick<PlanInputs, 'intent' | 'source'>,
  prior: PriorRecord,
): boolean {
  if (prior.keys.length > 0 || prior.destination?.version !== undefined) return false;
  const address = prior.source?.path ?? intent.route.sourceOf(prior.name);
  return source.addressRefusalOf(address) !== undefined;
}
