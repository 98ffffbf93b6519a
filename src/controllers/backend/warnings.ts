import type { BackendStatus } from '#src/api/v1alpha1/secret-backend.ts';
import type { Probe } from '#src/backends/driver.ts';
import type { EventReason } from '#src/errors/reasons.ts';
import { readyOf } from '../conditions.ts';

interface Warning {
  readonly reason: EventReason;
  readonly note: string;
}

/** What a probe found that the status before it does not say yet: the events to record, each once. */
export function warningsOf(before: BackendStatus, { identity, warning }: Probe): readonly Warning[] {
  const warnings: Warning[] = [];
  if (before.identity !== undefined && before.identity !== identity) {
    const note =
      'The identity of the backend changed: it was replaced, restored or re-created. Check that the backend is the intended one.';
    warnings.push({ reason: 'IdentityChanged', note });
  }
  // The message of the condition has it from then on.
  if (warning !== undefined && readyOf(before)?.message.includes(warning) !== true) {
    warnings.push({ reason: 'KnownVulnerability', note: warning });
  }
  return warnings;
}
