import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tableOf } from '#test/support/sync-table.ts';

const record = readFileSync(join(import.meta.dirname, '../../docs/adr/0055-sync-has-a-base.md'), 'utf8');

describe('the decision table of ADR 0055', () => {
  it.each(['Source', 'Either'] as const)(
    'is what the code decides with authority %s',
    (authority) => {
      const tables = record.match(/^\| base \|.*\n(?:\|.*\n)+/gm) ?? [];
      expect(tables.map((table) => table.trimEnd())).toContain(tableOf(authority));
    },
    60_000,
  );
});
