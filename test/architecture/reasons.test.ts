import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  CONDITION_REASONS,
  EVENT_REASONS,
  LEFT_OUT_REASONS,
  ROW_REASONS,
} from '#src/api/v1alpha1/conditions.ts';
import { NEXT_STEPS } from '#src/api/v1alpha1/next-steps.ts';
import { stepsFor } from '#src/api/v1alpha1/steps.ts';
import { toConditions } from '#src/controllers/conditions.ts';
import { failing, statementsOf } from '#src/controllers/migration/verdict.ts';
import { ERROR_CODES } from '#src/errors/codes.ts';
import { pageOf } from '#src/errors/documentation.ts';
import { OperatorError, type ErrorCode } from '#src/errors.ts';
import { reasonsPage } from '#src/generate/reasons.ts';

/* Each reason and each error code has one entry in docs/reasons.md, which says what to do; messages lead to it. */

const DOCS = join(import.meta.dirname, '../../docs');
const REASONS = [
  ...new Set(
    [CONDITION_REASONS, ROW_REASONS, EVENT_REASONS, LEFT_OUT_REASONS].flatMap((list) => Object.keys(list)),
  ),
];
const isErrorCode = (word: string): word is ErrorCode => Object.hasOwn(ERROR_CODES, word);
const CODES = Object.keys(ERROR_CODES).filter(isErrorCode);

const page = reasonsPage();
const entries = [...page.matchAll(/^### (.+)$/gm)].map(([, word = '']) => word);

describe('docs/reasons.md', () => {
  it('is what the sources make', () => {
    expect(readFileSync(join(DOCS, 'reasons.md'), 'utf8')).toBe(page);
  });

  it('has one entry for each reason and each code, and no other one', () => {
    expect(entries.toSorted()).toEqual([...REASONS, ...CODES.map((code) => `Code ${code}`)].toSorted());
  });

  it('has an anchor of its own for each entry', () => {
    const anchors = entries.map((entry) => entry.toLowerCase().replaceAll(' ', '-'));
    expect(new Set(anchors).size).toBe(entries.length);
    expect(REASONS.filter((reason) => !anchors.includes(pageOf(reason).replace('reasons.md#', '')))).toEqual(
      [],
    );
    const linked = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor = '']) => anchor);
    expect(linked.filter((anchor) => !anchors.includes(anchor))).toEqual([]);
  });

  it.each(REASONS)('says what to do about %s', (word) => {
    expect(stepsFor(word)).toBeDefined();
    for (const step of stepsFor(word) ?? []) expect(step).toMatch(/^[A-Z].*\.$/);
  });

  it('has no step for a reason that nothing says', () => {
    expect(Object.keys(NEXT_STEPS).filter((word) => !REASONS.includes(word))).toEqual([]);
  });
});

describe('a condition', () => {
  const about = { generation: 1, nowMs: 0 };

  it.each(CODES)(
    'that %s makes False leads to the entry of its reason, also if its message is long',
    (code) => {
      const error = new OperatorError(code, { op: 'test', target: 'x'.repeat(2_000) });
      for (const { message, reason } of toConditions(statementsOf(failing(error)), [], about)) {
        expect(message).toMatch(
          new RegExp(` See https://keyferry\\.io/docs/reasons#${reason.toLowerCase()}\\.$`),
        );
        expect(Buffer.byteLength(message)).toBeLessThanOrEqual(1024);
        expect(entries).toContain(reason);
      }
    },
  );

  it('that is True leads nowhere', () => {
    const statement = { type: 'Ready', status: 'True', reason: 'Completed', message: 'Done.' } as const;
    expect(toConditions([statement], [], about)[0]?.message).toBe('Done.');
  });

  it('that quotes a backend keeps the address of the cause only', () => {
    const message =
      'The backend is not Ready: it is sealed. See https://keyferry.io/docs/reasons#backendsealed.';
    const statement = { type: 'Ready', status: 'False', reason: 'BackendNotReady', message } as const;
    expect(toConditions([statement], [], about)[0]?.message).toBe(message);
  });
});
