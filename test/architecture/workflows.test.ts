import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { load } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

const root = join(import.meta.dirname, '../..');

const Permissions = z.record(z.string(), z.enum(['read', 'write', 'none']));
const Step = z.looseObject({
  uses: z.string().optional(),
  run: z.string().optional(),
  with: z.record(z.string(), z.unknown()).default({}),
});
const Workflow = z.looseObject({
  permissions: Permissions,
  jobs: z.record(
    z.string(),
    z.looseObject({
      permissions: Permissions,
      'timeout-minutes': z.number(),
      steps: z.array(Step),
    }),
  ),
});

const workflows = globSync('.github/workflows/*', { cwd: root }).map((file) => {
  const text = readFileSync(join(root, file), 'utf8');
  return { name: basename(file, '.yaml'), text, content: Workflow.parse(load(text)) };
});
const jobs = workflows.flatMap(({ name, content }) =>
  Object.entries(content.jobs).map(([job, body]) => ({ job: `${name}/${job}`, ...body })),
);
const steps = jobs.flatMap(({ job, steps: all }) => all.map((step) => ({ job, ...step })));

/** What may only be done by the job that releases. */
const POWERS = ['packages', 'id-token', 'attestations', 'contents'];

describe('every workflow', () => {
  it('is read by this test', () => {
    expect(workflows.map(({ name }) => name).toSorted()).toEqual(['ci', 'kind', 'nightly', 'release']);
    expect(steps.length).toBeGreaterThan(20);
  });

  it('pins each action by a commit, and names its version beside it', () => {
    const used = workflows.flatMap(({ text }) => text.match(/^\s*(?:- )?uses: .*$/gm) ?? []);
    expect(used).toHaveLength(steps.filter(({ uses }) => uses !== undefined).length);
    const pinned = /uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/;
    expect(used.filter((line) => !pinned.test(line))).toEqual([]);
  });

  it('pins one version of each action', () => {
    const pins = new Map<string, Set<string>>();
    for (const { uses } of steps) {
      const [action, commit] = uses?.split('@') ?? [];
      if (action !== undefined && commit !== undefined)
        pins.set(action, (pins.get(action) ?? new Set<string>()).add(commit));
    }
    expect([...pins].filter(([, commits]) => commits.size > 1)).toEqual([]);
  });

  it('gives no permission to all jobs, and each job its own', () => {
    expect(workflows.filter(({ content }) => Object.keys(content.permissions).length > 0)).toEqual([]);
    const writers = jobs.filter(({ permissions }) => Object.values(permissions).includes('write'));
    expect(writers.map(({ job }) => job)).toEqual(['release/release']);
    expect(writers.map(({ permissions }) => Object.keys(permissions).toSorted())).toEqual([
      POWERS.toSorted(),
    ]);
  });

  it('leaves no token in a checkout, and puts no expression into a script', () => {
    const checkouts = steps.filter(({ uses }) => uses?.startsWith('actions/checkout@'));
    expect(checkouts.filter(({ with: options }) => options['persist-credentials'] !== false)).toEqual([]);
    expect(steps.filter(({ run = '' }) => run.includes('${{'))).toEqual([]);
  });

  it('runs only targets of the Makefile and scripts that exist', () => {
    const makefile = readFileSync(join(root, 'Makefile'), 'utf8');
    const targets = steps.flatMap(({ run = '' }) =>
      [...run.matchAll(/\bmake ([a-z-]+)/g)].map(([, target = '']) => target),
    );
    expect(targets.length).toBeGreaterThan(8);
    expect(targets.filter((target) => !makefile.includes(`\n${target}:`))).toEqual([]);
    const scripts = steps.flatMap(({ run = '' }) => run.match(/^\.[\w./-]+/gm) ?? []);
    expect(scripts).toContain('.ci/run');
    expect(scripts.filter((script) => !existsSync(join(root, script)))).toEqual([]);
  });
});

describe('the workflow of a release', () => {
  const jobOf = (name: string) =>
    jobs.filter(({ job }) => job === `release/${name}`).flatMap(({ steps: all }) => all);

  it('runs code of the repository and of npm only where nothing can be published', () => {
    const said = jobOf('release').map(({ run, uses }) => run ?? uses ?? '');
    expect(said.filter((text) => /\bmake\b|npm|node |checkout|cache/.test(text))).toEqual([]);
  });

  it('checks versions, changelog and CRDs with the full history before anything else', () => {
    for (const name of ['check', 'build']) {
      const [checkout, ...rest] = jobOf(name);
      expect(checkout?.with['fetch-depth']).toBe(0);
      expect(rest.find(({ run }) => run !== undefined)?.run).toMatch(/^make release-check VERSION=/);
    }
    expect(jobOf('check').some(({ run }) => run === '.ci/run')).toBe(true);
  });

  it('signs image and chart by digest, attests both and all files, and publishes the page last', () => {
    const said = jobOf('release').map(({ run, uses }) => run ?? uses ?? '');
    const scripts = said.join('\n');
    expect(scripts).toContain('cosign sign --yes --recursive "$IMAGE@$IMAGE_DIGEST"');
    expect(scripts).toContain('cosign sign --yes "$CHARTS/keyferry@$CHART_DIGEST"');
    expect(scripts).toContain('cosign attest --yes --type spdxjson');
    expect(said.filter((text) => text.startsWith('actions/attest-build-provenance@'))).toHaveLength(3);
    expect(said.at(-1)).toMatch(/^gh release create/);
  });

  it('has no secret but the token of the run, and shows it to no script that prints', () => {
    const { text = '' } = workflows.find(({ name }) => name === 'release') ?? {};
    const secrets = [...text.matchAll(/secrets\.(\w+)/g)].map(([, name]) => name);
    expect(new Set(secrets)).toEqual(new Set(['GITHUB_TOKEN']));
    expect(text).not.toMatch(/set -x|printenv|\benv$|ACTIONS_STEP_DEBUG/m);
  });
});
