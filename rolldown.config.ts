import { readFileSync } from 'node:fs';
import { defineConfig, type Plugin } from 'rolldown';

/** The innermost package of a module's path. */
const PACKAGE = /^.*(?:^|\/)(node_modules\/(?:@[^/]+\/)?[^/]+)\//;

/** Writes packages.json beside the bundle: the folders of all packages whose code is in it. src/image reads it. */
function listPackages(): Plugin {
  return {
    name: 'list-packages',
    generateBundle(_options, bundle) {
      const modules = Object.values(bundle).flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []));
      const folders = modules.flatMap(
        (id) => PACKAGE.exec(id)?.[0].slice(`${process.cwd()}/`.length, -1) ?? [],
      );
      const source = `${JSON.stringify([...new Set(folders)].toSorted(), undefined, 2)}\n`;
      this.emitFile({ type: 'asset', fileName: 'packages.json', source });
    },
  };
}

/** Puts the launcher before the entry. A banner would be parsed as JavaScript, and its comments dropped. */
function prependLauncher(): Plugin {
  return {
    name: 'prepend-launcher',
    generateBundle(_options, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type === 'chunk' && file.isEntry)
          file.code = readFileSync('src/launch.sh', 'utf8') + file.code;
      }
    },
  };
}

export default defineConfig({
  input: 'src/main.ts',
  platform: 'node',
  // An optional dependency of cli-table3, for colors that we do not use: installed or not, the bundle is the same.
  external: [/^@colors\/colors/],
  plugins: [listPackages(), prependLauncher()],
  output: {
    format: 'esm',
    dir: 'dist',
    entryFileNames: 'keyferry.js',
  },
});
