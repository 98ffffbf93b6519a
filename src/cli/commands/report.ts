import type { Command } from 'commander';
import { withExamples, withGlobalFlags, type Carry } from '../declare.ts';

/** `report NAME` and `report verify FILE`. */
export function declareReport(program: Command, carry: Carry): void {
  const report = program
    .command('report')
    .argument('<name>', 'SecretMigration to report on')
    .description('Write the evidence of a SecretMigration: what became of every document, without values')
    .option('--html', 'one page for people: charts, and a table to filter and sort')
    .option('--json', 'JSON for programs')
    .option('-f, --file <path>', 'file to write to; it must not exist. Default: standard output');
  withExamples(withGlobalFlags(report), [
    ['One page to hand to an auditor', 'report payments --html -f payments.html'],
    ['The same for programs', 'report payments --json | jq .totals'],
    ['Check a report, without a cluster', 'report verify payments.html'],
  ]).action(
    carry(async ({ makeReport }, invocation, name, options) => {
      const { html, json, file } = flagsOf(options);
      return makeReport(invocation, String(name), {
        html: html === true,
        json: json === true,
        file: text(file),
      });
    }, load),
  );
  const verify = report
    .command('verify')
    .argument('<file>', 'report to check, HTML or JSON')
    .description('Check that an evidence report is as it was made, without a cluster')
    .option('--head <hash>', 'head of the chain that you kept when the report was made');
  withExamples(verify, [
    ['Check a report', 'report verify payments.html'],
    ['Check it against the head that you kept', 'report verify payments.html --head "$HEAD"'],
  ]).action(
    carry(async ({ verifyReport }, invocation, file, options) => {
      const { head } = flagsOf(options);
      return verifyReport(invocation, String(file), { head: text(head) });
    }, load),
  );
}

const load = async () => import('../report/report.ts');

function flagsOf(options: unknown): Readonly<Record<'html' | 'json' | 'file' | 'head', unknown>> {
  const none = { html: undefined, json: undefined, file: undefined, head: undefined };
  return typeof options === 'object' ? { ...none, ...options } : none;
}

function text(flag: unknown): string | undefined {
  return typeof flag === 'string' ? flag : undefined;
}
