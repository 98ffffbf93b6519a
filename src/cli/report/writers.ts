import { z } from 'zod';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { EvidenceHeader, EvidenceWriter } from './evidence.ts';

/*
 * Who wrote a migration, as far as metadata.managedFields tells: programs and times, never users.
 */

const FieldsSchema = z.record(z.string(), z.unknown());
const ManagedFieldsSchema = z
  .array(
    z.object({
      manager: z.string(),
      operation: z.string().catch(''),
      subresource: z.string().optional().catch(undefined),
      time: z.string().optional().catch(undefined),
      fieldsV1: FieldsSchema.catch({}),
    }),
  )
  .catch([]);
type Managed = z.infer<typeof ManagedFieldsSchema>[number];
const ManagedSchema = z.object({ metadata: z.object({ managedFields: ManagedFieldsSchema }) });

/** The programs that own fields of the object, the oldest write first. */
export function writersOf(object: unknown): readonly EvidenceWriter[] {
  const { managedFields } = ManagedSchema.parse(object).metadata;
  return managedFields
    .toSorted((left, right) => ((left.time ?? '') < (right.time ?? '') ? -1 : 1))
    .map(({ manager, operation, subresource, time, fieldsV1 }) => ({
      manager,
      operation,
      ...(subresource === undefined ? {} : { subresource }),
      ...(time === undefined ? {} : { time }),
      parts: partsOf(fieldsV1),
    }));
}

/** `spec`, `status`, `metadata`; the approval by itself. */
function partsOf(fields: Managed['fieldsV1']): string[] {
  const parts = Object.keys(fields).filter((name) => name.startsWith('f:'));
  const names = parts.map((name) => name.slice('f:'.length)).toSorted();
  return approves(fields) ? [...names, 'spec.approval.digest'] : names;
}

function approves(fields: Managed['fieldsV1']): boolean {
  return hasField(fieldsIn(fieldsIn(fields, 'spec'), 'approval'), 'digest');
}

function fieldsIn(fields: Managed['fieldsV1'], name: string): Managed['fieldsV1'] {
  const found = FieldsSchema.safeParse(fields[`f:${name}`]);
  return found.success ? found.data : {};
}

function hasField(fields: Managed['fieldsV1'], name: string): boolean {
  return Object.hasOwn(fields, `f:${name}`);
}

/** Which plan was approved, and by which program. */
export function approvalOf(
  { spec, status }: SecretMigration,
  writers: readonly EvidenceWriter[],
): EvidenceHeader['approval'] {
  const { required = false, digest } = spec.approval ?? {};
  const planDigest = status.plan?.digest;
  return {
    required,
    ...(digest === undefined ? {} : { approvedDigest: digest }),
    ...(planDigest === undefined ? {} : { planDigest }),
    ...(digest === undefined ? {} : approverIn(writers)),
  };
}

function approverIn(
  writers: readonly EvidenceWriter[],
): Pick<EvidenceHeader['approval'], 'manager' | 'time'> {
  const { manager, time } = writers.findLast(({ parts }) => parts.includes('spec.approval.digest')) ?? {};
  return {
    ...(manager === undefined ? {} : { manager }),
    ...(time === undefined ? {} : { time }),
  };
}
