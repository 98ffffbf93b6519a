import { parseSecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { Evidence } from '#src/cli/report/evidence.ts';
import { evidenceOf, type Observed } from '#src/cli/report/model.ts';
import type { KeyRow } from '#src/api/v1alpha1/key-rows.ts';
import { aMigration } from '#test/builders/objects.ts';

/** When the migration of the samples was created. */
const CREATED = '2026-11-27T10:00:00Z';
/** When its reports are made, and by which version. */
export const MAKING = { madeAt: '2026-11-27T12:00:00Z', version: '1.2.3' } as const;

/** A row of a proven copy, with these members instead. */
export function aRow(name: string, members: Partial<KeyRow> = {}): KeyRow {
  return {
    name,
    key: 'password',
    state: 'Verified',
    destination: { path: `payments/${name}`, version: '1', identity: '2026-11-27T10:00:30Z', created: true },
    source: { version: '812', identity: '6e1f7d0c-30e7-4b58-9a52-0a4dd1b6a0c1' },
    lastTransitionTime: '2026-11-27T10:00:30Z',
    ...members,
  };
}

interface Sample {
  readonly spec?: Parameters<typeof aMigration>[1];
  readonly status?: object;
  readonly metadata?: object;
  readonly rows?: readonly KeyRow[];
  readonly isComplete?: boolean;
}

/** What the API server has of a migration that ended with these rows: its numbers fit to them unless a test says others. */
export function observedWith({
  spec,
  status,
  metadata,
  rows = [],
  isComplete = true,
}: Sample = {}): Observed {
  const documents = new Set(rows.map(({ name }) => name)).size;
  const object = {
    ...aMigration('payments', spec),
    metadata: {
      name: 'payments',
      namespace: 'shop',
      uid: '0b7b4a0c-5a62-4a9c-8f5f-2f1b8e7b9d11',
      resourceVersion: '4711',
      generation: 2,
      creationTimestamp: CREATED,
      ...metadata,
    },
    status: {
      observedGeneration: 2,
      documents,
      inventory: { discovered: documents, selected: documents },
      startTime: '2026-11-27T10:00:05Z',
      ...status,
    },
  };
  const parsed = parseSecretMigration(object);
  if (!parsed.ok) throw new Error(parsed.problems.join('; '));
  return { migration: parsed.value, raw: object, rows, isComplete, backends: [] };
}

/** A report of these rows. */
export function evidenceWith(sample: Sample): Evidence {
  return evidenceOf(observedWith(sample), MAKING);
}

/** A report with a bit of everything, for people to look at: `keys` rows over one and a half hours. */
export function aLargeReport(keys: number): Evidence {
  const names = ['db', 'smtp', 'webhook', 'tls', 'bearer-token', 'registry'];
  const rows = Array.from({ length: keys }, (_, index): KeyRow => {
    const name = `${names[index % names.length]}-${String(index).padStart(5, '0')}`;
    const seconds = Math.floor((index / keys) * 5400);
    const lastTransitionTime = new Date(Date.parse(CREATED) + seconds * 1000)
      .toISOString()
      .replace('.000', '');
    return aRow(name, { lastTransitionTime, ...unusual(index, name) });
  });
  const observed = observedWith({
    rows,
    spec: { sourcePolicy: 'Keep' },
    status: {
      inventory: {
        discovered: keys + 14,
        selected: keys,
        leftOut: [
          { reason: 'Excluded', documents: 12 },
          { reason: 'ExcludedType', documents: 2 },
        ],
      },
      operatorVersion: '1.2.3',
      completionTime: '2026-11-27T11:30:05Z',
      destinationStore: 'e1c3a6c2-91ad-48b5-9a5e-5b5b21c4d0f7 kv_5c1bd5f2 payments/',
      conditions: [
        {
          type: 'Ready',
          status: 'False',
          reason: 'PartiallyFailed',
          message: 'Some keys could not be moved.',
          lastTransitionTime: '2026-11-27T11:30:05Z',
        },
      ],
    },
    metadata: {
      managedFields: [
        { manager: 'kubectl-create', operation: 'Update', time: CREATED, fieldsV1: { 'f:spec': {} } },
        {
          manager: 'keyferry',
          operation: 'Update',
          subresource: 'status',
          time: '2026-11-27T11:30:05Z',
          fieldsV1: { 'f:status': {} },
        },
      ],
    },
  });
  return evidenceOf({ ...observed, backends: BACKENDS }, MAKING);
}

function unusual(index: number, name: string): Partial<KeyRow> {
  if (index % 11 === 3)
    return { destination: { path: `payments/${name}`, version: '4', identity: 'i', created: false } };
  if (index % 17 === 5)
    return {
      state: 'Conflict',
      reason: 'DestinationDiffers',
      message:
        'The destination has other bytes in the same keys. Make source and destination equal, or exclude the document.',
    };
  if (index % 23 === 7) return { state: 'Skipped', reason: 'TrustRoot' };
  if (index % 29 === 9)
    return {
      state: 'Failed',
      reason: 'TooLarge',
      message: 'The document exceeds the size that the destination can store.',
    };
  if (index % 7 === 2)
    return { destination: { path: `payments/${name}`, version: '3', identity: 'i', priorVersion: '2' } };
  return {};
}

const BACKENDS: Observed['backends'] = [
  {
    side: 'source',
    kind: 'SecretBackend',
    name: 'kubernetes',
    uid: '7a0f3c7e-2a0e-4c1c-a7a8-13ad2a8f7d10',
    generation: 1,
    type: 'kubernetes',
    identity: '1f6a1c7a-2b13-4e4c-9d0c-f0c3a8e3a111',
  },
  {
    side: 'destination',
    kind: 'ClusterSecretBackend',
    name: 'openbao',
    uid: '2f86a7d6-8f2e-4a5b-9a0b-3e9e2c1a7a44',
    generation: 3,
    type: 'openbao',
    identity: 'e1c3a6c2-91ad-48b5-9a5e-5b5b21c4d0f7 kv_5c1bd5f2',
    place: 'https://openbao.openbao.svc:8200 secret',
    server: { product: 'OpenBao', version: '2.6.2' },
  },
];
