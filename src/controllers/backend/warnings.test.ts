import { describe, expect, it } from 'vitest';
import type { BackendStatus } from '#src/api/v1alpha1/secret-backend.ts';
import type { Probe } from '#src/backends/driver.ts';
import { auditLogWarningOf } from '#src/backends/openbao/advisories.ts';
import { toConditions } from '../conditions.ts';
import { warningsOf } from './warnings.ts';

const SERVER = { product: 'OpenBao', version: '2.4.1' };
const PROBE: Probe = {
  server: SERVER,
  identity: 'a',
  capabilities: [],
  warning: auditLogWarningOf(SERVER) ?? '',
};

function statusWith(message: string): BackendStatus {
  const statements = [{ type: 'Ready', status: 'True', reason: 'Available', message }] as const;
  const conditions = toConditions(statements, [], { generation: 1, nowMs: 0 });
  return { observedGeneration: 1, conditions, identity: 'a' };
}

describe('the warning about a server', () => {
  it('is an event until the condition says it, and then no more', () => {
    expect(warningsOf(statusWith('It works.'), PROBE)).toEqual([
      { reason: 'KnownVulnerability', note: expect.stringContaining('CVE-2025-62705') },
    ]);
    expect(warningsOf(statusWith(`It works. ${PROBE.warning}`), PROBE)).toEqual([]);
  });

  it('is an event at the first probe', () => {
    const reasons = warningsOf({ observedGeneration: -1 }, PROBE).map(({ reason }) => reason);
    expect(reasons).toEqual(['KnownVulnerability']);
  });

  it('is absent for a server without one', () => {
    const { warning: _none, ...probe } = PROBE;
    expect(warningsOf(statusWith('It works.'), probe)).toEqual([]);
  });
});
