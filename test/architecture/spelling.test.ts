import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';

/* The configuration of the spell checker that `make lint` runs: which files it reads, and what it refuses there. */

const ROOT = join(import.meta.dirname, '../..');
const CONFIG = 'cspell.config.yaml';

/* cspell:disable: wrong on purpose */
const WRONG: Readonly<Record<string, readonly [text: string, words: readonly string[]]>> = {
  'README.md': ['A labelled Secret has a colour.\n', ['labelled', 'colour']],
  'charts/keyferry/introduction.md': ['Intsall the chart.\n', ['Intsall']],
  'charts/keyferry/values.yaml': ['# How many replicsa run.\nreplicas: 1\n', ['replicsa']],
  'config/default/kustomization.yaml': ['# All of it, with the CRDs and the operater.\n', ['operater']],
  'docs/runbooks/page.md': [
    '## Diagnossis\n\n```sh\nkubectl get pods --namespcae x\n```\n',
    ['Diagnossis', 'namespcae'],
  ],
  'src/core/page.ts': [
    "/** Retruns it. */\nexport const maxRecieved = 'not proovable';\n",
    ['Retruns', 'Recieved', 'proovable'],
  ],
  'test/e2e/page.test.ts': ["it('keeps waht it found', () => {});\n", ['waht']],
};
/* cspell:enable */
const RIGHT = 'Keyferry reads a `SecretMigration` from the kube-apiserver; its finalizers stay.\n';

/** The words that cspell refuses, by file, with the configuration of the repository and these files. */
function refused(files: Readonly<Record<string, string>>): Readonly<Record<string, readonly string[]>> {
  const folder = mkdtempSync(join(tmpdir(), 'keyferry-spelling-'));
  try {
    cpSync(join(ROOT, CONFIG), join(folder, CONFIG));
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), text);
    }
    const args = ['lint', '--no-progress', '--no-summary'];
    const cspell = join(ROOT, 'node_modules/.bin/cspell');
    const { status, stdout } = spawnSync(cspell, args, { cwd: folder, encoding: 'utf8' });
    expect(status).toBe(1);
    const found = [...stdout.matchAll(/^(\S+?):\d.* word \(([^)]+)\)/gm)];
    return Object.fromEntries(
      Object.keys(files).map((name) => [
        name,
        found.filter(([, file]) => file === name).map(([, , word = '']) => word),
      ]),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

it('the spell checker refuses typos and British forms in every text that people read, and accepts our words', () => {
  const texts = Object.entries(WRONG).map(([file, [text]]) => [file, text]);
  const wanted = Object.entries(WRONG).map(([file, [, words]]) => [file, words]);
  expect(refused({ ...Object.fromEntries(texts), 'docs/right.md': RIGHT })).toEqual({
    ...Object.fromEntries(wanted),
    'docs/right.md': [],
  });
}, 60_000);

it('make lint runs the spell checker', () => {
  const recipe = /^lint:.*\n(?:\t.*\n)+/m.exec(readFileSync(join(ROOT, 'Makefile'), 'utf8'))?.[0];
  expect(recipe).toContain('\tcspell lint ');
});
