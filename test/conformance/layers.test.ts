import { describe, expect, it } from 'vitest';
import { audit } from '#src/backends/layers/audit.ts';
import { guard } from '#src/backends/layers/guard.ts';
import { withoutReserved } from '#src/backends/layers/reserved.ts';
import { BackendRegistry } from '#src/backends/registry.ts';
import { NAMESPACE, DirectoryFixture } from '#test/support/directory-fixture.ts';
import { aDirectory, bareDriver, type MakeDriver } from './directory-subject.ts';
import { aDocument, codeOf, presentIn } from '#test/support/documents.ts';
import { collect } from '#test/support/collect.ts';
import { describeDriver } from './driver-suite.ts';
import { accessorOf, allLayers, GUARD, KeptRecords, RESERVED } from './layers.ts';
import { permitted } from '#test/support/permit.ts';

const { signal } = new AbortController();
const kept = new KeptRecords();

const guarded: MakeDriver = (...args) => guard(bareDriver(...args), GUARD);
const gated: MakeDriver = (...args) => withoutReserved(bareDriver(...args), RESERVED, NAMESPACE);
const audited: MakeDriver = (...args) => audit(bareDriver(...args), kept, accessorOf(NAMESPACE));

/** The driver of the namespace in a ClusterSecretBackend with a flat store. */
const withAllLayers: MakeDriver = (fixture, { withoutRights, ...options }) => {
  const { factory } = fixture;
  const create: typeof factory.create = (definition) => {
    const driver = factory.create(definition);
    return withoutRights ? fixture.withoutRights(driver) : driver;
  };
  const registry = new BackendRegistry([{ kind: factory.kind, create }], allLayers(kept));
  const { spec, ...definition } = fixture.definition(options);
  return registry
    .open({ ...definition, spec: { ...spec, reservedPrefixes: RESERVED }, tenant: undefined })
    .for(NAMESPACE, accessorOf(NAMESPACE));
};

// `confine` needs a tree store: see confined.test.ts.
describeDriver(aDirectory('guarded directory', guarded));
describeDriver(aDirectory('gated directory', gated));
describeDriver(aDirectory('audited directory', audited));
describeDriver(aDirectory('directory with all layers', withAllLayers));

describe('a directory with all layers', () => {
  it('hides and refuses reserved names, and records each access', async () => {
    await using fixture = await DirectoryFixture.open();
    await fixture.put('sys_token', 'theirs');
    await fixture.put('token', 'ours');
    kept.records.length = 0;
    const driver = withAllLayers(fixture, {});
    expect(await collect(driver.list({ folder: '' }, signal))).toEqual([{ address: 'token' }]);
    expect(presentIn(await driver.read('token', signal)).fields.size).toBe(1);
    expect(await codeOf(driver.read('sys_token', signal))).toBe('NAME_RESERVED');
    expect(await codeOf(driver.write(aDocument('sys_a', { a: 'b' }), 'absent', permitted(signal)))).toBe(
      'NAME_RESERVED',
    );
    const { version } = presentIn(await driver.read('token', signal));
    const backup = await driver.backups?.retire('token', version, permitted(signal));
    expect(await driver.backups?.has('token', signal)).toBe(true);
    expect((await driver.backups?.get(backup ?? '', signal))?.fields.size).toBe(1);
    expect(kept.records.map(({ operation, path, outcome }) => `${operation} ${path} ${outcome}`)).toEqual([
      'read token present',
      'read sys_token NAME_RESERVED',
      'write sys_a NAME_RESERVED',
      'read token present',
      'backup token done',
      `read ${backup} present`,
      `read ${backup} present`,
    ]);
    expect(JSON.stringify(kept.records)).not.toContain('ours');
  });
});
