import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MAX_REPORT_ROWS } from '#src/api/v1alpha1/secret-migration-report.ts';
import { MAX_ROW_KEYS } from '#src/api/v1alpha1/status-row.ts';
import { MAX_INLINE_ROWS, MAX_REPORTS } from '#src/api/v1alpha1/secret-migration.ts';
import { MAX_DOCUMENT_BYTES, MAX_FIELDS } from '#src/backends/directory/refusals.ts';
import { MAX_PARTS } from '#src/backends/layers/join.ts';
import { MAX_JOINED_BYTES } from '#src/backends/layers/joined-document.ts';
import { LISTING_LIMITS } from '#src/backends/listing-meter.ts';
import { REPLY_LIMITS } from '#src/backends/openbao/reply-limits.ts';
import { MAX_FIELDS_WHERE_COUNTED, MAX_STORED_BYTES } from '#src/backends/openbao/size.ts';
import { REPLY_LIMITS as API_SERVER } from '#src/kube/reply-reader.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/limits.md'), 'utf8');
const rows = page.split('\n').filter((line) => line.startsWith('| '));

function rowOf(beginning: string): string {
  const found = rows.filter((row) => row.startsWith(`| ${beginning}`));
  expect(found).toHaveLength(1);
  return found[0] ?? '';
}

const number = (value: number): string => value.toLocaleString('en');
const bytes = (value: number): string =>
  value % 2 ** 20 === 0 ? `${value / 2 ** 20} MiB` : `${value / 1024} KiB`;

describe('docs/limits.md', () => {
  it.each([
    ['OpenBao, Vault', MAX_STORED_BYTES],
    ['OpenBao, Vault', MAX_FIELDS_WHERE_COUNTED],
    ['directory', MAX_DOCUMENT_BYTES],
    ['directory', MAX_FIELDS],
    ['documents of a folder', MAX_PARTS],
    ['values of such a folder', MAX_JOINED_BYTES / 2 ** 20],
    ['rows in the status', MAX_INLINE_ROWS],
    ['rows of one SecretMigrationReport', MAX_REPORT_ROWS],
    ['keys in one row', MAX_ROW_KEYS],
    ['SecretMigrationReports of one migration', MAX_REPORTS],
    ['names: ', LISTING_LIMITS.entries],
    ['folders ', LISTING_LIMITS.folders],
    ['requests for pages', LISTING_LIMITS.pages],
    ['time, ', LISTING_LIMITS.ms / 60_000],
    ['characters of names', LISTING_LIMITS.characters / 2 ** 20],
  ])('has in the row "%s" the limit of the code, %d', (row, limit) => {
    expect(rowOf(row)).toMatch(new RegExp(`[| ]${number(limit)} `));
  });

  it.each([
    ['health, login', REPLY_LIMITS.small],
    ['capabilities of', REPLY_LIMITS.rights],
    ['a document, or', REPLY_LIMITS.document],
    ['a page of', REPLY_LIMITS.page],
    ['1,000 names with', REPLY_LIMITS.versions],
    ['a folder, from', REPLY_LIMITS.folder],
  ])('has in the row "%s" the limits of such a reply', (row, { maxBytes, maxTokens, maxDepth }) => {
    expect(rowOf(row)).toMatch(
      new RegExp(`\\| ${bytes(maxBytes)} \\| ${number(maxTokens)} \\| ${maxDepth} \\|$`),
    );
  });

  it('has the limits of a reply of the API server', () => {
    const { maxBytes, maxTokens, maxDepth } = API_SERVER;
    expect(page).toContain(
      `At most ${bytes(maxBytes)}, ${number(maxTokens)} parts and a depth of ${maxDepth}.`,
    );
  });
});
