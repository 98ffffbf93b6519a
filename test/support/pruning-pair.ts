import { aWorld, runEngine, type EngineRun, type RunReport, type World } from './engine-run.ts';

type Options = Partial<Omit<EngineRun, 'spec'>> & {
  readonly spec?: { readonly sync?: object | undefined; readonly [field: string]: unknown };
};

/** What passes of a migration with `sync.prune: true` do with documents that were in step. */
export class PruningPair {
  readonly world: World;
  prior: RunReport['rows'] = [];
  readonly #options: Options;

  private constructor(world: World, options: Options) {
    this.world = world;
    this.#options = options;
  }

  /** The documents `d0` to `d<count - 1>`, in step. `leader`: Secrets (`Source`) or paths that Secrets follow. */
  static async of(
    count: number,
    { world = aWorld(), ...options }: Options & { readonly world?: World } = {},
  ): Promise<PruningPair> {
    const pair = new PruningPair(world, options);
    for (const name of namesTo(count)) world.source.put(pair.sourceOf(name), { k: `value of ${name}` });
    await pair.pass();
    return pair;
  }

  /** From paths that lead to Secrets that follow, which carry the mark in an annotation. */
  static async ofPaths(count: number, options: Options = {}): Promise<PruningPair> {
    const world = aWorld({ addressing: 'tree' }, { addressing: 'flat' });
    return PruningPair.of(count, { world, ...options });
  }

  async pass(more: Options = {}): Promise<RunReport> {
    const { spec, ...options } = { ...this.#options, ...more };
    const { sync, ...others } = { ...this.#options.spec, ...spec };
    const run = await runEngine({
      ...this.world,
      prior: this.prior,
      ...options,
      spec: { mode: 'Sync', ...others, sync: { prune: true, ...sync } },
    });
    this.prior = run.rows;
    return run;
  }

  async follow(...only: string[]): Promise<RunReport> {
    return this.pass({ only });
  }

  sourceOf(name: string): string {
    return this.world.source.traits.addressing === 'tree' ? `ns/${name}` : name;
  }

  destinationOf(name: string): string {
    return this.world.destination.traits.addressing === 'tree' ? `ns/${name}` : name;
  }

  removeSource(...names: readonly string[]): void {
    for (const name of names) this.world.source.remove(this.sourceOf(name));
  }

  /** How many of the documents the destination has. */
  get kept(): number {
    const { destination } = this.world;
    return destination.addresses().filter((address) => destination.textAt(address) !== undefined).length;
  }

  /** `state reason` of each row. */
  get states(): Readonly<Record<string, string>> {
    return Object.fromEntries(
      this.prior.map(({ name, reason, state }) => [name, [state, reason].filter(Boolean).join(' ')]),
    );
  }
}

export function namesTo(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `d${index}`);
}
