import { expect, it } from 'vitest';
import { auditLogWarningOf } from './advisories.ts';

it.each([
  ['OpenBao', '2.4.1', 'CVE-2025-62705'],
  ['OpenBao', '2.4.2', 'CVE-2025-62513'],
  ['OpenBao', 'v2.3.10', 'CVE-2025-62705'],
  ['Vault', '1.13.0', 'CVE-2025-62705'],
  ['Vault', '1.20.4+ent', 'CVE-2025-62705'],
])('warns about the audit log of %s %s', (product, version, id) => {
  expect(auditLogWarningOf({ product, version })).toMatch(
    new RegExp(`^This version of ${product} .*${id}.*Update the server`),
  );
});

it.each([
  ['OpenBao', '2.4.3'],
  ['OpenBao', '2.6.2'],
  ['OpenBao', '10.0.0'],
  ['OpenBao', '2.0.0-HEAD'],
  ['Vault', '1.21.0'],
  ['Vault', '2.0.0+ent.hsm'],
  ['Kubernetes', '1.20.0'],
  ['Vault', '1.1\u001b.1'],
  ['Vault', ''],
])('says nothing about %s %j', (product, version) => {
  expect(auditLogWarningOf({ product, version })).toBeUndefined();
});
