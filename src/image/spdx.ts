import type { BundledPackage } from './bundled-packages.ts';
import type { Product } from './product.ts';

/** What an SBOM lists beside the operator itself. */
export interface Component {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression, or NOASSERTION. */
  readonly license: string;
  /** Package URL (github.com/package-url/purl-spec). */
  readonly purl: string;
  /** `sha256` or `sha512`, and its hexadecimal digits. */
  readonly checksum?: { readonly algorithm: 'SHA256' | 'SHA512'; readonly value: string };
}

export function componentOf({ name, version, license, integrity }: BundledPackage): Component {
  const [algorithm, base64 = ''] = integrity.split('-');
  if (algorithm !== 'sha512') throw new Error(`the integrity of ${name} in package-lock.json is not sha512`);
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  const value = Buffer.from(base64, 'base64').toString('hex');
  return { name, version, license, purl, checksum: { algorithm: 'SHA512', value } };
}

/** An SPDX 2.3 document (spdx.github.io/spdx-spec/v2.3). The same input gives the same bytes. */
export function spdxOf(
  product: Product,
  components: readonly Component[],
  subject: { readonly name: string; readonly createdAtSeconds: number },
): string {
  const sorted = components.toSorted((a, b) => (a.purl < b.purl ? -1 : 1));
  const { name, version, license } = product;
  const own: Component = { name, version, license, purl: `pkg:generic/${name}@${version}` };
  const document = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: subject.name,
    documentNamespace: `https://keyferry.io/spdx/${subject.name}-${subject.createdAtSeconds}`,
    creationInfo: {
      created: new Date(subject.createdAtSeconds * 1000).toISOString().replace('.000Z', 'Z'),
      creators: [`Tool: ${name}-${version}`],
    },
    packages: [own, ...sorted].map(packageOf),
    relationships: [
      relationship('SPDXRef-DOCUMENT', 'DESCRIBES', idOf(own)),
      ...sorted.map((component) => relationship(idOf(own), 'CONTAINS', idOf(component))),
    ],
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

function packageOf(component: Component): object {
  const { name, version, license, purl, checksum } = component;
  return {
    SPDXID: idOf(component),
    name,
    versionInfo: version,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: license,
    copyrightText: 'NOASSERTION',
    ...(checksum === undefined
      ? {}
      : { checksums: [{ algorithm: checksum.algorithm, checksumValue: checksum.value }] }),
    externalRefs: [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl }],
  };
}

/** Letters, digits, dots and dashes are all that an id may have. */
function idOf({ purl }: Component): string {
  return `SPDXRef-${purl.replaceAll(/[^A-Za-z0-9.]+/g, '-')}`;
}

function relationship(from: string, relationshipType: string, to: string): object {
  return { spdxElementId: from, relationshipType, relatedSpdxElement: to };
}
