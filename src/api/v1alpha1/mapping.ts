import { z } from 'zod';
import { exactlyOne, withRules } from '#src/schema/rules.ts';

/** What a document is called: the name of a Secret or file, or what stands for {name} in the path at the other side. */
export const DocumentNameSchema = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[^/]+(\/[^/]+)*$/, { error: 'must be one name, without a slash at its begin or end' });

/** What becomes of a source once its copy is proven. */
export const SourcePolicySchema = z.enum(['Keep', 'Delete', 'Backup', 'Project']);

/** Literals, `{namespace}` and `{label:x}` around exactly one `{name}`. */
const PATH_TEMPLATE =
  /^([A-Za-z0-9_.=@:+~,/-]|\{namespace\}|\{label:[A-Za-z0-9][A-Za-z0-9._/-]*\})*\{name\}([A-Za-z0-9_.=@:+~,/-]|\{namespace\}|\{label:[A-Za-z0-9][A-Za-z0-9._/-]*\})*$/;

/** Letters, digits and some signs: what names, prefixes and paths of the mapping may be made of. */
const NAME_TEXT = /^[A-Za-z0-9_.=@:+~,/-]*$/;
/** The same, around parts such as {id}. */
const NAME_PATTERN = /^([A-Za-z0-9_.=@:+~,/-]|\{[a-z][a-z0-9_]*\})+$/;

/** As the API server checks it; custom metadata has names of at most 128 bytes. */
const LABEL_KEY = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

const nameText = () =>
  z.string().max(253).regex(NAME_TEXT, { error: 'must be letters, digits and "/_.=@:+~,-"' });
const namePattern = () =>
  z
    .string()
    .min(1)
    .max(253)
    .regex(NAME_PATTERN, { error: 'must be letters, digits, "/_.=@:+~,-" and parts like {id}' });
const rulePolicy = () =>
  SourcePolicySchema.optional().describe(
    'What happens to the sources of this rule. Default: spec.sourcePolicy.',
  );

/** A scope that holds the separator could not be read back out of a name. */
const SCOPE_PROBLEM =
  'a scope needs mapping.scopes and must not hold its separator: nobody could tell where the scope ends';

const PrefixRuleSchema = withRules(
  z.object({
    from: nameText().min(1).describe('Begin of the old names.'),
    to: nameText().optional().describe('What is put before a name.'),
    scope: nameText()
      .min(1)
      .optional()
      .describe(
        'Instead of to: the scope, put before a name as scopes says. It must not hold the separator.',
      ),
    stripPrefix: z
      .boolean()
      .default(false)
      .describe('Take from off the old name first. Default: the whole old name stays.'),
    sourcePolicy: rulePolicy(),
  }),
  exactlyOne(['to', 'scope'], 'set exactly one of to and scope'),
);

export const MappingSchema = withRules(
  z.object({
    scopes: z
      .object({
        prefix: nameText().default('').describe('What every new name begins with, for example "__thv_".'),
        separator: nameText()
          .min(1)
          .max(8)
          .describe('What stands between the scope and the name, for example "_".'),
      })
      .optional()
      .describe('How prefixes with a scope make names: prefix, scope, separator, old name.'),
    prefixes: z
      .array(PrefixRuleSchema.describe('One begin of old names, and what their new names are.'))
      .max(64)
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional()
      .describe('New names by the begin of the old ones. Ordered: the first that matches decides.'),
    patterns: z
      .array(
        z
          .object({
            from: namePattern().describe('Form of the old names, for example "session:{id}".'),
            to: namePattern().describe('Form of the new names, for example "session:{id}:okta".'),
            sourcePolicy: rulePolicy(),
          })
          .describe('One form of old names, and the form of their new ones.'),
      )
      .max(64)
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional()
      .describe(
        'New names by the form of the old ones, after prefixes. A part is one or more characters, never "/" nor a sign that stands beside a part.',
      ),
    overrides: z
      .array(
        z
          .object({
            name: DocumentNameSchema.describe('Name of the document at the source.'),
            path: nameText()
              .min(1)
              .describe('Its whole address at the destination; mapping.path does not apply to it.'),
            sourcePolicy: rulePolicy(),
          })
          .describe('One document and where it goes.'),
      )
      .max(256)
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
      .optional()
      .describe('Single documents that go elsewhere, before all other rules.'),
    keys: z
      .array(
        z
          .object({
            from: namePattern().describe('Name of the key at the source, or its pattern with parts.'),
            to: namePattern().describe('Its name at the destination.'),
          })
          .describe('One key, or all of one pattern.'),
      )
      .max(64)
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional()
      .describe('New names of keys. Ordered: the first match decides; other keys keep their names.'),
    labels: z
      .array(
        z
          .string()
          .min(1)
          .max(128)
          .regex(LABEL_KEY, { error: 'must be the key of a label: a name, perhaps after a DNS name and "/"' })
          .describe('Key of a label.'),
      )
      .max(32)
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional()
      .describe(
        'Labels of a Secret that travel as custom metadata of the same name, both ways. Default: none. Between two stores of one kind all labels or custom metadata travel.',
      ),
    path: withRules(
      z
        .string()
        .max(512)
        .regex(PATH_TEMPLATE, {
          error: 'must be letters, digits, "/_.=@:+~,-", {namespace} and {label:x} around exactly one {name}',
        })
        .default('{namespace}/{name}')
        .describe(
          'Path of a document below the prefix of the path store, in both directions: text with {name} (of the Secret) exactly once and, as often as wanted, {namespace} (of this SecretMigration) and {label:x} (value of label x of the Secret; only from Kubernetes to a path).',
        ),
      {
        rule: "self.split('/').all(segment, segment != '' && segment != '.' && segment != '..')",
        message: 'path must not begin or end with a slash or hold an empty, "." or ".." segment',
        holds: (self) => self.split('/').every((segment) => !['', '.', '..'].includes(segment)),
      },
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
