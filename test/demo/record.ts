import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pictureOf, recordingOf } from './picture.ts';

/*
 * Runs the demo on real servers and makes docs/pictures/demo.svg of what it prints: the picture in the documentation is a
 * recording, never a drawing.
 */

const SIZE = { columns: 112, rows: 24 };
const PAUSE_MS = 2_000;
/** The installation before it is long, and nothing to look at. */
const FIRST = '$ kubectl get secrets -n payments';
const FILE = join(import.meta.dirname, '../../docs/pictures/demo.svg');
/** Ports and folders of one run. */
const PASSING = [
  [/127\.0\.0\.1:\d+/g, '127.0.0.1:8200'],
  [/\/tmp\/[\w./-]+/g, '/tmp/keyferry'],
] as const;

const demo = spawn(process.execPath, [join(import.meta.dirname, 'demo.ts')], {
  stdio: ['ignore', 'pipe', 'inherit'],
  env: { ...process.env, KEYFERRY_KUBECTL: 'any' },
});
let output = '';
demo.stdout.setEncoding('utf8').on('data', (chunk: string) => {
  output += chunk;
  process.stdout.write(chunk);
});
const [code] = await once(demo, 'close');
if (code !== 0) throw new Error('the demo failed: there is nothing to show');
for (const [pattern, text] of PASSING) output = output.replaceAll(pattern, text);
const title = 'Keyferry moves 20 keys to OpenBao and back, and follows a rotation';
mkdirSync(join(FILE, '..'), { recursive: true });
const from = output.indexOf(FIRST);
if (from === -1) throw new Error(`the demo does not run ${FIRST}: say in record.ts where the picture begins`);
writeFileSync(FILE, pictureOf(recordingOf(output.slice(from), SIZE), { title, ...SIZE, pauseMs: PAUSE_MS }));
console.log(`\nwritten: ${FILE}`);
