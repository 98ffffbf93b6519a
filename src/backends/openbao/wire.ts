import { z } from 'zod';
import { OperatorError } from '#src/errors.ts';
import type { BaoReply, BaoRequest } from './client.ts';

/*
 * The replies that are read, as far as they are read. Only the structure is checked; members that hold values stay
 * `unknown`, so that no schema ever sees, copies or drops a field (a zod record would lose `__proto__`). Issues of a
 * failed check are thrown away: they may quote names.
 */

/** An object as JSON.parse makes it, untouched. */
const RawObject = z.custom<object>((value) => isRawObject(value));

function isRawObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** String → string, as a Map so that no key is special. */
const CustomMetadata = z
  .custom<Readonly<Record<string, string>>>((value) => isStringMap(value))
  .nullish()
  .transform((value): ReadonlyMap<string, string> => new Map(Object.entries(value ?? {})));

function isStringMap(value: unknown): boolean {
  return isRawObject(value) && Object.values(value).every((member) => typeof member === 'string');
}

const VersionMetadata = z.object({
  version: z.int().min(0),
  created_time: z.string().min(1),
  custom_metadata: CustomMetadata,
});

export const ReadReply = z.object({ data: z.object({ data: RawObject, metadata: VersionMetadata }) });
/** KV version 1: the plain fields. */
export const V1ReadReply = z.object({ data: RawObject });
export const DeletedReply = z.object({ data: z.object({ data: z.null(), metadata: VersionMetadata }) });
export const WriteReply = z.object({ data: VersionMetadata });
export const KeyMetadataReply = z.object({
  data: z.object({ current_version: z.int().min(0), custom_metadata: CustomMetadata }),
});
/** A server that warns about a parameter it does not know answers an absent folder with 200 and `data: {}`. */
export const ListReply = z.object({
  data: z.union([
    z.object({ keys: z.array(z.string().min(1)) }),
    z.strictObject({ keys: z.never().optional() }),
  ]),
});

export const HealthReply = z.object({
  version: z.string(),
  cluster_id: z.string().optional(),
  /** Vault has it, OpenBao has not. */
  performance_standby: z.boolean().optional(),
});
export const MountReply = z.object({
  data: z.object({
    type: z.string(),
    accessor: z.string().min(1),
    options: z.object({ version: z.string().optional() }).nullish(),
  }),
});
export const ConfigReply = z.object({
  data: z.object({ delete_version_after: z.string(), max_versions: z.int().min(0) }),
});
export const CapabilitiesReply = z.object({ data: RawObject });
export const CapabilityList = z.array(z.string());

/** A login or a renewal. */
export const AuthReply = z.object({
  auth: z.object({
    client_token: z.string().min(1),
    lease_duration: z.number().min(0),
    renewable: z.boolean(),
    num_uses: z.int().optional(),
  }),
});
export const LookupReply = z.object({
  data: z.object({
    ttl: z.number().min(0),
    /** Null when the token does not expire. */
    expire_time: z.string().nullish(),
    renewable: z.boolean().optional(),
    num_uses: z.int().optional(),
  }),
});

const ErrorsBody = z.object({ errors: z.array(z.string()) });
const WarningsBody = z.object({ data: z.null(), warnings: z.array(z.string()) });

/** `{"errors":[]}` and nothing else: the store's own "not there". */
export function isEmptyErrors(body: unknown): boolean {
  const parsed = ErrorsBody.strict().safeParse(body);
  return parsed.success && parsed.data.errors.length === 0;
}

/** The full envelope of a version without data. */
export function isDeletedEnvelope(body: unknown): boolean {
  return DeletedReply.safeParse(body).success;
}

/** Something that this API says (errors or warnings), rather than a page of a proxy. */
export function isEnvelope(body: unknown): boolean {
  return ErrorsBody.safeParse(body).success || WarningsBody.safeParse(body).success;
}

/** The body as `schema` has it, or `REPLY_INVALID`; a change whose reply is not understood is indeterminate. */
export function parseReply<T>(schema: z.ZodType<T>, reply: BaoReply, request: BaoRequest): T {
  const parsed = schema.safeParse(reply.body);
  if (parsed.success) return parsed.data;
  throw new OperatorError('REPLY_INVALID', {
    op: request.op,
    target: request.target,
    status: reply.status,
    indeterminate: request.mutates === true,
  });
}
