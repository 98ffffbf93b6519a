import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import { helpText } from './help.ts';
import { loadConfig } from './load.ts';
import { nearestName } from './nearest-name.ts';
import { SETTINGS } from './schema.ts';

function refusal(argv: readonly string[], env: Record<string, string> = {}): OperatorError {
  try {
    loadConfig(argv, env);
  } catch (error) {
    if (error instanceof OperatorError) return error;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

describe('loadConfig', () => {
  describeSources();
  describeNamespaces();
  describeProblems();
});

function describeSources(): void {
  it('gives every setting its documented default', () => {
    expect(loadConfig([], {})).toEqual({
      serviceAccountDir: '/var/run/secrets/kubernetes.io/serviceaccount',
      kubernetesServicePort: 443,
      leaderElection: true,
      leaseName: 'keyferry-operator',
      slices: 1,
      healthBindAddress: ':8081',
      metricsSecure: false,
      metricsCertName: 'tls.crt',
      metricsCertKey: 'tls.key',
      logLevel: 'info',
      auditLog: 'off',
      tracingSamplePercent: 100,
      watchSecrets: true,
      concurrentMigrations: 4,
      concurrentDocuments: 32,
      allowInsecureHttp: false,
      audiencePrefix: 'keyferry.io/',
      allowApiServerAudience: false,
      allowBackendsInOwnNamespace: false,
      allowConnectTo: [],
      gracefulShutdownSeconds: 30,
      statusIntervalSeconds: 5,
      waitingRetrySeconds: 30,
      probeIntervalSeconds: 60,
    });
  });

  it('returns a frozen object', () => {
    expect(Object.isFrozen(loadConfig([], {}))).toBe(true);
  });

  it('reads --flag value, --flag=value and a switch alone', () => {
    const config = loadConfig(
      ['--log-level', 'debug', '--concurrent-migrations=7', '--allow-insecure-http', '--lease-name=other'],
      {},
    );
    expect(config).toMatchObject({
      logLevel: 'debug',
      concurrentMigrations: 7,
      allowInsecureHttp: true,
      leaseName: 'other',
    });
  });

  it.each([[['--leader-election=false']], [['--leader-election', 'false']]])(
    'turns a switch off by %j',
    (argv) => {
      expect(loadConfig(argv, {}).leaderElection).toBe(false);
    },
  );

  it('does not take the next flag for the value of a switch', () => {
    const config = loadConfig(['--allow-insecure-http', '--log-level', 'warn'], {});
    expect(config).toMatchObject({ allowInsecureHttp: true, logLevel: 'warn' });
  });

  it('prefers a flag over its variable, and the variable over the default', () => {
    const env = { KEYFERRY_LOG_LEVEL: 'error', KEYFERRY_CONCURRENT_DOCUMENTS: '8' };
    const config = loadConfig(['--log-level=debug'], env);
    expect(config).toMatchObject({ logLevel: 'debug', concurrentDocuments: 8 });
  });

  it('reads the host and port of the API from the variables that Kubernetes sets in every pod', () => {
    const env = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '6443' };
    expect(loadConfig([], env)).toMatchObject({
      kubernetesServiceHost: '10.0.0.1',
      kubernetesServicePort: 6443,
    });
  });

  it('reads a list of addresses and CIDRs, and no other', () => {
    const list = '127.0.0.0/8, ::1/128,10.0.0.1,';
    const { allowConnectTo } = loadConfig([`--allow-connect-to=${list}`], {});
    expect(allowConnectTo).toEqual(['127.0.0.0/8', '::1/128', '10.0.0.1']);
    for (const wrong of [
      'bao.example',
      '10.0.0.0/33',
      '::1/129',
      '10.0.0.0/8/8',
      '127.1',
      '10.0.0.0/',
      'fe80::1%a',
    ])
      expect(() => loadConfig([`--allow-connect-to=${wrong}`], {})).toThrow(
        '--allow-connect-to must be a comma-separated list of CIDRs or addresses',
      );
  });

  it('treats an empty variable as not set', () => {
    expect(loadConfig([], { KEYFERRY_LEASE_NAME: '' }).leaseName).toBe('keyferry-operator');
  });

  it('ignores the variables that Kubernetes sets for a Service named keyferry', () => {
    expect(() => loadConfig([], { KEYFERRY_PORT: 'tcp://10.0.0.2:8080' })).not.toThrow();
  });
}

function describeNamespaces(): void {
  it('reads a list of namespaces, each once, from a flag or a variable', () => {
    const namespaces = ['team-a', 'team-b'];
    expect(loadConfig(['--watch-namespaces=team-a, team-b,team-a'], {}).watchNamespaces).toEqual(namespaces);
    const env = { KEYFERRY_WATCH_NAMESPACES: 'team-a,team-b' };
    expect(loadConfig([], env).watchNamespaces).toEqual(namespaces);
    expect(loadConfig([], { KEYFERRY_WATCH_NAMESPACES: '' }).watchNamespaces).toBeUndefined();
  });

  it.each(['a,', ',a', 'a,,b', 'A', 'a.b', 'a b', '*', '-a', 'x'.repeat(64)])(
    'refuses %j as a list of namespaces, in one problem',
    (list) => {
      const { message } = refusal([`--watch-namespaces=${list}`]);
      expect(message).toContain('--watch-namespaces must be names of namespaces with commas between them.');
    },
  );
}

function describeProblems(): void {
  it('demands a certificate for --metrics-secure', () => {
    expect(refusal(['--metrics-secure']).message).toContain('--metrics-secure needs --metrics-cert-path');
    expect(refusal(['--slices=2', '--leader-election=false']).message).toContain(
      '--slices above 1 needs --leader-election',
    );
    expect(loadConfig(['--metrics-secure', '--metrics-cert-path=/tls'], {}).metricsSecure).toBe(true);
  });

  it('reports all problems in one error, by flag', () => {
    const error = refusal(
      [
        '--log-level=loud',
        '--concurrent-migrations',
        '0',
        '--kubeconfig',
        '--identity=a',
        '--identity=b',
        'x',
      ],
      { KEYFERRY_STATUS_INTERVAL_SECONDS: 'often' },
    );
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message).toContain('--log-level must be debug, info, warn or error');
    expect(error.message).toContain('--concurrent-migrations must be a whole number from 1 to 64');
    expect(error.message).toContain('--kubeconfig needs a value');
    expect(error.message).toContain('--identity is given twice');
    expect(error.message).toContain('argument 7 is not a flag');
    expect(error.message).toContain(
      '--status-interval-seconds (KEYFERRY_STATUS_INTERVAL_SECONDS) must be a whole number from 1 to 300',
    );
  });

  it('suggests the nearest flag for an unknown one and reports no other problem', () => {
    const error = refusal(['--log-levle', 'debug']);
    expect(error.message).toContain('--log-levle is not a flag; did you mean --log-level?');
    expect(error.message).not.toContain('argument');
  });

  it('suggests nothing for a flag that is not similar to any', () => {
    expect(refusal(['--color=blue']).message).toContain('--color is not a flag.');
  });

  it.each([':80800', '8080', 'host', ':', 'a b:1', ''])('refuses %j as an address to bind', (address) => {
    const { message } = refusal([`--metrics-bind-address=${address}`]);
    expect(message).toContain('--metrics-bind-address must be host:port or :port');
  });

  it.each([':0', '127.0.0.1:8080', '[::1]:8080', 'localhost:65535'])(
    'accepts %j as an address to bind',
    (address) => {
      expect(loadConfig([`--health-bind-address=${address}`], {}).healthBindAddress).toBe(address);
    },
  );

  it('accepts only an absolute path as the root of directories', () => {
    expect(loadConfig(['--directory-root=/var/lib/keyferry'], {}).directoryRoot).toBe('/var/lib/keyferry');
    for (const path of ['tokens', './tokens', '~/tokens'])
      expect(refusal([`--directory-root=${path}`]).message).toContain(
        '--directory-root must be an absolute path',
      );
  });

  it('never repeats a value that it refuses', () => {
    const flags = SETTINGS.map(({ flag }) => flag);
    const wrong = fc.stringMatching(/^hvs[.!]{3,9}$/);
    fc.assert(
      fc.property(fc.constantFrom(...flags), wrong, (flag, value) => {
        try {
          loadConfig([`--${flag}=${value}`], {});
        } catch (error) {
          expect(String(error)).not.toContain(value);
        }
      }),
    );
  });
}

describe('nearestName', () => {
  it('finds the name for a word with one missing letter', () => {
    const flags = SETTINGS.map(({ flag }) => flag);
    fc.assert(
      fc.property(fc.constantFrom(...flags), fc.nat(), (flag, position) => {
        const at = position % flag.length;
        expect(nearestName(flag.slice(0, at) + flag.slice(at + 1), flags)).toBe(flag);
      }),
    );
  });
});

describe('helpText', () => {
  it.each(SETTINGS.map((setting) => [setting.flag, setting] as const))('explains --%s', (flag, setting) => {
    expect(helpText()).toContain(`--${flag}`);
    expect(helpText()).toContain(setting.env);
    expect(setting.description).toMatch(/\.$/);
    if (setting.default !== undefined) expect(helpText()).toContain(`default ${setting.default}`);
  });

  it('fits into 100 columns', () => {
    expect(
      helpText()
        .split('\n')
        .filter((line) => line.length > 100),
    ).toEqual([]);
  });
});
