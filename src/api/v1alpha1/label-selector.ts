import { z } from 'zod';
import { matching, withRules, type Rule } from '#src/schema/rules.ts';

const MAX_MATCHES = 32;
/** A prefix of 253 characters, a slash and a name of 63. */
const MAX_LABEL_KEY = 317;
const MAX_LABEL_VALUE = 63;

/** A qualified name, as `IsQualifiedName` in k8s.io/apimachinery has it; the API server checks the length of its prefix. */
const LABEL_KEY =
  /^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]$/;
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;

const KEY_SYNTAX =
  'a label key must be at most 63 letters, digits, "-", "_" and ".", with a letter or digit at both ends, after an optional DNS name and "/"';

const LabelValueSchema = withRules(
  z.string().max(MAX_LABEL_VALUE),
  matching(
    LABEL_VALUE,
    'a label value must be letters, digits, "-", "_" and ".", with a letter or digit at both ends',
  ),
);

const KEYS_ARE_LABEL_KEYS: Rule<Readonly<Record<string, string>>> = {
  rule: `self.all(key, ${celMatches('key')})`,
  message: KEY_SYNTAX,
  messageExpression: `'the key "' + self.filter(key, !${celMatches('key')})[0] + '" is refused: ${KEY_SYNTAX}'`,
  holds: (labels) => Object.keys(labels).every((key) => key.length <= MAX_LABEL_KEY && LABEL_KEY.test(key)),
};

function celMatches(variable: string): string {
  return `${variable}.matches(r'${LABEL_KEY.source.replaceAll(String.raw`\/`, '/')}')`;
}

const ExpressionSchema = z.object({
  key: withRules(z.string().max(MAX_LABEL_KEY), matching(LABEL_KEY, KEY_SYNTAX)).describe(
    'Key of the label, for example "tier".',
  ),
  operator: z
    .enum(['In', 'NotIn', 'Exists', 'DoesNotExist'])
    .describe(
      'In: the label has one of the values. NotIn: it has none of them, or the Secret lacks it. Exists, DoesNotExist: whether the Secret has the label, with any value.',
    ),
  values: z
    .array(LabelValueSchema.describe('One value.'))
    .max(MAX_MATCHES)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .optional()
    .describe('Values for In and NotIn, at least one. Not for Exists and DoesNotExist.'),
});

const VALUES_AS_THE_OPERATOR: Rule<z.infer<typeof ExpressionSchema>> = {
  rule: "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
  message: 'In and NotIn need at least one of values; Exists and DoesNotExist have none',
  holds: ({ operator, values = [] }) => ['In', 'NotIn'].includes(operator) === values.length > 0,
};

/** metav1.LabelSelector, except that an empty one is refused: in Kubernetes it selects everything. */
export const LabelSelectorSchema = withRules(
  z.object(
    {
      matchLabels: withRules(
        z
          .record(z.string(), LabelValueSchema)
          .refine((labels) => Object.keys(labels).length <= MAX_MATCHES, {
            error: `must have at most ${MAX_MATCHES} labels`,
          })
          .meta({ maxProperties: MAX_MATCHES }),
        KEYS_ARE_LABEL_KEYS,
      )
        .optional()
        .describe('Labels that a Secret must have, for example {team: payments}.'),
      matchExpressions: z
        .array(withRules(ExpressionSchema, VALUES_AS_THE_OPERATOR).describe('One requirement.'))
        .max(MAX_MATCHES)
        .meta({ 'x-kubernetes-list-type': 'atomic' })
        .optional()
        .describe(
          'More requirements, for example {key: tier, operator: In, values: [web, api]}. A Secret must meet all of them.',
        ),
    },
    {
      error:
        'must be an object: instead of "team=payments", write {matchLabels: {team: payments}}; matchExpressions has the other operators',
    },
  ),
  {
    rule: '(has(self.matchLabels) && size(self.matchLabels) > 0) || (has(self.matchExpressions) && size(self.matchExpressions) > 0)',
    message:
      'labelSelector is empty: set matchLabels or matchExpressions; for every Secret, set select.all instead',
    holds: ({ matchLabels = {}, matchExpressions = [] }) =>
      Object.keys(matchLabels).length + matchExpressions.length > 0,
  },
);
