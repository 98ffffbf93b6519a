import { z } from 'zod';
import type { Rule } from '#src/schema/rules.ts';

/*
 * One large migration in several pods (docs/adr/0077). Pods share no memory: what a process decides by what it knows of all documents,
 * or by locks that it holds, no pod can decide. So a migration that needs either is refused.
 */

/** Ranges, and so pods, of one migration. */
export const MOST_PODS = 64;

export const ParallelismSchema = z
  .object({
    pods: z
      .int()
      .min(2)
      .max(MOST_PODS)
      .describe('Number of pods. Each moves the documents whose names have a hash in its range.'),
  })
  .describe(
    'For one very large migration: its documents are moved by the pods of a Job in the namespace of the operator. Needs an operator with --worker-template. Immutable. Requires mode Once, sourcePolicy Keep, a selection that is listed, and a mapping that gives no new names.',
  );

interface Spec {
  readonly parallelism?: unknown;
  readonly mode: string;
  readonly sourcePolicy: string;
  readonly undo?: boolean | undefined;
  readonly dryRun: boolean;
  readonly approval?: { readonly required?: boolean | undefined } | undefined;
  readonly select: { readonly names?: unknown };
  readonly source: { readonly fallback?: unknown };
  readonly mapping: {
    readonly path: string;
    readonly prefixes?: unknown;
    readonly patterns?: unknown;
    readonly overrides?: unknown;
    readonly segmentSeparator?: unknown;
    readonly join?: unknown;
    readonly split?: unknown;
  };
}

const RENAMES = ['prefixes', 'patterns', 'overrides', 'segmentSeparator', 'join', 'split'] as const;

/** What a spec with parallelism cannot have. */
export const PARALLELISM_RULES: readonly Rule<Spec>[] = [
  {
    rule: 'has(self.parallelism) == has(oldSelf.parallelism) && (!has(self.parallelism) || self.parallelism == oldSelf.parallelism)',
    message:
      'parallelism cannot be added, changed or removed, because it says which reports have the rows of a document: create a new SecretMigration',
  },
  {
    rule: "!has(self.parallelism) || (self.mode == 'Once' && self.sourcePolicy == 'Keep' && !(has(self.undo) && self.undo))",
    message:
      'parallelism requires mode Once, sourcePolicy Keep and no undo: pods do not share the locks of a removal. To remove the sources, create another SecretMigration without parallelism when this one has completed',
    holds: ({ mode, parallelism, sourcePolicy, undo }) =>
      parallelism === undefined || (mode === 'Once' && sourcePolicy === 'Keep' && undo !== true),
  },
  {
    rule: '!has(self.parallelism) || (!self.dryRun && !(has(self.approval) && has(self.approval.required) && self.approval.required))',
    message:
      'parallelism cannot be used with dryRun or approval.required: no process has the whole plan. Make the plan with another SecretMigration without parallelism',
    holds: ({ approval, dryRun, parallelism }) =>
      parallelism === undefined || (!dryRun && approval?.required !== true),
  },
  {
    rule: `!has(self.parallelism) || (!has(self.select.names) && !has(self.source.fallback) && !self.mapping.path.contains('{label:') && ${RENAMES.map((member) => `!has(self.mapping.${member})`).join(' && ')})`,
    message:
      'parallelism cannot be used with select.names, source.fallback, labels in mapping.path, and mapping.prefixes, patterns, overrides, segmentSeparator, join and split: two pods could give two documents one path. Remove them, or migrate without parallelism',
    holds: ({ mapping, parallelism, select, source }) =>
      parallelism === undefined ||
      (select.names === undefined &&
        source.fallback === undefined &&
        !mapping.path.includes('{label:') &&
        RENAMES.every((member) => mapping[member] === undefined)),
  },
];
