import { aMigration } from '#test/builders/objects.ts';
import type { Cluster } from '#test/cluster/cluster.ts';
import { Tenant } from '#test/support/tenant.ts';
import { Entry, type Side } from './ledger.ts';

/** So many documents are there at the start; more join. */
const DOCUMENTS = 24;
/** The shortest that the API accepts. */
const INTERVAL_SECONDS = 5;
/** All that a run can write to one path: the history is what tells afterwards whether an edit got lost. */
const MAX_VERSIONS = 5_000;
const MIGRATION = 'sync';

/** One way to keep documents in step, in a namespace and a mount of its own. */
export interface Kind {
  readonly name: string;
  /** Where documents are created. */
  readonly origin: Side;
  /** Where a document that is at both sides is edited. */
  readonly editable: readonly Side[];
  /** The side that follows is edited too, and restored. */
  readonly hasDrift: boolean;
  readonly spec: NonNullable<Parameters<typeof aMigration>[1]>;
}

const SYNC = { mode: 'Sync', sync: { intervalSeconds: INTERVAL_SECONDS } } as const;
const FROM_PATHS = { from: 'bao', to: 'kubernetes', select: { all: true as const }, ...SYNC };

export const KINDS: readonly Kind[] = [
  { name: 'outward', origin: 'secret', editable: ['secret'], hasDrift: false, spec: SYNC },
  { name: 'inward', origin: 'path', editable: ['path'], hasDrift: false, spec: FROM_PATHS },
  {
    name: 'projected',
    origin: 'secret',
    editable: ['path'],
    hasDrift: false,
    spec: { ...SYNC, sourcePolicy: 'Project' },
  },
  {
    name: 'either',
    origin: 'secret',
    editable: ['secret', 'path'],
    hasDrift: false,
    spec: { ...SYNC, sync: { ...SYNC.sync, authority: 'Either' } },
  },
  {
    name: 'restored',
    origin: 'path',
    editable: ['path'],
    hasDrift: true,
    spec: { ...FROM_PATHS, conflictPolicy: 'Overwrite' },
  },
];

/** A kind with its tenant and its documents. */
export class Group {
  readonly kind: Kind;
  readonly tenant: Tenant;
  readonly entries: Entry[] = [];

  private constructor(kind: Kind, tenant: Tenant) {
    this.kind = kind;
    this.tenant = tenant;
  }

  static async create(cluster: Cluster, kind: Kind): Promise<Group> {
    const tenant = await Tenant.create(cluster);
    await cluster.bao('POST', `${tenant.mount}/config`, { max_versions: MAX_VERSIONS });
    const group = new Group(kind, tenant);
    for (let count = 0; count < DOCUMENTS; count += 1) group.join();
    return group;
  }

  /** One more document, which nothing was written of yet. */
  join(): Entry {
    const entry = new Entry(this.kind.name, `doc-${String(this.entries.length).padStart(3, '0')}`);
    this.entries.push(entry);
    return entry;
  }

  async start(): Promise<void> {
    await this.tenant.apply(aMigration(MIGRATION, this.kind.spec));
  }

  get migration(): string {
    return MIGRATION;
  }
}
