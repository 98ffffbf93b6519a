import type { Address, Document } from '#src/core/document.ts';
import type { SecretValue } from '#src/core/secret-value.ts';
import { quoted } from '#src/errors/explain.ts';
import { jsonOrUndefined } from '#src/json/parse.ts';
import { jsonRefusalOf } from '../bytes-only.ts';
import type { Refusal } from '../refusal.ts';
import { annotationRefusalOf } from './annotations.ts';
import { labelRefusalOf } from './labels.ts';

/*
 * What the API server refuses, and what Keyferry refuses to create, checked without a request. The limits are those of
 * k8s.io/kubernetes pkg/apis/core/validation (ValidateSecret) and apimachinery validation (IsDNS1123Subdomain,
 * IsConfigMapKey).
 */

export const MAX_NAME_LENGTH = 253;
const MAX_KEY_LENGTH = 253;
/** MaxSecretSize: the sum of the values, not of the names. */
const MAX_DATA_BYTES = 1_048_576;

const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const KEY = /^[-._a-zA-Z0-9]+$/;

/**
 * Types that grant access or belong to a controller: a copy of a service account token is an identity, a bootstrap
 * token gives access to the cluster, a Helm release is state that Helm owns.
 */
export const REFUSED_TYPES = [
  'kubernetes.io/service-account-token',
  'bootstrap.kubernetes.io/token',
  'helm.sh/release.v1',
] as const;

export function isRefusedType(type: string | undefined): boolean {
  return REFUSED_TYPES.some((refused) => refused === type);
}

const REQUIRED_KEYS: ReadonlyMap<string, readonly string[]> = new Map([
  ['kubernetes.io/tls', ['tls.crt', 'tls.key']],
  ['kubernetes.io/dockerconfigjson', ['.dockerconfigjson']],
  ['kubernetes.io/dockercfg', ['.dockercfg']],
  ['kubernetes.io/ssh-auth', ['ssh-privatekey']],
]);

interface Content {
  /** For a message. */
  readonly needs: string;
  isMet(fields: Document['fields']): boolean;
}

/** What the API server asks of the values of a type, besides the keys. */
const CONTENT: ReadonlyMap<string, Content> = new Map<string, Content>([
  ['kubernetes.io/dockerconfigjson', jsonIn('.dockerconfigjson')],
  ['kubernetes.io/dockercfg', jsonIn('.dockercfg')],
  [
    'kubernetes.io/basic-auth',
    {
      needs: 'the key username or password',
      isMet: (fields) => fields.has('username') || fields.has('password'),
    },
  ],
  [
    'kubernetes.io/ssh-auth',
    {
      needs: 'a value in the key ssh-privatekey',
      isMet: (fields) => fields.get('ssh-privatekey')?.byteLength !== 0,
    },
  ],
]);

function jsonIn(key: string): Content {
  return { needs: `a JSON object in the key ${key}`, isMet: (fields) => isJsonObject(fields.get(key)) };
}

/** Suffix of the name of a backup: 13 characters. */
export const BACKUP_SUFFIX = '.migrated-bak';

/** In the name of the kept copy of a Secret, before the version of the original. */
export const COPY_INFIX = '.keyferry-bak-';
const COPY_NAME = /\.keyferry-bak-[0-9a-z]+$/;

/** True for the name of a backup: of a source that was moved, or a kept copy. */
export function isBackupName(name: string): boolean {
  return name.endsWith(BACKUP_SUFFIX) || isCopyName(name);
}

export function isCopyName(name: string): boolean {
  return COPY_NAME.test(name);
}

/** Refuses backups too: a migration must never read one. */
export function nameRefusalOf(address: Address): Refusal | undefined {
  if (!isBackupName(address)) return fullNameRefusalOf(address);
  const ending = isCopyName(address) ? `${COPY_INFIX}<version>` : BACKUP_SUFFIX;
  return {
    reason: 'NameRefused',
    message: `Names that end in ${ending} are reserved for backups. To restore one, copy it to another name.`,
  };
}

/** The same for any name, including that of a backup. */
export function fullNameRefusalOf(address: Address): Refusal | undefined {
  if (address.length <= MAX_NAME_LENGTH && NAME.test(address)) return undefined;
  return {
    reason: 'NameRefused',
    message:
      'The name of a Secret must be at most 253 lower-case letters, digits, "-" and ".", and start and end with a letter or digit.',
  };
}

export function documentRefusalOf(document: Document): Refusal | undefined {
  return (
    nameRefusalOf(document.address) ??
    typeRefusalOf(document) ??
    keyRefusalOf(document) ??
    jsonRefusalOf(document, 'a Secret') ??
    labelRefusalOf(document.attributes.metadata) ??
    annotationRefusalOf(document.attributes.annotations) ??
    expiryRefusalOf(document) ??
    sizeRefusalOf(document) ??
    contentRefusalOf(document)
  );
}

function expiryRefusalOf({ attributes }: Document): Refusal | undefined {
  if (attributes.expiresAt === undefined) return undefined;
  return {
    reason: 'ExpiryRefused',
    message: 'The source expires, and a Secret cannot expire. Exclude the document.',
  };
}

export function typeRefusalOf(document: Document): Refusal | undefined {
  // The API server accepts any text as a type (tested). A space around it must not make it another one.
  const type = document.attributes.type?.trim();
  if (type === undefined) return undefined;
  if (isRefusedType(type)) {
    return { reason: 'TypeRefused', message: `Keyferry never creates a Secret of type ${type}.` };
  }
  const missing = REQUIRED_KEYS.get(type)?.filter((key) => !document.fields.has(key)) ?? [];
  if (missing.length === 0) return undefined;
  return {
    reason: 'TypeRefused',
    message: `A Secret of type ${type} needs the key ${missing.join(' and ')}.`,
  };
}

/** After the size, because it parses a value. */
function contentRefusalOf({ attributes, fields }: Document): Refusal | undefined {
  const type = attributes.type?.trim() ?? '';
  const content = CONTENT.get(type);
  if (content === undefined || content.isMet(fields)) return undefined;
  return { reason: 'TypeRefused', message: `A Secret of type ${type} needs ${content.needs}.` };
}

/** As Go reads a map from JSON: null is an empty one. */
function isJsonObject(value: SecretValue | undefined): boolean {
  const parsed = jsonOrUndefined(value?.reveal().toString('utf8') ?? '');
  return typeof parsed === 'object' && !Array.isArray(parsed);
}

function keyRefusalOf(document: Document): Refusal | undefined {
  for (const key of document.fields.keys()) {
    if (key.length <= MAX_KEY_LENGTH && KEY.test(key) && key !== '.' && !key.startsWith('..')) continue;
    return {
      reason: 'KeyRefused',
      message: `The key ${quoted(key)} must be at most 253 letters, digits, "-", "_" and ".", and neither be "." nor start with "..". Rename it in spec.mapping.keys.`,
    };
  }
  return undefined;
}

function sizeRefusalOf(document: Document): Refusal | undefined {
  let total = 0;
  for (const value of document.fields.values()) total += value.byteLength;
  if (total <= MAX_DATA_BYTES) return undefined;
  return {
    reason: 'TooLarge',
    message: `The values of a Secret exceed ${MAX_DATA_BYTES} bytes in total.`,
  };
}
