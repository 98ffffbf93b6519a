import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { z } from 'zod';
import { findTool } from '../binaries.ts';
import type { Report } from '../build.ts';
import { variableOf, type Tool } from '../tools.ts';

/** How Flux and Helm (kstatus) and Argo CD see an object. */
export interface Health {
  readonly kstatus: HealthVerdict;
  readonly argoCD: HealthVerdict;
}

export interface HealthVerdict {
  readonly status: string;
  readonly message: string;
}

export interface HealthQuestion {
  readonly object: unknown;
  /** The text of the health script for Argo CD. */
  readonly script: string;
}

const VerdictSchema = z.object({ status: z.string(), message: z.string() });
const AnswersSchema = z.array(z.object({ kstatus: VerdictSchema, argoCD: VerdictSchema }));

/** Finds the judge, or builds it: main.go beside this file, with the libraries that go.mod pins. */
export async function findHealthJudge(report: Report, environment = process.env): Promise<string> {
  return await findTool(healthTool(), report, environment);
}

/** The health of each object, in order. */
export async function healthOf(
  judge: string,
  questions: readonly HealthQuestion[],
): Promise<readonly Health[]> {
  const child = spawn(judge, { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify(questions));
  const [output] = await Promise.all([text(child.stdout), once(child, 'close')]);
  return AnswersSchema.parse(JSON.parse(output));
}

function healthTool(): Tool {
  const sources = ['main.go', 'go.mod'].map((name) => readFileSync(join(import.meta.dirname, name)));
  return {
    name: 'health',
    variable: variableOf('health'),
    moduleFolder: import.meta.dirname,
    packagePath: '.',
    // A change is built again.
    version: createHash('sha256').update(Buffer.concat(sources)).digest('hex').slice(0, 12),
    buildMinutes: 0.7,
    versionArguments: ['--version'],
    accepts: () => true,
    acceptable: 'the one of this folder',
    linkerFlags: [],
    notInPath: true,
  };
}
