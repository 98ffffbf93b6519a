import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';

/*
 * The CRDs as a later release could have them: fields that this version does not know, another state of a row, and counts
 * that need not be there.
 */

type Json = Record<string, unknown>;

const text = { type: 'string', maxLength: 64 };

/** Every CRD of crds/, with the additions of a later release. */
export function nextCrds(): readonly unknown[] {
  const root = join(import.meta.dirname, '..', '..');
  return globSync('crds/*.yaml', { cwd: root }).map((file) => {
    const crd = load(readFileSync(join(root, file), 'utf8'));
    visit(crd, '');
    return crd;
  });
}

function visit(node: unknown, name: string): void {
  if (Array.isArray(node)) for (const item of node) visit(item, name);
  if (!isRecord(node)) return;
  extend(node, name);
  for (const [key, child] of Object.entries(node)) visit(child, key);
}

const ADDED: Readonly<Record<string, Json>> = {
  spec: { consent: text },
  status: { rollout: text },
  keys: { attempts: { type: 'integer' } },
  exceptions: { attempts: { type: 'integer' } },
  rows: { attempts: { type: 'integer' } },
  // Of a row, and of a spec as well.
  destination: { algorithm: text },
};

function extend(node: Json, name: string): void {
  const items = isRecord(node['items']) ? node['items'] : node;
  const { properties } = items;
  if (isRecord(properties)) Object.assign(properties, ADDED[name]);
  if (name === 'state' && Array.isArray(node['enum'])) node['enum'].push('Sealed');
  if (name === 'summary') delete node['required'];
}

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
