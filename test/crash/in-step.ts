import { aMigration, aSecret } from '#test/builders/objects.ts';
import { kvPut, pathOf } from '#test/support/queries.ts';
import type { RecordedRequest } from '#test/support/request-history.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { FIELD } from './documents.ts';
import { bytesOf, endsOf, NAME, type End } from './in-step-ends.ts';

/** Of each tenant. */
export const MIGRATION = 'sync';

/** A change that is followed or undone, in a migration that keeps one document in step. */
export interface Following {
  readonly name: string;
  readonly spec: NonNullable<Parameters<typeof aMigration>[1]>;
  /** Who writes before the migration is in step; `undefined`: it is the first copy that is cut off. */
  readonly planted: End;
  /** Where the change is made that starts the work. */
  readonly changed: End | undefined;
  /** Who leads: this end has the last word. */
  readonly leads: End;
  /**
   * Conflicts that are allowed if a user changes the document again after the operator was killed: its write to KV was not on
   * record (ADR 0055, "What remains"), or the user changes the end that follows by then.
   */
  readonly mayConflict?: readonly string[];
}

const SYNC = { mode: 'Sync', sync: { intervalSeconds: 5 } } as const;
const SELECT = { select: { names: [NAME] } };
const FROM_SECRETS = { ...SELECT, ...SYNC };
const FROM_PATHS = { from: 'bao', to: 'kubernetes', ...SELECT, ...SYNC };
const EITHER = { ...FROM_SECRETS, sync: { ...SYNC.sync, authority: 'Either' } } as const;
const PROJECTED = { ...FROM_SECRETS, sourcePolicy: 'Project' } as const;
const OVERWRITE = { conflictPolicy: 'Overwrite' } as const;

export const FOLLOWINGS: readonly Following[] = [
  {
    name: 'first copy to KV',
    spec: FROM_SECRETS,
    planted: 'secret',
    changed: undefined,
    leads: 'secret',
    mayConflict: ['DestinationDiffers'],
  },
  { name: 'first copy to a Secret', spec: FROM_PATHS, planted: 'path', changed: undefined, leads: 'path' },
  {
    name: 'projection',
    spec: PROJECTED,
    planted: 'secret',
    changed: undefined,
    leads: 'secret',
    mayConflict: ['DestinationDiffers', 'SourceEdited'],
  },
  {
    name: 'Secret to KV',
    spec: FROM_SECRETS,
    planted: 'secret',
    changed: 'secret',
    leads: 'secret',
    mayConflict: ['BothChanged'],
  },
  {
    name: 'KV to Secret',
    spec: FROM_PATHS,
    planted: 'path',
    changed: 'path',
    leads: 'path',
  },
  { name: 'KV to projected Secret', spec: PROJECTED, planted: 'secret', changed: 'path', leads: 'path' },
  {
    name: 'either, Secret to KV',
    spec: EITHER,
    planted: 'secret',
    changed: 'secret',
    leads: 'secret',
    mayConflict: ['BothChanged'],
  },
  { name: 'either, KV to Secret', spec: EITHER, planted: 'secret', changed: 'path', leads: 'path' },
  {
    name: 'restored Secret',
    spec: { ...FROM_PATHS, ...OVERWRITE },
    planted: 'path',
    changed: 'secret',
    leads: 'path',
  },
  {
    name: 'restored path',
    spec: { ...FROM_SECRETS, ...OVERWRITE },
    planted: 'secret',
    changed: 'path',
    leads: 'secret',
  },
];

/** One document that is kept in step, with all values that were written by a user. */
export class InStep {
  readonly tenant: Tenant;
  readonly following: Following;
  /** The last value at the end that leads. */
  wanted = '';
  /** What must be readable somewhere as long as no user replaces it at the end where it was written. */
  readonly #current = new Map<End, string>();
  readonly #overwritten: string[] = [];
  #edits = 0;

  constructor(tenant: Tenant, following: Following) {
    this.tenant = tenant;
    this.following = following;
  }

  get values(): readonly string[] {
    return [...this.#current.values(), ...this.#overwritten];
  }

  /** A user writes another value. Each is binary in a Secret, which costs KV a marker before the data. */
  async edit(end: End): Promise<void> {
    this.#edits += 1;
    const value = `${this.tenant.namespace} ${this.#edits}`;
    this.#current.set(end, value);
    if (end === this.following.leads) this.wanted = value;
    if (end === 'secret') await this.tenant.apply(aSecret(NAME, { [FIELD]: bytesOf(value) }));
    else await kvPut(this.tenant, pathOf(this.tenant, NAME), { [FIELD]: value });
  }

  async migrate(): Promise<void> {
    await this.tenant.apply(aMigration(MIGRATION, this.following.spec));
  }

  /** In step, before the change; nothing for a first copy. */
  async prepare(): Promise<void> {
    await this.edit(this.following.planted);
    this.wanted = this.values.at(-1) ?? '';
    if (this.following.changed === undefined) return;
    await this.migrate();
    await this.tenant.untilReady(MIGRATION, { status: 'True', reason: 'Synced' });
    // Both ends have it now, and it may be replaced at either.
    this.#current.clear();
    this.#current.set(this.following.leads, this.wanted);
  }

  async start(): Promise<void> {
    if (this.following.changed === undefined) await this.migrate();
    else await this.edit(this.following.changed);
  }

  /** The same user once more. What an operator has overwritten in between was not replaced by this edit. */
  async editAgain(): Promise<void> {
    const end = this.following.changed ?? this.following.planted;
    const before = this.#current.get(end);
    const isStill = (await endsOf(this.tenant))[end] === before;
    await this.edit(end);
    if (!isStill && before !== undefined) this.#overwritten.push(before);
  }

  /** A request of an operator that changes the document, what is kept of it, or the status that the next operator reads. */
  readonly isChange = ({ method, path }: RecordedRequest): boolean => {
    if (method === 'GET' || method === 'LIST') return false;
    const { mount, namespace } = this.tenant;
    if (path.startsWith(`/v1/${mount}/`)) return path.includes(`/${namespace}/`);
    const kinds = ['/api/v1', '/apis/keyferry.io/v1alpha1'];
    const isOurs = kinds.some((api) => path.startsWith(`${api}/namespaces/${namespace}/`));
    return isOurs && !path.includes('/secretbackends/');
  };
}
