/**
 * Writes what the bundle consists of, for `make sbom`: dist/sbom.spdx.json and dist/THIRD-PARTY.txt. An image has files
 * of its own, which also list Node and the C libraries.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readBundledPackages } from './bundled-packages.ts';
import { thirdPartyText } from './licenses.ts';
import { readProduct, sourceDateOf } from './product.ts';
import { componentOf, spdxOf } from './spdx.ts';

const ROOT = join(import.meta.dirname, '..', '..');

if (import.meta.main) {
  const product = readProduct(ROOT);
  const packages = readBundledPackages(ROOT);
  const subject = { name: `keyferry-${product.version}`, createdAtSeconds: sourceDateOf(ROOT) };
  const files = {
    'sbom.spdx.json': spdxOf(product, packages.map(componentOf), subject),
    'THIRD-PARTY.txt': thirdPartyText(packages),
  };
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(ROOT, 'dist', name), text);
    process.stdout.write(`dist/${name}: ${packages.length} packages\n`);
  }
}
