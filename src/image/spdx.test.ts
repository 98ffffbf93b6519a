import { describe, expect, it } from 'vitest';
import { thirdPartyText } from './licenses.ts';
import { componentOf, spdxOf } from './spdx.ts';

const product = { name: 'keyferry', version: '1.2.3', license: 'Apache-2.0' };
const subject = { name: 'keyferry-1.2.3', createdAtSeconds: 86_400 };
const scoped = {
  name: '@scope/part',
  version: '4.5.6',
  license: 'MIT',
  integrity: `sha512-${Buffer.from('digest').toString('base64')}`,
  texts: ['Permission is granted'],
};

interface Document {
  readonly creationInfo: { readonly created: string };
  readonly packages: readonly { readonly SPDXID: string; readonly [member: string]: unknown }[];
  readonly relationships: readonly { readonly relatedSpdxElement: string }[];
}

function parsed(text: string): Document {
  const document: Document = JSON.parse(text);
  return document;
}

describe('the SBOM', () => {
  const text = spdxOf(product, [componentOf(scoped)], subject);

  it('names the operator and each part, with its package URL, license and digest', () => {
    expect(parsed(text).packages).toEqual([
      expect.objectContaining({ name: 'keyferry', versionInfo: '1.2.3', licenseDeclared: 'Apache-2.0' }),
      expect.objectContaining({
        name: '@scope/part',
        versionInfo: '4.5.6',
        licenseDeclared: 'MIT',
        checksums: [{ algorithm: 'SHA512', checksumValue: Buffer.from('digest').toString('hex') }],
        externalRefs: [expect.objectContaining({ referenceLocator: 'pkg:npm/%40scope/part@4.5.6' })],
      }),
    ]);
  });

  it('relates only what it lists, by ids of the allowed characters', () => {
    const { packages, relationships } = parsed(text);
    const ids = packages.map(({ SPDXID }) => SPDXID);
    for (const id of ids) expect(id).toMatch(/^SPDXRef-[A-Za-z0-9.-]+$/);
    expect(relationships.map(({ relatedSpdxElement }) => relatedSpdxElement)).toEqual(ids);
  });

  it('has the time of the source, and no other that would change from build to build', () => {
    expect(parsed(text).creationInfo.created).toBe('1970-01-02T00:00:00Z');
    expect(spdxOf(product, [componentOf(scoped)], subject)).toBe(text);
  });

  it('refuses a digest that it cannot name', () => {
    expect(() => componentOf({ ...scoped, integrity: 'sha1-AAAA' })).toThrow('@scope/part');
  });
});

describe('the text of licenses', () => {
  it('has the terms of each part, and says so where a part ships none', () => {
    const text = thirdPartyText([scoped, { ...scoped, name: 'bare', license: 'Unlicense', texts: [] }]);
    expect(text).toContain('@scope/part 4.5.6 (MIT)');
    expect(text).toContain('Permission is granted');
    expect(text).toContain('It ships no text of its license. Its package.json says: Unlicense');
  });
});
