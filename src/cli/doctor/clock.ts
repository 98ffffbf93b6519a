import type { Examined, Finding } from './finding.ts';

/** This machine and the API server agree on the time. After other checks: their replies tell the time. */
export async function checkClock({ cluster }: Examined): Promise<readonly Finding[]> {
  const skewMs = cluster.serverTime.skewMs();
  const check = 'clock';
  if (skewMs === undefined)
    return [{ level: 'skipped', check, found: 'No reply of the API server had a time.' }];
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  if (!cluster.serverTime.differs())
    return [{ level: 'ok', check, found: 'The clock of this machine agrees with that of the API server.' }];
  const side = skewMs > 0 ? 'ahead of' : 'behind';
  return [
    {
      level: 'problem',
      check,
      found: `The clock of this machine is ${seconds} s ${side} that of the API server: ages are wrong, and tokens can count as expired.`,
      fix: 'sudo timedatectl set-ntp true',
    },
  ];
}
