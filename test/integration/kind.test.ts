import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sharedCluster } from '#test/cluster/shared.ts';

const cluster = sharedCluster();
const ROOT = join(import.meta.dirname, '..', '..');
const KIND = join(ROOT, 'test', 'kind');
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'keyferry-kind-test-'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await cluster.dispose();
});

/** What the pinned kind says about a configuration on a machine whose Docker has no engine. */
function kindSays(config: string): string {
  const docker = join(folder, 'docker');
  writeFileSync(docker, '#!/bin/sh\necho "no engine" >&2; exit 1\n');
  chmodSync(docker, 0o755);
  const file = join(folder, 'cluster.yaml');
  writeFileSync(file, config);
  const args = ['tool', 'kind', 'create', 'cluster', '--name', 'keyferry-test', '--config', file];
  const go = execFileSync('which', ['go'], { encoding: 'utf8' }).trim();
  const { stderr } = spawnSync(go, args, {
    cwd: join(ROOT, 'test', 'cluster', 'kind'),
    encoding: 'utf8',
    env: { ...process.env, PATH: `${folder}:/usr/bin:/bin`, KIND_EXPERIMENTAL_PROVIDER: 'docker' },
  });
  return stderr;
}

describe('make kind', () => {
  it('has a configuration that the pinned kind reads, and kind would name a wrong field', () => {
    const config = readFileSync(join(KIND, 'cluster.yaml'), 'utf8');
    expect(kindSays(config.replace('nodes:', 'nodez:'))).toContain('field nodez not found');
    const reply = kindSays(config);
    expect(reply).toContain('no engine');
    expect(reply).not.toContain('decode');
  });

  it.each(['openbao.yaml', 'demo.yaml', 'workload.yaml', 'reader.yaml'])(
    '%s is accepted by the API server, without an unknown field',
    async (name) => {
      const namespace = await cluster.createNamespace('kind');
      const text = readFileSync(join(KIND, name), 'utf8')
        .replaceAll('OPENBAO_IMAGE', 'openbao')
        .replaceAll(/namespace: (openbao|payments)/g, `namespace: ${namespace}`)
        // The policy of the shared cluster allows only its own servers.
        .replaceAll('https://openbao.openbao.svc:8200', cluster.baoUrl);
      const { code, stdout, stderr } = await cluster.kubectl(
        ['apply', '--dry-run=server', '--validate=strict', '-f', '-'],
        { input: text },
      );
      expect(stderr).toBe('');
      expect(code).toBe(0);
      expect(stdout.trim().split('\n')).toHaveLength(text.split('\n---\n').length);
    },
  );

  it('without an engine says so, what to start, and what does the same without one', () => {
    const environment = {
      PATH: `${folder}:${join(ROOT, 'node_modules', '.bin')}:/usr/bin:/bin`,
      HOME: folder,
    };
    kindSays(''); // Writes the docker that fails.
    writeFileSync(join(folder, 'podman'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    // kind drives it as well, but `make image` does not build with it.
    writeFileSync(join(folder, 'nerdctl'), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
    const { status, stderr } = spawnSync('node', [join(KIND, 'kind.ts')], {
      env: environment,
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/No container engine answers[^]*Start one of them[^]*make demo/);
  });
});
