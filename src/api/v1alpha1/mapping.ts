import { z } from 'zod';
import { exactlyOne, matching, pathSegments, withRules } from '#src/schema/rules.ts';
import { JoinSchema, SplitSchema } from './shapes.ts';

/** Name of a document: of a Secret or a file, or the part of a path that matches {name}. */
export const DocumentNameSchema = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[^/]+(\/[^/]+)*$/, { error: 'must not start or end with a slash, or contain an empty segment' });

/** What happens to a source after its copy is verified. */
export const SourcePolicySchema = z.enum(['Keep', 'Delete', 'Backup', 'Project']);

/*
 * Names, prefixes and paths in the mapping have the characters that KV paths have (src/backends/openbao/path.ts): printable
 * ones except `\ % ? #`, and without the braces of placeholders. In RE2 and with the flag u the same: `\p{Z}` has the
 * space too, so it is an alternative.
 */
const CHARACTERS = 'printable characters except "\\", "%", "?", "#", "{" and "}"';

/** Literals, `{namespace}` and `{label:x}` around exactly one `{name}`. */
const PATH_TEMPLATE =
  /^([^\p{C}\p{Z}\\%?#{}]| |\{namespace\}|\{label:[A-Za-z0-9][A-Za-z0-9._/-]*\})*\{name\}([^\p{C}\p{Z}\\%?#{}]| |\{namespace\}|\{label:[A-Za-z0-9][A-Za-z0-9._/-]*\})*$/u;

const PATH_PROBLEM = `path must have exactly one {name}; other parts are {namespace} and {label:x}, between ${CHARACTERS}`;

const NAME_TEXT = /^([^\p{C}\p{Z}\\%?#{}]| )*$/u;
/** The same, with placeholders such as {id}. */
const NAME_PATTERN = /^([^\p{C}\p{Z}\\%?#{}]| |\{[a-z][a-z0-9_]*\})+$/u;

/** The syntax of the API server; names of custom metadata have at most 128 bytes. */
const LABEL_KEY = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

const nameText = () =>
  z
    .string()
    .max(253)
    .regex(NAME_TEXT, { error: `must be ${CHARACTERS}` });
/** Letters and digits can be part of what a placeholder matches. src/core/mapping/name-pattern.ts refuses the rest. */
const UNDIVIDED = /\}[A-Za-z0-9]*\{/;
const namePattern = () =>
  withRules(
    z
      .string()
      .min(1)
      .max(253)
      .regex(NAME_PATTERN, { error: `must be ${CHARACTERS}, and placeholders like {id}` }),
    {
      rule: `!self.matches(r'${UNDIVIDED.source}')`,
      message:
        'a name could be split in more than one way: put a separator such as ":" between two placeholders, not only letters and digits',
      holds: (self) => !UNDIVIDED.test(self),
    },
  );
const rulePolicy = () =>
  SourcePolicySchema.optional().describe(
    'What happens to the sources of this rule. Default: spec.sourcePolicy.',
  );

/** If a scope contained the separator, a name would not show where its scope ends. */
const SCOPE_PROBLEM = 'a scope requires mapping.scopes and must not contain mapping.scopes.separator';

const PrefixRuleSchema = withRules(
  z.object({
    from: nameText().min(1).describe('Prefix of the old names.'),
    to: nameText().optional().describe('Text that is put before the name.'),
    scope: nameText()
      .min(1)
      .optional()
      .describe(
        'Instead of to: the scope that is put before the name, in the form that scopes defines. It must not contain the separator.',
      ),
    stripPrefix: z
      .boolean()
      .default(false)
      .describe(
        'Whether the old prefix (from) is removed from the name first. If false, the whole old name is kept.',
      ),
    sourcePolicy: rulePolicy(),
  }),
  exactlyOne(['to', 'scope'], 'set exactly one of to and scope'),
);

/** The API server takes any text as a type. A space around it would make it another one. */
const secretType = () =>
  z
    .string()
    .min(1)
    .max(253)
    .regex(/^[!-~]+$/, { error: 'must be printable ASCII characters without spaces' })
    .optional();

const KeyRuleSchema = withRules(
  z.object({
    from: namePattern().describe('Name of the key at the source, or a pattern with placeholders.'),
    to: namePattern().optional().describe('Its name at the destination. Default: the key keeps its name.'),
    decode: z
      .enum(['base64'])
      .optional()
      .describe(
        'What the value is written in: its bytes are moved, not this text. base64: the standard or the URL-safe alphabet, padded or not, in lines, with white space around it; any other value fails with reason DecodeFailed. From paths to Secrets or files only.',
      ),
  }),
  {
    rule: 'has(self.to) || has(self.decode)',
    message: 'set to, decode, or both',
    holds: ({ to, decode }) => to !== undefined || decode !== undefined,
  },
);

export const MappingSchema = withRules(
  z.object({
    scopes: z
      .object({
        prefix: nameText().default('').describe('Prefix of every new name, for example "__thv_".'),
        separator: nameText().min(1).max(8).describe('Text between the scope and the name, for example "_".'),
      })
      .optional()
      .describe('Form of the names that rules with a scope make: prefix, scope, separator, old name.'),
    prefixes: z
      .array(PrefixRuleSchema.describe('One prefix of old names, and how to make the new names.'))
      .max(64)
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional()
      .describe('New names by the prefix of the old names. Ordered: the first match applies.'),
    patterns: z
      .array(
        z
          .object({
            from: namePattern().describe('Pattern of the old names, for example "session:{id}".'),
            to: namePattern().describe('Pattern of the new names, for example "session:{id}:okta".'),
            sourcePolicy: rulePolicy(),
          })
          .describe('One pattern of old names, and the pattern of the new names.'),
      )
      .max(64)
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional()
      .describe(
        'New names by the pattern of the old names; prefixes are tried first. A placeholder matches one or more characters, but not "/" and not a character that is next to a placeholder in the pattern. Letters and digits next to a placeholder do not count, so text between two placeholders needs a separator.',
      ),
    overrides: z
      .array(
        z
          .object({
            name: DocumentNameSchema.describe('Name of the document at the source.'),
            path: withRules(
              nameText().min(1).describe('Complete path at the destination; mapping.path does not apply.'),
              pathSegments(
                'path must not start or end with a slash, or contain an empty, "." or ".." segment',
              ),
            ),
            sourcePolicy: rulePolicy(),
            secretType: secretType().describe(
              'Type of this document as a Secret. Default: mapping.secretType.',
            ),
          })
          .describe('One document and its destination.'),
      )
      .max(256)
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
      .optional()
      .describe('Destinations of single documents. They take precedence over all other rules.'),
    segmentSeparator: z
      .string()
      .min(1)
      .max(8)
      .regex(/^[A-Za-z0-9_.=@:+~,-]+$/, { error: 'must be letters, digits and "_.=@:+~,-"' })
      .optional()
      .describe(
        'From paths to single names (Secrets or files) only: text that joins the segments of {name}, so that "db/replica" becomes "db-replica" with "-". Default: a name with several segments has no place at the destination and fails with reason NotMapped.',
      ),
    join: JoinSchema.optional(),
    split: SplitSchema.optional(),
    keys: z
      .array(KeyRuleSchema.describe('One key, or all keys that match one pattern.'))
      .max(64)
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional()
      .describe(
        'New names of keys, and what their values are written in. Ordered: the first match applies; other keys keep their names.',
      ),
    secretType: secretType().describe(
      'Towards Kubernetes, from paths or files only: type of the Secrets, for example kubernetes.io/dockerconfigjson. A document that came from a Secret with a type keeps that. A document without the keys that the type requires fails with reason TypeRefused. Default: Opaque.',
    ),
    labels: z
      .array(
        z
          .string()
          .min(1)
          .max(128)
          .regex(LABEL_KEY, { error: 'must be a label key: a name, optionally after a DNS name and "/"' })
          .describe('Key of a label.'),
      )
      .max(32)
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional()
      .describe(
        'Labels of a Secret that are copied to custom metadata of the same name, and back. Default: none. Between two backends of the same type, all labels or all custom metadata are copied.',
      ),
    metadataLoss: z
      .enum(['Refuse', 'Allow'])
      .optional()
      .describe(
        'What happens when the destination cannot hold labels or annotations that go along with a source, or an equal document there lacks them, or JSON would become text for good (jsonValues AsText). Labels and annotations go along when sourcePolicy removes the source. Refuse (default): the document is not moved. Allow: it is moved without them, and the row and the dry run say so.',
      ),
    jsonValues: z
      .enum(['Refuse', 'AsText'])
      .optional()
      .describe(
        'What happens to a value of OpenBao that is a JSON number, boolean, null, array or object, when the destination holds bytes only (Secrets, files). Refuse (default): the document is not moved, and its row names the key. AsText: the JSON text becomes the value. The way back stores that text as a string, so a sourcePolicy that removes the source also needs metadataLoss Allow.',
      ),
    path: withRules(
      z
        .string()
        .max(512)
        .default('{namespace}/{name}')
        .describe(
          'Path of a document below the prefix of the backend, in both directions. It contains {name} (name of the Secret) exactly once and, any number of times, {namespace} (namespace of this SecretMigration) and {label:x} (value of label x of the Secret; only when the source is Kubernetes and the destination has paths).',
        ),
      // With a message: a pattern would be all that the API server says of a part such as {nmae}.
      matching(PATH_TEMPLATE, PATH_PROBLEM),
      pathSegments('path must not start or end with a slash, or contain an empty, "." or ".." segment'),
    ),
  }),
  {
    rule: '!has(self.prefixes) || self.prefixes.all(entry, !has(entry.scope) || (has(self.scopes) && !entry.scope.contains(self.scopes.separator)))',
    message: SCOPE_PROBLEM,
    holds: ({ prefixes = [], scopes }) =>
      prefixes.every(
        ({ scope }) => scope === undefined || (scopes !== undefined && !scope.includes(scopes.separator)),
      ),
  },
);
