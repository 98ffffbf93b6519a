import { z } from 'zod';
import { OperatorError } from '#src/errors.ts';
import type { BaoReply, BaoRequest } from './client.ts';

/*
 * The members of replies that Keyferry reads. The schemas check only the structure. Members with values stay `unknown`,
 * so that no schema reads, copies or drops a key (a zod record would lose `__proto__`). The issues of a failed check
 * are dropped: they can quote names.
 */

/** An object as JSON.parse returns it, unchanged. */
const RawObject = z.custom<object>((value) => isRawObject(value));

function isRawObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** String → string, as a Map, so that no name is special. */
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
  /** Empty for a version that stays. */
  deletion_time: z.string().default(''),
  custom_metadata: CustomMetadata,
});

export const ReadReply = z.object({ data: z.object({ data: RawObject, metadata: VersionMetadata }) });
/** KV version 1: the plain keys. */
export const V1ReadReply = z.object({ data: RawObject });
export const DeletedReply = z.object({ data: z.object({ data: z.null(), metadata: VersionMetadata }) });
export const WriteReply = z.object({ data: VersionMetadata });
/** One version in the metadata of a path. */
export const KeyInfoVersion = z.object({
  created_time: z.string().min(1),
  deletion_time: z.string().default(''),
  destroyed: z.boolean().default(false),
});
export const KeyMetadataReply = z.object({
  data: z.object({
    current_version: z.int().min(0),
    oldest_version: z.int().min(0).default(0),
    /** OpenBao 2.4 and later. */
    current_metadata_version: z.int().min(0).optional(),
    custom_metadata: CustomMetadata,
    delete_version_after: z.string().default('0s'),
    max_versions: z.int().min(0).default(0),
    versions: z.record(z.string().regex(/^[1-9][0-9]*$/), KeyInfoVersion).default({}),
  }),
});
/** A server that warns about an unknown parameter replies 200 and `data: {}` for an absent folder. */
export const ListReply = z.object({
  data: z.union([z.object({ keys: z.array(z.string()) }), z.strictObject({ keys: z.never().optional() })]),
});

/** What tells the current version in the metadata of a path. Other members and other versions are not looked at. */
export const KeyInfo = z.object({ current_version: z.int().min(0), versions: RawObject.default({}) });
/** OpenBao 2.2 and later. A folder in it has an empty object. */
export const DetailedListReply = z.object({
  data: z.union([
    z.object({ keys: z.array(z.string()), key_info: RawObject }),
    z.strictObject({ keys: z.never().optional(), key_info: z.never().optional() }),
  ]),
});

export const HealthReply = z.object({
  version: z.string(),
  cluster_id: z.string().optional(),
  /** Vault sends it, OpenBao does not. */
  performance_standby: z.boolean().optional(),
});
export const MountReply = z.object({
  data: z.object({
    type: z.string(),
    accessor: z.string().min(1),
    /** Of the mount that contains the requested path, with a slash at the end. */
    path: z.string().optional(),
    options: z.object({ version: z.string().optional() }).nullish(),
  }),
});
export const ConfigReply = z.object({
  data: z.object({
    delete_version_after: z.string(),
    max_versions: z.int().min(0),
    /** OpenBao 2.4 and later. */
    metadata_cas_required: z.boolean().optional(),
  }),
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

/** `{"errors":[]}` and nothing else: the "not found" of the store itself. */
export function isEmptyErrors(body: unknown): boolean {
  const parsed = ErrorsBody.strict().safeParse(body);
  return parsed.success && parsed.data.errors.length === 0;
}

/** The full envelope of a version without data. */
export function isDeletedEnvelope(body: unknown): boolean {
  return DeletedReply.safeParse(body).success;
}

/** True for a body of this API (errors or warnings), as opposed to a page of a proxy. */
export function isEnvelope(body: unknown): boolean {
  return ErrorsBody.safeParse(body).success || WarningsBody.safeParse(body).success;
}

/** Parses the body. Throws `REPLY_INVALID` if it does not match, indeterminate if the request is a change. */
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
