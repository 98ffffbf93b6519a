import type { Given } from './scripted-session.ts';

/* SecretMigrations as an API server shows them, for tests of commands. */

const TIME = '2026-01-01T00:00:00Z';

/** The condition Ready, about generation 1. */
export function ready(status: 'True' | 'False' | 'Unknown', reason: string, message = `It is ${reason}.`) {
  return { type: 'Ready', status, reason, message, observedGeneration: 1, lastTransitionTime: TIME };
}

/** The condition Stalled, about generation 1. */
export function stalled(reason: string) {
  return { ...ready('True', reason), type: 'Stalled' };
}

/** A row of this document and key. */
export function row(name: string, key: string, more: object): object {
  return { name, key, lastTransitionTime: TIME, destination: { path: `shop/${name}` }, ...more };
}

/** A SecretMigration of the namespace shop. */
export function shownMigration(
  name: string,
  {
    metadata,
    spec,
    status,
  }: {
    readonly metadata?: object;
    readonly spec?: object;
    readonly status?: object;
  } = {},
): Given {
  return {
    kind: 'SecretMigration',
    metadata: { namespace: 'shop', creationTimestamp: TIME, ...metadata, name },
    spec: {
      source: { backendRef: { name: 'kubernetes' } },
      destination: { backendRef: { name: 'openbao' } },
      select: { all: true },
      ...spec,
    },
    status: { observedGeneration: 1, ...status },
  };
}
