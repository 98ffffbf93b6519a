import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/** A line of the API server's audit log (audit.k8s.io/v1 Event), as far as tests read it. */
const AuditEvent = z.object({
  stage: z.string(),
  verb: z.string(),
  requestURI: z.string(),
  objectRef: z
    .object({
      resource: z.string().default(''),
      subresource: z.string().optional(),
      apiGroup: z.string().default(''),
      namespace: z.string().optional(),
      name: z.string().optional(),
    })
    .optional(),
  responseStatus: z.object({ code: z.number() }).optional(),
});
export type AuditEvent = z.output<typeof AuditEvent>;

const policyFile = (folder: string): string => join(folder, 'audit-policy.json');
const logFile = (folder: string): string => join(folder, 'data', 'audit.log');

/** Writes a policy that records the requests of one user without their bodies, and returns the flags of the API server for it. */
export function auditFlags(folder: string, user: string): Readonly<Record<string, string>> {
  const policy = {
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    // A watch has no end while it lives.
    omitStages: ['RequestReceived'],
    rules: [{ level: 'Metadata', users: [user] }, { level: 'None' }],
  };
  writeFileSync(policyFile(folder), JSON.stringify(policy));
  return { 'audit-policy-file': policyFile(folder), 'audit-log-path': logFile(folder) };
}

/** What the user sent so far, oldest first; a request that lasts is there twice. */
export function readAuditLog(folder: string): readonly AuditEvent[] {
  const lines = readFileSync(logFile(folder), 'utf8').trim().split('\n');
  return lines.filter((line) => line !== '').map((line) => AuditEvent.parse(JSON.parse(line)));
}
