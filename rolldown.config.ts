import { readFileSync } from 'node:fs';
import { defineConfig, type OutputChunk, type Plugin } from 'rolldown';

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

/** Replaces the text of each file of the bundle. */
function rewriteChunks(name: string, rewrite: (chunk: OutputChunk) => string): Plugin {
  return {
    name,
    generateBundle(_options, bundle) {
      for (const file of Object.values(bundle)) if (file.type === 'chunk') file.code = rewrite(file);
    },
  };
}

/** What an escape would change: a character that is escaped already, and one of a raw template. */
const NOT_ESCAPABLE = /\\[^\n -~]|String\.raw`[^`]*[^\n\t -~`]/;

/**
 * Escapes all that is not ASCII: because of one arrow in a message V8 keeps the text of its whole file in two bytes a character.
 * It is in strings, templates and regular expressions, where an escape means the same.
 */
function inAscii({ code }: OutputChunk): string {
  const found = NOT_ESCAPABLE.exec(code);
  if (found !== null) throw new Error(`cannot be written in ASCII: ${found[0]}`);
  return code.replaceAll(/[^\n\t -~]/g, escapeOf);
}

function escapeOf(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Of a chunk: the name of the whole module, the names of what is taken from it, and the module. */
const BUILTIN_IMPORT = /^import (?:(?:\* as )?([\w$]+))?(?:, )?(?:\{([^}]*)\})? from "(node:[^"]+)";$/gm;

/**
 * Takes Node's own modules without an import, which would read all that they export: node:http so loads Node's own fetch, and
 * node:fs its streams. The entry keeps its imports: an older Node must be able to run it.
 */
function takingBuiltins({ code, isEntry }: OutputChunk): string {
  return isEntry ? code : code.replaceAll(BUILTIN_IMPORT, declarationOf);
}

function declarationOf(
  _import: string,
  whole: string | undefined,
  names: string | undefined,
  id: string,
): string {
  const taken = `globalThis.process.getBuiltinModule("${id}")`;
  const declarations = [whole, names === undefined ? undefined : `{${names.replaceAll(' as ', ': ')}}`];
  return declarations.flatMap((name) => (name === undefined ? [] : [`const ${name} = ${taken};`])).join(' ');
}

/** Puts the launcher before the entry. A banner would be parsed as JavaScript, and its comments dropped. */
function launched({ code, isEntry }: OutputChunk): string {
  return isEntry ? readFileSync('src/launch.sh', 'utf8') + code : code;
}

export default defineConfig({
  input: 'src/main.ts',
  platform: 'node',
  // An optional dependency of cli-table3, for colors that we do not use: installed or not, the bundle is the same.
  external: [/^@colors\/colors/],
  plugins: [
    listPackages(),
    rewriteChunks('write-ascii', inAscii),
    rewriteChunks('take-builtins', takingBuiltins),
    rewriteChunks('prepend-launcher', launched),
  ],
  output: {
    format: 'esm',
    dir: 'dist',
    // The licenses are in THIRD-PARTY.txt.
    comments: false,
    entryFileNames: 'keyferry.js',
  },
});
