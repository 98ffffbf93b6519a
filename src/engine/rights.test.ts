import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Hook } from '#src/backends/memory/hooks.ts';
import { aWorld, runEngine, type EngineRun, type RunReport, type World } from '#test/support/engine-run.ts';

/*
 * Which rights a run asks for, and that a document without a right ends in the row that a question about it would have given,
 * also where only the refused request showed it (ADR 0072).
 */

type Denies = (verb: string, address: string) => boolean;

const NO_ONE: Denies = () => false;

/** A destination that refuses what `denies` says, and the rights that it was asked for. */
function asked(denies: Denies = NO_ONE): {
  readonly asked: string[];
  readonly run: Pick<EngineRun, 'at' | 'mayNot'>;
} {
  const questions: string[] = [];
  let isAsked = false;
  const during =
    (is: boolean): Hook =>
    ({ operation }) => {
      if (operation === 'denied') isAsked = is;
    };
  const destination = (verb: string, address: string): boolean => {
    if (isAsked) questions.push(`${verb} ${address}`);
    return denies(verb, address);
  };
  const hooks = { before: during(true), after: during(false) };
  return { asked: questions, run: { at: { destination: hooks }, mayNot: { destination } } };
}

function inFolders(folders: readonly string[], names: readonly string[]): World {
  const world = aWorld({ addressing: 'tree' });
  for (const folder of folders)
    for (const name of names) world.source.put(`ns/${folder}/${name}`, { k: 'v' });
  return world;
}

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];

/** The sources that are still there. */
const sourcesIn = ({ source }: World): readonly string[] =>
  source.addresses().filter((address) => source.textAt(address) !== undefined);

const changesIn = ({ log }: RunReport): readonly string[] =>
  log.filter((line) => /^(source|destination) (write|delete)/.test(line));

describe('a run asks', () => {
  it('for two documents of each folder that it writes to', async () => {
    const { asked: questions, run } = asked();
    await runEngine({ ...inFolders(['x', 'y'], NAMES), ...run });
    const ends = ['x/a', 'x/f', 'y/a', 'y/f'];
    expect(questions.toSorted()).toEqual(
      ends.flatMap((each) => [`create ns/${each}`, `read ns/${each}`]).toSorted(),
    );
  });

  it('for documents of few folders, where there are many', async () => {
    const { asked: questions, run } = asked();
    const folders = Array.from({ length: 200 }, (_, index) => `f${index}`);
    const result = await runEngine({ ...inFolders(folders, ['a', 'b']), ...run });
    expect(new Set(questions).size).toBe(32 * 4);
    expect([...result.outcomes.values()].every(({ state }) => state === 'Verified')).toBe(true);
  });

  it('for no document that it only reads', async () => {
    const { asked: questions, run } = asked();
    const world = inFolders(['x'], NAMES);
    for (const name of NAMES) world.destination.put(`ns/x/${name}`, { k: name === 'a' ? 'theirs' : 'v' });
    await runEngine({ ...world, ...run });
    expect(questions).toEqual([]);
  });

  it('for each document of a folder where one of them is denied, before anything is written', async () => {
    const { asked: questions, run } = asked((verb, at) => verb === 'create' && at.startsWith('ns/x/'));
    const result = await runEngine({ ...inFolders(['x', 'y'], NAMES), ...run });
    expect(changesIn(result).filter((line) => line.includes('ns/x/'))).toEqual([]);
    expect(result.log.filter((line) => line.startsWith('source read ns/x/'))).toEqual([]);
    for (const name of NAMES) {
      expect(questions).toContain(`create ns/x/${name}`);
      expect(result.outcomeOf(`x/${name}`)).toMatchObject({ state: 'Failed', reason: 'PermissionDenied' });
      expect(result.outcomeOf(`y/${name}`).state).toBe('Verified');
    }
    expect(questions.some((each) => each.endsWith('y/c'))).toBe(false);
  });

  it('for each document that lacked a right before, and writes nothing of it again', async () => {
    const { asked: questions, run } = asked((verb, at) => verb === 'create' && at === 'ns/x/c');
    const world = inFolders(['x'], NAMES);
    const first = await runEngine({ ...world, ...run });
    questions.length = 0;
    const again = await runEngine({ ...world, ...run, prior: first.rows });
    expect(questions).toEqual(['create ns/x/c']);
    expect(again.log.filter((line) => line.includes('write'))).toEqual([]);
    expect(again.outcomeOf('x/c').message).toBe(first.outcomeOf('x/c').message);
  });

  it('for each document, if it shows a plan', async () => {
    const { asked: questions, run } = asked((verb, at) => verb === 'create' && at === 'ns/x/c');
    const plan = await runEngine({ ...inFolders(['x'], NAMES), ...run, spec: { dryRun: true } });
    expect(questions.filter((each) => each.startsWith('create'))).toHaveLength(NAMES.length);
    expect(plan.outcomeOf('x/c')).toMatchObject({ state: 'Failed', reason: 'PermissionDenied' });
  });
});

describe('a right that is denied for one document in the midst of a folder', () => {
  it('to create is the row of the plan, and nothing of it is written', async () => {
    const mayNot = { destination: (verb: string, at: string) => verb === 'create' && at === 'ns/x/c' };
    const world = inFolders(['x'], NAMES);
    const plan = await runEngine({ ...world, mayNot, spec: { dryRun: true } });
    const run = await runEngine({ ...world, mayNot });
    const { message, reason, retry, state } = plan.outcomeOf('x/c');
    expect([state, reason]).toEqual(['Failed', 'PermissionDenied']);
    expect(run.outcomeOf('x/c')).toMatchObject({ message, reason, retry, state });
    expect(run.outcomeOf('x/b').state).toBe('Verified');
    expect(world.destination.addresses()).not.toContain('ns/x/c');
    expect(world.source.textAt('ns/x/c')).toEqual({ k: 'v' });
  });

  it('to overwrite is the row of the plan, and the value there stays', async () => {
    const mayNot = { destination: (verb: string, at: string) => verb === 'update' && at === 'ns/x/c' };
    const world = inFolders(['x'], NAMES);
    for (const name of NAMES) world.destination.put(`ns/x/${name}`, { k: 'theirs' });
    const spec = { conflictPolicy: 'Overwrite' };
    const plan = await runEngine({ ...world, mayNot, spec: { ...spec, dryRun: true } });
    const run = await runEngine({ ...world, mayNot, spec });
    const { message, reason, retry, state } = plan.outcomeOf('x/c');
    expect([state, reason]).toEqual(['Failed', 'PermissionDenied']);
    expect(run.outcomeOf('x/c')).toMatchObject({ message, reason, retry, state });
    expect(run.outcomeOf('x/b').state).toBe('Verified');
    expect(world.destination.textAt('ns/x/c')).toEqual({ k: 'theirs' });
  });

  it('to read is a copy that is not proven, and its source stays', async () => {
    const mayNot = { destination: (verb: string, at: string) => verb === 'read' && at === 'ns/x/c' };
    const world = inFolders(['x'], NAMES);
    const run = await runEngine({ ...world, mayNot, spec: { sourcePolicy: 'Delete' } });
    expect(run.outcomeOf('x/c')).toMatchObject({
      state: 'Copied',
      reason: 'PermissionDenied',
      message: 'The credentials may not read this document.',
    });
    expect(run.outcomeOf('x/b').state).toBe('Removed');
    expect(sourcesIn(world)).toEqual(['ns/x/c']);
  });

  it('to remove is a proven copy, and its source stays', async () => {
    const world = inFolders(['x'], NAMES);
    const mayNot = { source: (verb: string, at: string) => verb === 'delete' && at === 'ns/x/c' };
    const run = await runEngine({ ...world, mayNot, spec: { sourcePolicy: 'Delete' } });
    expect(run.outcomeOf('x/c')).toMatchObject({
      state: 'Verified',
      reason: 'PermissionDenied',
      message: 'The credentials may not delete this document.',
    });
    expect(sourcesIn(world)).toEqual(['ns/x/c']);
    expect(run.removed).toBe(NAMES.length - 1);
  });

  it('to remove for the first or last one holds back every copy of the folder that is denied', async () => {
    const world = inFolders(['x', 'y'], NAMES);
    const mayNot = { source: (verb: string, at: string) => verb === 'delete' && at.startsWith('ns/x/') };
    const run = await runEngine({ ...world, mayNot, spec: { sourcePolicy: 'Delete' } });
    expect(run.outcomeOf('x/c')).toMatchObject({ state: 'Failed', reason: 'PermissionDenied' });
    expect(sourcesIn(world)).toEqual(NAMES.map((name) => `ns/x/${name}`));
    expect(world.destination.addresses()).toEqual(NAMES.map((name) => `ns/y/${name}`));
  });
});

it('never shows a document as denied that is not, nor hides one that is', async () => {
  const verb = fc.constantFrom('create', 'read', 'delete');
  const address = fc.constantFrom(
    ...['x', 'y'].flatMap((folder) => NAMES.map((name) => `${folder}/${name}`)),
  );
  const rules = fc.array(fc.record({ verb, address }), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(rules, async (denied) => {
      const denies = (which: string, at: string): boolean =>
        denied.some((rule) => rule.verb === which && at === `ns/${rule.address}`);
      const world = inFolders(['x', 'y'], NAMES);
      const mayNot = {
        source: (which: string, at: string) => which === 'delete' && denies(which, at),
        destination: (which: string, at: string) => which !== 'delete' && denies(which, at),
      };
      const run = await runEngine({ ...world, mayNot, spec: { sourcePolicy: 'Delete' } });
      for (const [name, { reason, message, state }] of run.outcomes) {
        const missing = denied.filter((rule) => rule.address === name).map((rule) => rule.verb);
        expect([name, reason === 'PermissionDenied']).toEqual([name, missing.length > 0]);
        expect(state === 'Removed').toBe(missing.length === 0);
        if (missing.length > 0)
          expect(missing.map((each) => `The credentials may not ${each} this document.`)).toContain(message);
      }
      const kept = [...run.outcomes]
        .filter(([, { state }]) => state !== 'Removed')
        .map(([name]) => `ns/${name}`);
      expect(sourcesIn(world)).toEqual(kept.toSorted());
    }),
    { numRuns: 60 },
  );
});
