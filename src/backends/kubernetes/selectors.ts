import type { ReadScope } from '../hints.ts';
import type { Selectors } from './api.ts';
import { MANAGED_BY_LABEL } from './labels.ts';
import { BACKUP_LABEL } from './marks.ts';
import { REFUSED_TYPES } from './refusals.ts';

/*
 * What lists of Secrets leave out at the server: what nobody selected need not be sent. Field selectors of Secrets know
 * metadata.name, metadata.namespace and type; all their terms must hold.
 */

/** Excludes Secrets of the types that are never moved. */
export const WITHOUT_REFUSED_TYPES = withoutTypes(REFUSED_TYPES);

/** Bytes of a selector in a URL, of which proxies accept 8 KiB with everything else in it. */
const MAX_SELECTOR_BYTES = 6_000;

/** The Secrets of which all that are selected are: no backups, and no type that is not selected. */
export function selectorsOf({ areOurs, labelSelector, withoutTypes: excluded = [] }: ReadScope): Selectors {
  const ours = areOurs === true ? [`${MANAGED_BY_LABEL}=keyferry`] : [];
  const selected = labelSelector === undefined || labelSelector === '' ? [] : [labelSelector];
  return {
    labelSelector: [...selected, ...ours, `${BACKUP_LABEL}!=true`].join(','),
    fieldSelector: [WITHOUT_REFUSED_TYPES, ...excluded.map(withoutType)].join(','),
  };
}

/** The same without these names; undefined if that is too long for a URL. */
export function withoutNames(selectors: Selectors, names: readonly string[]): Selectors | undefined {
  if (names.length === 0) return selectors;
  const terms = names.map((name) => `metadata.name!=${name}`);
  const fieldSelector = [selectors.fieldSelector ?? '', ...terms].filter((term) => term !== '').join(',');
  return encodeURIComponent(fieldSelector).length > MAX_SELECTOR_BYTES
    ? undefined
    : { ...selectors, fieldSelector };
}

function withoutTypes(types: readonly string[]): string {
  return types.map(withoutType).join(',');
}

/** Escaped as `fields.EscapeValue` of k8s.io/apimachinery does. */
function withoutType(type: string): string {
  return `type!=${type.replaceAll(/[\\,=]/g, String.raw`\$&`)}`;
}
