import { documentation } from '#src/errors/documentation.ts';
import { shortened } from '#src/errors/explain.ts';
import { OperatorError, type ErrorCode } from '#src/errors.ts';
import type { FailedOperation } from '#src/io/network-failure.ts';
import { cappedRetryAfterMs } from '#src/io/retry-delay.ts';
import { isJsonObject, type JsonObject } from './json.ts';
import { refusalIn, type Refusal } from './refusal.ts';

/** A reply that reports a failure. */
export interface FailedReply {
  readonly httpStatus: number;
  /** The parsed body, if it was JSON. Only fields with closed vocabularies are read from it. */
  readonly body: unknown;
  readonly retryAfterMs?: number | undefined;
}

/**
 * metav1.StatusReason → code. The reason decides, not the HTTP status: 409 is both Conflict and AlreadyExists
 * (k8s.io/apimachinery/pkg/apis/meta/v1/types.go).
 */
const CODE_BY_REASON: Readonly<Record<string, ErrorCode>> = {
  Unauthorized: 'AUTH_DENIED',
  Forbidden: 'AUTH_DENIED',
  NotFound: 'NOT_FOUND',
  AlreadyExists: 'ALREADY_EXISTS',
  Conflict: 'VERSION_CONFLICT',
  Gone: 'WATCH_EXPIRED',
  Expired: 'WATCH_EXPIRED',
  Invalid: 'REQUEST_REJECTED',
  BadRequest: 'REQUEST_REJECTED',
  MethodNotAllowed: 'REQUEST_REJECTED',
  NotAcceptable: 'REQUEST_REJECTED',
  UnsupportedMediaType: 'REQUEST_REJECTED',
  RequestEntityTooLarge: 'DOCUMENT_REFUSED',
  TooManyRequests: 'RATE_LIMITED',
};

/**
 * For replies without a Status. 404, 409 and 410 are missing deliberately: they are facts about an object, and a proxy, a
 * load balancer or a path that is not served ("404 page not found") is not a reliable source for them.
 */
const CODE_BY_HTTP_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'REQUEST_REJECTED',
  401: 'AUTH_DENIED',
  403: 'AUTH_DENIED',
  405: 'REQUEST_REJECTED',
  406: 'REQUEST_REJECTED',
  413: 'DOCUMENT_REFUSED',
  415: 'REQUEST_REJECTED',
  422: 'REQUEST_REJECTED',
  429: 'RATE_LIMITED',
};

const CHECK_CREDENTIALS = `Check that its credentials are valid and its roles are bound: ${documentation('security/rbac.md')}.`;
const LEAVING = 'NamespaceTerminating';

/** The operation that failed. */
interface FailedRequest extends FailedOperation {
  /** See `KubeRequest`. */
  readonly holdsNoValue?: true;
}

/**
 * A failed reply (or the object of a watch ERROR event) as an OperatorError. Of the text of the body it uses what
 * `refusalIn` allows, and what is wrong with an object that has no value.
 */
export function problemOf(reply: FailedReply, operation: FailedRequest): OperatorError {
  const status = isStatus(reply.body) ? reply.body : undefined;
  const { code, ...meaning } =
    refusalOf(reply.httpStatus, status, operation) ?? meaningOf(reply.httpStatus, status, operation);
  const retryAfterMs = reply.retryAfterMs ?? retryAfterOf(status);
  return new OperatorError(code, {
    op: operation.op,
    target: operation.target,
    status: reply.httpStatus,
    ...meaning,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    indeterminate: operation.writes && (code === 'SERVER_ERROR' || code === 'REPLY_INVALID'),
  });
}

/** Nothing was applied. */
function refusalOf(
  httpStatus: number,
  status: JsonObject | undefined,
  { holdsNoValue }: FailedRequest,
): Refusal | undefined {
  const message = status?.['message'];
  if (httpStatus < 400 || httpStatus >= 500 || httpStatus === 401 || typeof message !== 'string')
    return undefined;
  return refusalIn(message, { holdsNoValue: holdsNoValue === true });
}

function meaningOf(
  httpStatus: number,
  status: JsonObject | undefined,
  { holdsNoValue }: FailedRequest,
): Pick<Refusal, 'code'> & Partial<Refusal> {
  const code = codeOf(httpStatus, status);
  const own = holdsNoValue === true && code === 'REQUEST_REJECTED' ? ownWords(status) : undefined;
  const detail = own ?? detailOf(code, status);
  return {
    code,
    ...(detail === undefined ? {} : { detail }),
    ...(code === 'AUTH_DENIED' ? { hint: CHECK_CREDENTIALS } : {}),
  };
}

function codeOf(httpStatus: number, status: JsonObject | undefined): ErrorCode {
  if (httpStatus >= 500) return 'SERVER_ERROR';
  const reason = status?.['reason'];
  if (reason === 'Forbidden' && reasonsIn(status).includes(LEAVING)) return 'NAMESPACE_LEAVING';
  const byReason = typeof reason === 'string' ? CODE_BY_REASON[reason] : undefined;
  // NotFound without a name is "the server could not find the requested resource": the kind is missing, not the object.
  if (byReason === 'NOT_FOUND' && !namesAnObject(status)) return 'REPLY_INVALID';
  return byReason ?? CODE_BY_HTTP_STATUS[httpStatus] ?? 'REPLY_INVALID';
}

function namesAnObject(status: JsonObject | undefined): boolean {
  const details = status?.['details'];
  return isJsonObject(details) && typeof details['name'] === 'string' && details['name'] !== '';
}

function detailOf(code: ErrorCode, status: JsonObject | undefined): string | undefined {
  if (code === 'REPLY_INVALID') {
    return 'This API server does not serve the path, or a proxy replied.';
  }
  const causes = causesOf(status).slice(0, 5);
  return causes.length === 0 ? undefined : `Fields: ${causes.join(', ')}.`;
}

/** Bytes of what the API server says of an object that it refuses. */
const MAX_OWN_WORDS = 1024;
/** What it puts before the message of a rule: the value is an object, so it names only that. */
const OBJECT_REFUSED = /^Invalid value: (?:"object": |\{.*\}: )?/;

/** `spec.select: set exactly one of names, prefix and all`, or the message that has no fields: of an unknown field. */
function ownWords(status: JsonObject | undefined): string | undefined {
  const causes = causesIn(status).flatMap(({ field, message }) => {
    if (typeof message !== 'string' || message === '') return [];
    const said = message.replace(OBJECT_REFUSED, '');
    return [typeof field === 'string' && field !== '' ? `${field}: ${said}` : said];
  });
  const message = status?.['message'];
  const said = causes.length > 0 ? [...new Set(causes)].join('; ') : message;
  return typeof said === 'string' && said !== ''
    ? `${shortened(said, MAX_OWN_WORDS)}.`.replace(/\.\.$/, '.')
    : undefined;
}

/** `spec.select (FieldValueRequired)`; without the messages, because they quote the refused value. */
function causesOf(status: JsonObject | undefined): string[] {
  return causesIn(status).flatMap(({ field, reason }) => {
    const where = typeof field === 'string' && /^[\x21-\x7e]{1,128}$/.test(field) ? field : undefined;
    const why = typeof reason === 'string' && /^[A-Za-z]{1,64}$/.test(reason) ? reason : undefined;
    if (where === undefined) return why === undefined ? [] : [why];
    return [why === undefined ? where : `${where} (${why})`];
  });
}

function causesIn(status: JsonObject | undefined): JsonObject[] {
  const details = status?.['details'];
  const causes = isJsonObject(details) ? details['causes'] : undefined;
  return Array.isArray(causes) ? causes.filter(isJsonObject) : [];
}

function reasonsIn(status: JsonObject | undefined): unknown[] {
  return causesIn(status).map(({ reason }) => reason);
}

function retryAfterOf(status: JsonObject | undefined): number | undefined {
  const details = status?.['details'];
  const seconds = isJsonObject(details) ? details['retryAfterSeconds'] : undefined;
  return typeof seconds === 'number' && seconds > 0 ? cappedRetryAfterMs(seconds * 1000) : undefined;
}

function isStatus(body: unknown): body is JsonObject {
  return isJsonObject(body) && body['kind'] === 'Status';
}
