import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_BACKEND_ANNOTATION } from '#src/api/group.ts';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { aKubernetesBackend, aMigration, aSecret } from '#test/builders/objects.ts';
import { kvData, pathOf, requestRun } from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';
import {
  applyClusterBackend,
  clusterBackend,
  deleteClusterBackend,
  patchClusterBackend,
  untilBackend,
} from '#test/support/cluster-backends.ts';
import type { Tenant } from '#test/support/tenant.ts';

const stage = useStage();
/** What config/ seeds. */
const SEEDED = 'kubernetes';
const SECOND = 'second';
const SECRETS_OF_EVERYBODY = { type: 'kubernetes', kubernetes: {}, allowedNamespaces: ['*'] };

/** Everything from the default backend to `bao`. */
function fromDefault(name: string, spec: Partial<SecretMigration['spec']> = {}) {
  const migration = aMigration(name, spec);
  const { source: _default, ...rest } = migration.spec;
  return { ...migration, spec: rest };
}

async function aTenantWith(password: string): Promise<Tenant> {
  const tenant = await stage().tenant();
  await tenant.apply(aSecret('db', { password }));
  return tenant;
}

async function askToBeDefault(name: string, value: 'true' | null): Promise<void> {
  const annotations = { [DEFAULT_BACKEND_ANNOTATION]: value };
  await patchClusterBackend(stage().cluster, name, { metadata: { annotations } });
}

const untilCluster = (name: string, reason: string) =>
  untilBackend(async () => clusterBackend(stage().cluster, name), reason);

function readyMessage(migration: SecretMigration): string | undefined {
  return migration.status.conditions?.find(({ type }) => type === 'Ready')?.message;
}

beforeEach(async () => {
  await untilCluster(SEEDED, 'Available');
});

describe('the default backend', () => {
  it('is the seeded one: a migration that names no source moves the Secrets of its own namespace', async () => {
    const [red, blue] = [await aTenantWith('of red'), await aTenantWith('of blue')];
    await red.apply(fromDefault('move', { sourcePolicy: 'Delete' }));
    const done = await red.untilReady('move', { reason: 'Completed' });

    expect(done.status.backends).toEqual({
      source: `ClusterSecretBackend/${SEEDED}`,
      destination: 'SecretBackend/bao',
    });
    expect(await kvData(red, pathOf(red, 'db'))).toEqual({ password: 'of red' });
    expect(await red.secret('db')).toBeUndefined();
    expect(await blue.secret('db')).toBeDefined();
  });

  it('can be the destination of the way back', async () => {
    const tenant = await aTenantWith('p');
    await tenant.apply(fromDefault('there', { sourcePolicy: 'Delete' }));
    await tenant.untilReady('there', { reason: 'Completed' });
    const { spec, ...back } = aMigration('back', { from: 'bao', select: { all: true } });
    const { destination: _default, ...rest } = spec;
    await tenant.apply({ ...back, spec: rest });
    await tenant.untilReady('back', { reason: 'Completed' });
    expect((await tenant.secret('db'))?.data).toEqual({ password: Buffer.from('p').toString('base64') });
  });

  it('cannot be both ends at once without new names', async () => {
    const tenant = await aTenantWith('p');
    const { spec, ...migration } = fromDefault('nowhere');
    const { destination: _default, ...rest } = spec;
    await expect(tenant.apply({ ...migration, spec: rest })).rejects.toThrow(
      'source and destination are the same backend',
    );
  });
});

describe('a second default', () => {
  beforeEach(async () => {
    await applyClusterBackend(stage().cluster, SECOND, { spec: SECRETS_OF_EVERYBODY, isDefault: true });
    stage().allowErrors(/DEFAULT_/);
  });
  afterEach(async () => {
    await askToBeDefault(SEEDED, 'true');
    await deleteClusterBackend(stage().cluster, SECOND);
    await untilCluster(SEEDED, 'Available');
  });

  it('is refused by name, and the older one stays the default', async () => {
    const refused = await untilCluster(SECOND, 'DefaultConflict');
    expect(refused.status).toBe('False');
    expect(refused.message).toBe(
      `The backend cannot be the default. ClusterSecretBackend ${SEEDED} is the default (${SECOND}). Remove the annotation keyferry.io/is-default-backend from it, or from the backend that is the default now. See https://keyferry.io/docs/reasons#defaultconflict.`,
    );
    const tenant = await aTenantWith('p');
    await tenant.apply(fromDefault('move'));
    const done = await tenant.untilReady('move', { reason: 'Completed' });
    expect(done.status.backends?.source).toBe(`ClusterSecretBackend/${SEEDED}`);
  });

  it('takes over when the older one steps down, but not for a migration that has begun', async () => {
    const tenant = await aTenantWith('p');
    await tenant.apply(fromDefault('old'));
    await tenant.untilReady('old', { reason: 'Completed' });
    await askToBeDefault(SEEDED, null);
    await untilCluster(SECOND, 'Available');

    await tenant.apply(fromDefault('new'));
    const done = await tenant.untilReady('new', { reason: 'Completed' });
    expect(done.status.backends?.source).toBe(`ClusterSecretBackend/${SECOND}`);

    const changed = await requestRun(tenant, 'old');
    expect(readyMessage(changed)).toBe(
      `The default backend changed since the migration started. The earlier default was ClusterSecretBackend/${SEEDED} (${SECOND}). Restore the earlier default, or create a new SecretMigration that names its backends. See https://keyferry.io/docs/reasons#defaultchanged.`,
    );
    await askToBeDefault(SEEDED, 'true');
    await tenant.untilReady('old', { reason: 'Completed' });
  });
});

describe('without any default', () => {
  beforeEach(async () => {
    await askToBeDefault(SEEDED, null);
  });
  afterEach(async () => {
    await askToBeDefault(SEEDED, 'true');
  });

  it('a migration that needs one says what to do, and goes on as soon as there is one', async () => {
    stage().allowErrors(/DEFAULT_MISSING/);
    const tenant = await aTenantWith('p');
    await tenant.apply(fromDefault('move'));
    const waiting = await tenant.untilReady('move', { status: 'False', reason: 'DefaultMissing' });
    expect(readyMessage(waiting)).toContain('annotate a ClusterSecretBackend');
    await askToBeDefault(SEEDED, 'true');
    await tenant.untilReady('move', { reason: 'Completed' });
  });
});

describe('a SecretBackend', () => {
  it('cannot be the default: it belongs to one namespace', async () => {
    stage().allowErrors(/DEFAULT_CONFLICT/);
    const tenant = await stage().tenant();
    const { metadata, ...backend } = aKubernetesBackend('mine');
    const annotations = { [DEFAULT_BACKEND_ANNOTATION]: 'true' };
    await tenant.apply({ ...backend, metadata: { ...metadata, annotations } });
    const refused = await untilBackend(async () => tenant.backend('mine'), 'DefaultConflict');
    expect(refused.message).toContain('Only a ClusterSecretBackend can be the default (');

    await tenant.mergePatch('SecretBackend', 'mine', {
      metadata: { annotations: { [DEFAULT_BACKEND_ANNOTATION]: null } },
    });
    await untilBackend(async () => tenant.backend('mine'), 'Available');
  });
});
