import type { Reader } from '#src/backends/driver.ts';
import { OperatorError } from '#src/errors.ts';
import type { PlanInputs } from './inputs.ts';

type Inputs = Pick<PlanInputs, 'destination' | 'intent' | 'source'>;

/**
 * Throws `SPEC_INVALID` when the mapping names a folder in which no document can be, such as one that ends in a space. The
 * schema does not know what the backends are. No I/O.
 */
export function requireFolders({ destination, intent: { route }, source }: Inputs): void {
  requireFolder(source, route.sourceFolder, 'spec.mapping.path');
  requireFolder(destination, route.destinationFolder ?? '', 'spec.mapping.path');
  requireFolder(source, route.fallback?.folder ?? '', 'spec.source.fallback.prefix');
}

function requireFolder(reader: Pick<Reader, 'addressRefusalOf'>, folder: string, target: string): void {
  if (folder === '') return;
  const refusal = reader.addressRefusalOf(folder);
  // A reserved folder is not the fault of the path.
  if (refusal?.reason !== 'PathRefused') return;
  throw new OperatorError('SPEC_INVALID', { op: 'engine.inventory', target, detail: refusal.message });
}
