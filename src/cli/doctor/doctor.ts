import { DEFAULT_NAMESPACE } from '#src/app/clients.ts';
import { explain } from '#src/errors/explain.ts';
import { UserCluster } from '../cluster.ts';
import type { Invocation } from '../invocation.ts';
import type { Color, Output } from '../output.ts';
import { printObject } from '../backend/print.ts';
import { textOf, type TypedFlags } from '../typed-flags.ts';
import { checkAdmission } from './admission.ts';
import { checkBackends } from './backends.ts';
import { checkClock } from './clock.ts';
import { checkCrds } from './crds.ts';
import type { Check, Examined, Finding, Level } from './finding.ts';
import { checkMigrations } from './migrations.ts';
import { checkOperator } from './operator.ts';
import { checkQuota } from './quota.ts';
import { checkOperatorRights, checkOwnRights } from './rights.ts';
import { checkUses } from './uses.ts';
import { checkVersions } from './versions.ts';

/** In the order of the report. The clock is last: replies to the others tell the time. */
const CHECKS: readonly (readonly [string, Check])[] = [
  ['crds', checkCrds],
  ['operator', checkOperator],
  ["operator's rights", checkOperatorRights],
  ['uses of Secrets', checkUses],
  ['your rights', checkOwnRights],
  ['admission', checkAdmission],
  ['backends', checkBackends],
  ['migrations', checkMigrations],
  ['quota', checkQuota],
];

/** `doctor`: looks at everything that keyferry needs. Resolves with 1 if it found a problem. */
export async function runDoctor(invocation: Invocation, flags: TypedFlags): Promise<number> {
  await using cluster = await UserCluster.open(invocation);
  const findings = await diagnose({
    cluster,
    operatorNamespace: textOf(flags, 'namespaceOfOperator') ?? DEFAULT_NAMESPACE,
    version: invocation.version,
    clock: invocation.clock,
  });
  const problems = countOf(findings, 'problem');
  const { output } = invocation;
  const format = textOf(flags, 'output');
  if (format === 'json' || format === 'yaml') await printObject(output, { problems, findings }, format);
  else print(output, findings);
  return problems === 0 ? 0 : 1;
}

/** All findings, in the order of the checks. A check that fails is a finding, too: the others go on. */
export async function diagnose(examined: Examined): Promise<readonly Finding[]> {
  const server = await carriedOut('API server', checkVersions, examined);
  // Without an answer of the API server, every other check would say the same.
  if (server.some(({ level }) => level === 'problem')) return server;
  const found = await Promise.all(CHECKS.map(async ([name, check]) => carriedOut(name, check, examined)));
  return [...server, ...found.flat(), ...(await carriedOut('clock', checkClock, examined))];
}

async function carriedOut(name: string, check: Check, examined: Examined): Promise<readonly Finding[]> {
  try {
    return await check(examined);
  } catch (thrown) {
    if (examined.cluster.signal.aborted) throw thrown;
    return [{ level: 'problem', check: name, found: explain(thrown) }];
  }
}

const COLORS: Readonly<Record<Level, Color>> = {
  ok: 'green',
  warning: 'yellow',
  problem: 'red',
  skipped: 'dim',
};
const LEVEL_WIDTH = 'problem'.length;
const CHECK_WIDTH = "operator's rights".length;

function print(output: Output, findings: readonly Finding[]): void {
  for (const { level, check, found, fix } of findings) {
    const mark = output.paint(COLORS[level], level.padEnd(LEVEL_WIDTH));
    output.line(`${mark}  ${check.padEnd(CHECK_WIDTH)}  ${found}`);
    if (fix !== undefined) output.line(`${' '.repeat(LEVEL_WIDTH + CHECK_WIDTH + 4)}→ ${fix}`);
  }
  const counts = [
    counted(countOf(findings, 'problem'), 'problem'),
    counted(countOf(findings, 'warning'), 'warning'),
  ];
  output.line(`${counts.join(', ')}.`);
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function countOf(findings: readonly Finding[], level: Level): number {
  return findings.filter((finding) => finding.level === level).length;
}
