import { documentation } from './documentation.ts';
import { code, NEVER, type CodeInfo } from './code-info.ts';

/**
 * The table of error codes: what each means for retries, for status and for people. docs/reasons.md is generated
 * from it.
 */

export const ERROR_CODES = {
  // For one document only: a reconcile reads its own objects again before it sets a condition.
  VERSION_CONFLICT: code(
    'conflict',
    { condition: NEVER, row: 'DestinationChanged' },
    'The object changed since it was read.',
    'No action needed; Keyferry reads it and decides again.',
  ),
  ALREADY_EXISTS: code(
    'conflict',
    { condition: NEVER, row: 'DestinationChanged' },
    'The object already exists.',
    'No action needed; Keyferry reads it and compares.',
  ),
  NOT_FOUND: code(
    'waiting',
    { condition: NEVER, row: 'DestinationChanged' },
    'The object does not exist.',
    'Create it, or correct the reference to it.',
  ),
  WATCH_EXPIRED: code(
    'transient',
    NEVER,
    'The watch or list position is too old.',
    'No action needed; Keyferry lists again.',
  ),
  RATE_LIMITED: code(
    'transient',
    'RateLimited',
    'The server asked to slow down.',
    'No action needed; the run goes on. Raise the quota of the server to make it faster.',
  ),
  DEADLINE: code(
    'transient',
    'Timeout',
    'The server did not answer in time.',
    'Check the load of the server and the network path to it.',
  ),
  BACKEND_UNREACHABLE: code(
    'transient',
    'BackendUnavailable',
    'The server cannot be reached.',
    'Check address, DNS, network policy and that the server runs.',
  ),
  ADDRESS_FORBIDDEN: code(
    'waiting',
    'AddressForbidden',
    'The operator does not connect to this address: loopback, link-local, metadata and API server addresses are refused.',
    'Use another address, or ask an administrator to allow it with --allow-connect-to.',
  ),
  TLS_FAILED: code(
    'transient',
    'TLSFailed',
    'The TLS handshake with the server failed.',
    'Check caBundle or caSecretRef, tlsServerName and the server certificate.',
  ),
  BACKEND_SEALED: code(
    'transient',
    'BackendSealed',
    'The server is sealed or has no active node.',
    'Unseal the server.',
  ),
  SERVER_ERROR: code(
    'transient',
    'ServerError',
    'The server failed to handle the request.',
    'Read the log of the server at this time.',
  ),
  REPLY_INVALID: code(
    'transient',
    'ReplyInvalid',
    'The reply is not what this API returns.',
    'Check that the address is that of the API itself, not of a proxy or a login page.',
  ),
  REPLY_TOO_LARGE: code(
    'waiting',
    'ReplyTooLarge',
    'The reply is larger than a reply of this kind can be.',
    'Check that the address is that of the API itself, and how much is stored there.',
  ),
  AUTH_DENIED: code(
    'waiting',
    'PermissionDenied',
    'The server refused the credentials or the permission.',
    'Grant the permission, or renew the credentials.',
  ),
  ADMISSION_DENIED: code(
    'waiting',
    'AdmissionDenied',
    'An admission control of the cluster refused the object.',
    'Change the object or the rule; it is tried again.',
  ),
  CREDENTIALS_MISSING: code(
    'waiting',
    'CredentialsMissing',
    'The credentials of the backend are missing or incomplete.',
    'Create the Secret that the backend refers to, with the key that it names.',
  ),
  CREDENTIALS_FORBIDDEN: code(
    'waiting',
    'CredentialsForbidden',
    'The backend may not use these credentials.',
    'Name other credentials in the backend, or ask an administrator.',
  ),
  BACKEND_NOT_FOUND: code(
    'waiting',
    { condition: 'BackendNotFound', row: NEVER },
    'The backend does not exist.',
    'Create it (a SecretBackend in the namespace of the migration), or delete the migration.',
  ),
  BACKEND_NOT_READY: code(
    'waiting',
    'BackendNotReady',
    'The backend is not Ready.',
    'Its conditions say why; the migration goes on by itself once it is Ready.',
  ),
  BACKEND_IDENTITY_CHANGED: code(
    'waiting',
    { condition: 'BackendIdentityChanged', row: NEVER },
    'The backend leads to another store than before: it was replaced, restored or made again.',
    'If that is intended, set the annotation keyferry.io/acknowledge-identity of the backend to the new identity.',
  ),
  BACKEND_FORBIDDEN: code(
    'waiting',
    { condition: 'BackendForbidden', row: NEVER },
    'This namespace may not use the backend.',
    'Ask an administrator to add it to spec.allowedNamespaces of the ClusterSecretBackend, or use another backend.',
  ),
  DEFAULT_MISSING: code(
    'waiting',
    { condition: 'DefaultMissing', row: NEVER },
    'The migration names no backend, and there is no default backend.',
    'Set backendRef in a new SecretMigration, or annotate a ClusterSecretBackend with keyferry.io/is-default-backend: "true".',
  ),
  DEFAULT_CONFLICT: code(
    'waiting',
    { condition: 'DefaultConflict', row: NEVER },
    'The backend cannot be the default.',
    'Remove the annotation keyferry.io/is-default-backend from it, or from the backend that is the default now.',
  ),
  DEFAULT_CHANGED: code(
    'waiting',
    { condition: 'DefaultChanged', row: NEVER },
    'The default backend changed since the migration started.',
    'Restore the earlier default, or create a new SecretMigration that names its backends.',
  ),
  NAME_RESERVED: code(
    'waiting',
    'ReservedName',
    'The name is reserved.',
    'Use another name in spec.select or spec.mapping, or ask the owner of spec.reservedPrefixes of the backend.',
  ),
  REPORT_TAKEN: code(
    'waiting',
    { condition: 'ReportsIncomplete', row: NEVER },
    'A report has the name that this migration needs, and is not its own.',
    'Delete the named SecretMigrationReport; Keyferry never overwrites it.',
  ),
  PARALLELISM_OFF: code(
    'waiting',
    { condition: 'FlagMissing', row: NEVER },
    'The operator cannot make the Job that spec.parallelism needs.',
    'Ask an administrator to set --worker-template, or create the migration without parallelism.',
  ),
  RANGE_FAILED: code(
    'waiting',
    { condition: 'RangeFailed', row: NEVER },
    'The pods of a range ended without telling what became of its documents.',
    'Look at the pods of the named Job and their logs; another Job is made by itself.',
  ),
  MOUNT_MISSING: code(
    'waiting',
    'MountMissing',
    'There is no KV mount at this path.',
    'Enable it (secrets enable -path=<mount> kv-v2) or correct spec.openbao.mount.',
  ),
  NAMESPACE_LEAVING: code(
    'waiting',
    { condition: 'NamespaceLeaving', row: 'DestinationLeaving' },
    'The namespace of the destination is being deleted.',
    'Nothing is copied there, and no source is removed; use another namespace.',
  ),
  NAMESPACE_MISSING: code(
    'waiting',
    'MountMissing',
    'The server has no such namespace.',
    'Create it (namespace create <path>), or correct spec.openbao.namespace.',
  ),
  FOLDER_MISSING: code(
    'waiting',
    'FolderMissing',
    'The folder does not exist.',
    'Create it, mount the volume that holds it, or correct spec.directory.path or --directory-root.',
  ),
  FOLDER_EXPOSED: code(
    'waiting',
    'FolderExposed',
    'Every user of the machine can access the folder.',
    'Run: chmod o-rwx <folder>. Or set spec.directory.allowWorldReadable.',
  ),
  FLAG_MISSING: code(
    'waiting',
    { condition: 'FlagMissing', row: NEVER },
    'The operator runs without a flag that this backend needs.',
    'Ask an administrator to set the flag, or use another backend.',
  ),
  CAPABILITY_MISSING: code(
    'waiting',
    'CapabilityMissing',
    'The backend lacks a required capability.',
    'Change the settings of the backend, or use another backend.',
  ),
  SPEC_INVALID: code(
    'stalled',
    { condition: 'InvalidSpec', row: NEVER },
    'Invalid spec.',
    'Correct the named field.',
  ),
  IDENTITY_SHARED: code(
    'waiting',
    { condition: 'IdentityShared', row: NEVER },
    'Source and destination have the same identity at two addresses.',
    'One server: give both backends one address. A copied server: enable a new mount there.',
  ),
  ENDS_NESTED: code(
    'waiting',
    { condition: 'NestedEnds', row: NEVER },
    'Source and destination overlap: this migration would select its own copies.',
    'Exclude the destination in spec.select.exclude.prefixes, or use separate folders.',
  ),
  SELECTION_TOO_LARGE: code(
    'stalled',
    { condition: 'SelectionTooLarge', row: NEVER },
    'There is more than one migration can list.',
    `Use a narrower spec.select or spec.mapping.path, in several migrations: ${documentation('limits.md')}.`,
  ),
  REQUEST_REJECTED: code(
    'stalled',
    'Rejected',
    'The server rejected the request permanently.',
    'Correct the named field or document; the same request is not sent again.',
  ),
  // Without a document, the server refuses the request itself.
  DOCUMENT_REFUSED: code(
    'stalled',
    { condition: 'Rejected', row: 'NotRepresentable' },
    'The backend cannot store or read the document unchanged.',
    'Change the document at its source, or exclude it.',
  ),
  DOCUMENT_IMMUTABLE: code(
    'waiting',
    { condition: NEVER, row: 'SecretImmutable' },
    'The Secret is immutable, so its value cannot change.',
    'Set spec.sync.recreateImmutable, or delete the Secret: it is created again.',
  ),
  KEYS_COLLIDE: code(
    'waiting',
    { condition: NEVER, row: 'MappingCollision' },
    'The names of the keys do not fit spec.mapping.keys.',
    'Change spec.mapping.keys, or exclude the document.',
  ),
  DECODE_FAILED: code(
    'waiting',
    { condition: NEVER, row: 'DecodeFailed' },
    'A value does not have the encoding that spec.mapping.keys names.',
    'Correct the value, or the entry in spec.mapping.keys: base64 in one alphabet, with line ends and white space around it at most.',
  ),
  PARTS_REFUSED: code(
    'waiting',
    { condition: NEVER, row: 'PartsRefused' },
    'The documents of the folder cannot be joined.',
    'Correct the named part, or exclude the folder.',
  ),
  PARTS_COLLIDE: code(
    'waiting',
    { condition: NEVER, row: 'MappingCollision' },
    'Two values of the folder would have one key.',
    'Change spec.mapping.join.key, or exclude the folder.',
  ),
  PARTS_CHANGING: code(
    'conflict',
    { condition: NEVER, row: 'SourceChanged' },
    'Documents of the folder changed while they were read.',
    'No action needed; all of them are read again.',
  ),
  EXPIRED: code(
    'stalled',
    { condition: NEVER, row: 'Expired' },
    'The value expired and was not copied.',
    'No action needed; create a new value at the source if it is still used.',
  ),
  // The condition names the kind of alarm, the row what was found; other rows (DestinationLost) raise the same alarm.
  VERIFY_MISMATCH: code(
    'integrity',
    { condition: 'IntegrityViolated', row: 'VerifyMismatch' },
    'The value read back differs from the value written.',
    'Check what is between Keyferry and the server; the source is unchanged.',
  ),
  ENCODING_CORRUPT: code(
    'integrity',
    { condition: 'IntegrityViolated', row: 'EncodingCorrupt' },
    'A stored value does not have the encoding that its marker names.',
    'Restore the keyferry-* custom metadata or the value; nothing was changed.',
  ),
  LEASE_LOST: code(
    'transient',
    NEVER,
    'This replica is no longer the leader.',
    'No action needed; another replica continues.',
  ),
  // The reason of a signal; the run that follows at once says what counts now.
  RUN_STOPPED: code(
    'conflict',
    NEVER,
    'The run was stopped.',
    'No action needed; another run follows at once.',
  ),
  PROOF_TOO_OLD: code(
    'conflict',
    { condition: NEVER, row: 'ProofTooOld' },
    'The copy was proven too long before the removal; the source is kept.',
    'No action needed; it is proven again. If this repeats, check how fast both servers reply.',
  ),
  AUDIT_LOG_BLOCKED: code(
    'waiting',
    'AuditLogBlocked',
    'The audit log cannot be written.',
    'Free disk space or correct the file; work resumes automatically and no record is lost.',
  ),
  CONFIG_INVALID: code('stalled', NEVER, 'Invalid flags or environment variables.', 'Run keyferry --help.'),
  INVARIANT: code('bug', 'InternalError', 'Internal error.', 'Report it with the log line.'),
} as const satisfies Readonly<Record<string, CodeInfo>>;
