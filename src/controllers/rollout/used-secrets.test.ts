import { describe, expect, it } from 'vitest';
import { secretsUsedBy } from './used-secrets.ts';

function used(podSpec: unknown): readonly string[] {
  return [...secretsUsedBy(podSpec)];
}

const env = (name: string): object => ({
  name: 'PASSWORD',
  valueFrom: { secretKeyRef: { name, key: 'password' } },
});

describe('a pod uses a Secret', () => {
  it.each<readonly [where: string, podSpec: object]>([
    ['of a volume', { volumes: [{ name: 'v', secret: { secretName: 'db' } }] }],
    ['of an optional volume', { volumes: [{ name: 'v', secret: { secretName: 'db', optional: true } }] }],
    [
      'of a projected volume',
      { volumes: [{ projected: { sources: [{ configMap: {} }, { secret: { name: 'db' } }] } }] },
    ],
    ['of a variable', { containers: [{ env: [{ name: 'A', value: 'b' }, env('db')] }] }],
    [
      'of an environment',
      { containers: [{ envFrom: [{ configMapRef: { name: 'a' } }, { secretRef: { name: 'db' } }] }] },
    ],
    ['of a variable of an init container', { initContainers: [{ env: [env('db')] }] }],
    [
      'of the environment of an init container',
      { initContainers: [{ envFrom: [{ secretRef: { name: 'db' } }] }] },
    ],
    ['of a second container and twice', { containers: [{}, { env: [env('db'), env('db')] }] }],
  ])('%s', (_where, podSpec) => {
    expect(used(podSpec)).toEqual(['db']);
  });
});

describe('a pod uses no Secret', () => {
  it.each<readonly [what: string, podSpec: unknown]>([
    ['whose containers are ephemeral', { ephemeralContainers: [{ env: [env('db')] }] }],
    ['that only its image is pulled with', { imagePullSecrets: [{ name: 'db' }] }],
    [
      'that only the driver of a volume reads',
      { volumes: [{ csi: { nodePublishSecretRef: { name: 'db' } } }] },
    ],
    ['with the name of a ConfigMap', { containers: [{ envFrom: [{ configMapRef: { name: 'db' } }] }] }],
    [
      'with the name of a service account',
      { serviceAccountName: 'db', volumes: [{ configMap: { name: 'db' } }] },
    ],
    ['in a spec that is nothing', undefined],
    ['in a spec that is a text', 'db'],
  ])('%s', (_what, podSpec) => {
    expect(used(podSpec)).toEqual([]);
  });
});

it('a part that is not as expected hides no other part', () => {
  const podSpec = {
    volumes: [
      'x',
      null,
      { secret: 'a' },
      { secret: { secretName: 7 }, projected: { sources: [null, { secret: { name: 'tls' } }] } },
    ],
    containers: [null, { env: 'x', envFrom: [{ secretRef: {} }, { secretRef: { name: 'db' } }] }],
    initContainers: 7,
  };
  expect(used(podSpec)).toEqual(['tls', 'db']);
});
