import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { arch, platform } from 'node:process';
import { dump } from 'js-yaml';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findBinaries } from '#test/cluster/binaries.ts';
import { OPENBAO_VERSION, openBaoArchive } from '#test/cluster/openbao.ts';
import { downloadProgram } from '#test/cluster/published.ts';
import { readTools } from '#test/cluster/tools.ts';

let folder: string;
let server: Server;
let origin: string;
/** What the server sends, by path; a shorter body than its length ends the connection. */
let files: Map<string, { body: Buffer; length?: number }>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'keyferry-published-'));
  files = new Map();
  server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  origin = `http://127.0.0.1:${address.port}`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

function answer(incoming: IncomingMessage, reply: ServerResponse): void {
  const file = files.get(incoming.url ?? '');
  if (file === undefined) {
    reply.writeHead(404).end();
    return;
  }
  reply.writeHead(200, { 'content-length': file.length ?? file.body.length });
  if (incoming.method === 'HEAD') {
    reply.end();
    return;
  }
  reply.write(file.body, () => void (file.length === undefined ? reply.end() : reply.destroy()));
}

/** A tar.gz archive of scripts that print a line each. */
function archiveOf(programs: Readonly<Record<string, string>>, inside = ''): Buffer {
  const place = mkdtempSync(join(folder, 'archive-'));
  mkdirSync(join(place, inside), { recursive: true });
  for (const [name, line] of Object.entries(programs)) {
    writeFileSync(join(place, inside, name), `#!/bin/sh\necho "${line}"\n`, { mode: 0o755 });
  }
  const members = inside === '' ? Object.keys(programs) : [inside];
  return execFileSync('tar', ['-czf', '-', '-C', place, ...members]);
}

function digestOf(body: Buffer, algorithm = 'sha256'): string {
  return createHash(algorithm).update(body).digest('hex');
}

describe('a published archive', () => {
  const good = (): Buffer => archiveOf({ bao: 'OpenBao v2.6.2', LICENSE: 'text' });
  const download = async (sha256: string): Promise<string> => {
    const target = join(folder, 'bin', 'bao');
    await downloadProgram({ url: `${origin}/bao.tar.gz`, sha256, member: 'bao' }, target);
    return target;
  };
  const expectNothingLeft = (): void => expect(readdirSync(join(folder, 'bin'))).toEqual([]);

  it('with the pinned digest gives its program', async () => {
    const body = good();
    files.set('/bao.tar.gz', { body });
    const program = await download(digestOf(body));
    expect(execFileSync(program, { encoding: 'utf8' })).toBe('OpenBao v2.6.2\n');
    expect(readdirSync(join(folder, 'bin')), 'only the program').toEqual(['bao']);
  });

  it('that was tampered with is refused by its digest before anything of it is unpacked', async () => {
    files.set('/bao.tar.gz', { body: archiveOf({ bao: 'something else' }) });
    await expect(download(digestOf(good()))).rejects.toThrow('does not have the pinned SHA-256');
    expectNothingLeft();
  });

  it('that ends early is refused', async () => {
    const body = good();
    files.set('/bao.tar.gz', { body: body.subarray(0, body.length / 2), length: body.length });
    await expect(download(digestOf(body))).rejects.toThrow();
    expectNothingLeft();
  });

  it('without the program is refused', async () => {
    const body = archiveOf({ vault: 'another program' });
    files.set('/bao.tar.gz', { body });
    await expect(download(digestOf(body))).rejects.toThrow('bao');
    expectNothingLeft();
  });

  it('that the server does not have is refused with the status', async () => {
    await expect(download(digestOf(good()))).rejects.toThrow('answered 404');
  });

  it('of OpenBao is pinned for every system that the harness runs on', () => {
    expect(openBaoArchive({})?.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(openBaoArchive({})?.url).toContain(`/v${OPENBAO_VERSION}/openbao_${OPENBAO_VERSION}_${platform}_`);
  });
});

describe('a cluster without programs', () => {
  const minor = readTools().kubectl.envtestMinor;
  /** Records the tools that are built, and passes `go tool` on to the real Go. */
  const FAKE_GO =
    '[ "$1" = tool ] && exec "$REAL_GO" "$@"; for last; do :; done; echo "$last" >>"$BUILT"; ' +
    'while [ "$1" != "-o" ]; do shift; done; : >"$2"; chmod +x "$2"';

  function environment(): Record<string, string> {
    const path = join(folder, 'path');
    mkdirSync(path);
    writeFileSync(join(path, 'go'), `#!/bin/sh\n${FAKE_GO}\n`);
    chmodSync(join(path, 'go'), 0o755);
    for (const name of ['sh', 'chmod', 'tar', 'gzip', 'sleep']) {
      const real = execFileSync('which', [name], { encoding: 'utf8' }).trim();
      writeFileSync(join(path, name), `#!/bin/sh\nexec ${real} "$@"\n`, { mode: 0o755 });
    }
    return {
      PATH: path,
      HOME: process.env['HOME'] ?? folder,
      REAL_GO: execFileSync('which', ['go'], { encoding: 'utf8' }).trim(),
      BUILT: join(folder, 'built'),
      XDG_CACHE_HOME: join(folder, 'cache'),
      GOCACHE: execFileSync('go', ['env', 'GOCACHE'], { encoding: 'utf8' }).trim(),
      KEYFERRY_OPENBAO_RELEASES: origin,
      KEYFERRY_ENVTEST_INDEX: `${origin}/index.yaml`,
    };
  }

  function publishEnvtest(tamper: boolean): void {
    const system = `${platform}-${arch === 'x64' ? 'amd64' : arch}`;
    const name = `envtest-v${minor}.0-${system}.tar.gz`;
    const body = archiveOf(
      { etcd: 'etcd Version: 3.6.5', 'kube-apiserver': `Kubernetes v${minor}.0`, kubectl: `v${minor}.0` },
      'controller-tools/envtest',
    );
    const hash = digestOf(tamper ? Buffer.from('other bytes') : body, 'sha512');
    files.set(`/${name}`, { body });
    const release = { [name]: { hash, selfLink: `${origin}/${name}` } };
    const index = dump({ releases: { [`v${minor}.0`]: release } });
    files.set('/index.yaml', { body: Buffer.from(index) });
  }

  const built = (): readonly string[] =>
    existsSync(join(folder, 'built')) ? readFileSync(join(folder, 'built'), 'utf8').trim().split('\n') : [];

  it('takes etcd, the API server and kubectl from envtest, and builds the others', async () => {
    publishEnvtest(false);
    const own = environment();
    const binaries = await findBinaries(() => undefined, own);
    const release = new RegExp(`/envtest/k8s/${minor}\\.0-`);
    for (const program of [binaries.etcd, binaries.apiserver, binaries.kubectl])
      expect(program).toMatch(release);
    expect(built().map((name) => name.split('/').at(-1))).toEqual(['kube-controller-manager', 'kv-server']);
    server.closeAllConnections();
    server.close();
    expect(await findBinaries(() => undefined, own), 'the next run needs no network').toEqual(binaries);
  });

  it('builds what envtest and OpenBao publish with other bytes, and says why', async () => {
    publishEnvtest(true);
    const own = environment();
    const { url } = openBaoArchive(own) ?? { url: '' };
    files.set(new URL(url).pathname, { body: archiveOf({ bao: 'OpenBao v2.6.2' }) });
    const lines: string[] = [];
    const binaries = await findBinaries((line) => void lines.push(line), own);
    expect(binaries.kvProduct).toBe('vault');
    expect(built()).toHaveLength(5);
    expect(lines.join('\n')).toMatch(
      /OpenBao v[^\n]* not downloaded: [^\n]*does not have the pinned SHA-256/,
    );
    expect(lines.join('\n')).toMatch(/envtest [^\n]* not downloaded: [^]*checksum mismatch/);
  });

  it('asks no server when KEYFERRY_DOWNLOAD is no', async () => {
    const asked: string[] = [];
    server.on('request', ({ url }) => void asked.push(url ?? ''));
    await findBinaries(() => undefined, { ...environment(), KEYFERRY_DOWNLOAD: 'no' });
    expect(built()).toHaveLength(5);
    expect(asked).toEqual([]);
  });
});
