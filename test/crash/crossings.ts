import { aMigration, aSecret } from '#test/builders/objects.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { aDirectoryBackend, plantFiles, tokenFolderOf } from '#test/support/token-files.ts';
import { FIELD } from './documents.ts';
import type { Place, Values } from './observer.ts';
import { filesOf, secretsOf } from './places.ts';

const DOCUMENTS = 40;
const NUMBERS: readonly string[] = Array.from({ length: DOCUMENTS }, (_, index) => String(index));
const VALUES: Values = new Map(NUMBERS.map((number) => [number, Buffer.from(`value ${number}`)]));
/** Each of the two takes the value of the other for its copy, and removes its source. */
const POLICY = { sourcePolicy: 'Delete' } as const;

/** Two migrations, `there` and `back`, that each remove what the other one writes. */
export interface Crossing {
  readonly name: string;
  /** Creates every value at both ends. */
  plant(tenant: Tenant): Promise<void>;
  readonly migrations: readonly Parameters<Tenant['apply']>[0][];
  places(tenant: Tenant): readonly Place[];
}

export { VALUES as CROSSING_VALUES };

export const CROSSINGS: readonly Crossing[] = [
  {
    name: 'crossing-stores',
    plant: async (tenant) => {
      await plantSecrets(tenant, 'doc-');
      const files = [...VALUES].map(([number, value]) => [`doc-${number}`, value] as const);
      plantFiles(tokenFolderOf(tenant.cluster, tenant.namespace), Object.fromEntries(files));
      await tenant.apply(aDirectoryBackend({ trailingNewline: 'Keep' }));
    },
    migrations: [
      aMigration('there', { ...POLICY, from: 'kubernetes', to: 'files', ...flat('doc-') }),
      aMigration('back', { ...POLICY, from: 'files', to: 'kubernetes', ...flat('doc-') }),
    ],
    places: (tenant) => [secretsOf(tenant), filesOf(tenant)],
  },
  {
    name: 'crossing-names',
    plant: async (tenant) => {
      await plantSecrets(tenant, 'a-');
      await plantSecrets(tenant, 'b-');
    },
    migrations: [
      aMigration('there', { ...POLICY, from: 'kubernetes', to: 'kubernetes', ...renamed('a-', 'b-') }),
      aMigration('back', { ...POLICY, from: 'kubernetes', to: 'kubernetes', ...renamed('b-', 'a-') }),
    ],
    places: (tenant) => [secretsOf(tenant)],
  },
];

async function plantSecrets(tenant: Tenant, prefix: string): Promise<void> {
  const created = [...VALUES].map(async ([number, value]) =>
    tenant.apply(aSecret(`${prefix}${number}`, { [FIELD]: value })),
  );
  await Promise.all(created);
}

function flat(prefix: string) {
  return { select: { prefix }, mapping: { path: '{name}' } };
}

function renamed(from: string, to: string) {
  return {
    select: { prefix: from },
    mapping: { path: '{name}', prefixes: [{ from, to, stripPrefix: true }] },
  };
}
