import { z } from 'zod';
import type { Rule } from '#src/schema/rules.ts';

/*
 * A run that waits until a person approves its plan. The fields have no defaults in the schema, so that an earlier version can
 * read an object that does not use them (docs/contributing/release.md).
 */

/** `status.plan.digest` and `spec.approval.digest`: names one plan. */
export const PlanDigestSchema = z
  .string()
  .max(71)
  .regex(/^sha256:[0-9a-f]{64}$/, { error: 'must be a digest as status.plan.digest has it' });

export const ApprovalSchema = z
  .object({
    required: z
      .boolean()
      .optional()
      .describe(
        'True: the operator makes a plan, shows it in status and writes nothing until digest names that plan. To set it to false again, a user needs the verb approve on the migration.',
      ),
    digest: PlanDigestSchema.optional().describe(
      'The plan that is approved: the value of status.plan.digest. Exactly that plan is carried out; what changed since it was made is not (NeedsReplan). To set it, a user needs the verb approve on the migration.',
    ),
  })
  .describe(
    'Whether a person approves the plan of the migration before it is carried out, and which plan is.',
  );

interface ModeAndApproval {
  readonly mode: string;
  readonly approval?: { readonly required?: boolean | undefined } | undefined;
}

/** The changes that mode Sync follows are not known when a plan is made. */
export const APPROVAL_RULE: Rule<ModeAndApproval> = {
  rule: "self.mode != 'Sync' || !has(self.approval) || !has(self.approval.required) || !self.approval.required",
  message:
    'approval.required needs mode Once: approve the first copy in mode Once; then set mode Sync and approval.required false in one change, for which a user needs the verb approve',
  holds: ({ approval, mode }) => mode !== 'Sync' || approval?.required !== true,
};
