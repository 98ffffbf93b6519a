import type { BackendStatus } from '#src/api/v1alpha1/secret-backend.ts';
import { UNKNOWN_IDENTITY, type Probe } from '#src/backends/driver.ts';
import type { EventReason } from '#src/errors/reasons.ts';
import { readyOf } from '../conditions.ts';

interface Warning {
  readonly reason: EventReason;
  readonly note: string;
}

/** What a probe found that the status before it does not say yet: the events to record, each once. */
export function warningsOf(before: BackendStatus, { identity, warning }: Probe): readonly Warning[] {
  const warnings: Warning[] = [];
  if (before.identity !== undefined && ![before.identity, UNKNOWN_IDENTITY].includes(identity)) {
    const note =
      'The backend leads to another store than before, as its annotation or its spec says. Each soak starts again.';
    warnings.push({ reason: 'IdentityChanged', note });
  }
  // The message of the condition has it from then on.
  if (warning !== undefined && readyOf(before)?.message.includes(warning) !== true) {
    warnings.push({ reason: 'KnownVulnerability', note: warning });
  }
  return warnings;
}
