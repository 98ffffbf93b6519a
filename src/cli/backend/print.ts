import { escapedJson } from '#src/errors/printable.ts';
import { isJsonObject } from '#src/kube/json.ts';
import type { Output } from '../output.ts';

/** As `kubectl get -o yaml` and `-o json`: without managedFields, which nobody reads. */
export async function printObject(output: Output, object: object, format: 'yaml' | 'json'): Promise<void> {
  const shown = withoutManagedFields(object);
  if (format === 'json') {
    for (const line of JSON.stringify(shown, undefined, 4).split('\n')) output.line(escapedJson(line));
    return;
  }
  const { dump } = await import('js-yaml');
  output.line(dump(shown, { lineWidth: -1, noRefs: true }).trimEnd());
}

function withoutManagedFields(object: object): object {
  const metadata: unknown = 'metadata' in object ? object.metadata : undefined;
  if (!isJsonObject(metadata)) return object;
  const { managedFields: _, ...kept } = metadata;
  return { ...object, metadata: kept };
}
