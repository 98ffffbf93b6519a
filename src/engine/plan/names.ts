import { nameIsSelected } from '#src/core/selection.ts';
import type { PlanInputs } from './inputs.ts';
import type { NamedDocument } from './reserved-names.ts';
import { hadProof, isOfUnknownState } from './unlisted.ts';

/*
 * Lists documents by name. Reads no value.
 */

/** The documents that the spec names; their labels are unknown without a read. */
export function namesInSpec({
  intent: { selection, route },
}: Pick<PlanInputs, 'intent'>): readonly NamedDocument[] {
  const { scope } = selection;
  if (scope.by !== 'names') return [];
  return scope.names
    .filter((name) => nameIsSelected(selection, name))
    .map((name) => ({ name, source: route.sourceOf(name), labels: {} }));
}

/** Names in the spec that the listing lacks; documents that we removed are not missing. */
export function missingNames(
  inputs: Pick<PlanInputs, 'intent' | 'only' | 'prior'>,
  isListed: (name: string) => boolean,
): readonly string[] {
  const { selection } = inputs.intent;
  if (selection.scope.by !== 'names' || inputs.only !== undefined) return [];
  return selection.scope.names.filter((name) => {
    const prior = inputs.prior.get(name);
    const isAccountedFor = prior !== undefined && (hadProof(inputs, prior) || isOfUnknownState(prior));
    return nameIsSelected(selection, name) && !isListed(name) && !isAccountedFor;
  });
}
