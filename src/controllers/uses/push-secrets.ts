import { z } from 'zod';
import { LabelSelectorSchema } from '#src/api/v1alpha1/label-selector.ts';
import { selectorText } from '#src/core/label-selector.ts';

/** external-secrets.io (apis/externalsecrets/v1alpha1 PushSecret); what it pushes goes with the Secret if deletionPolicy is Delete. */
export const PUSH_SECRETS = { group: 'external-secrets.io', plural: 'pushsecrets' } as const;

const PushSecret = z.object({
  spec: z.object({
    deletionPolicy: z.string().nullish(),
    selector: z.object({
      secret: z.object({ name: z.string().nullish(), selector: z.unknown().optional() }).nullish(),
    }),
  }),
});

/** Which Secrets a PushSecret pushes and would delete elsewhere. */
export type Pushed =
  | { readonly name: string }
  | { readonly labelSelector: string }
  /** Nothing, or nothing that it deletes. */
  | 'nothing'
  /** A selector that cannot be read: it can be any Secret. */
  | 'anything';

export function pushedBy(object: unknown): Pushed {
  const parsed = PushSecret.safeParse(object).data;
  if (parsed === undefined) return 'anything';
  const { deletionPolicy, selector } = parsed.spec;
  if (deletionPolicy !== 'Delete') return 'nothing';
  const { secret } = selector;
  if (secret === null || secret === undefined) return 'nothing';
  if (typeof secret.name === 'string' && secret.name !== '') return { name: secret.name };
  const labels = LabelSelectorSchema.safeParse(secret.selector);
  return labels.success ? { labelSelector: selectorText(labels.data) } : 'anything';
}
