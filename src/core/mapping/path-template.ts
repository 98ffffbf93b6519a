import { shortened } from '#src/errors/explain.ts';
import { OperatorError } from '#src/errors.ts';

/**
 * `mapping.path`: maps the name of a Secret to a path in a tree backend, and back. A closed grammar of literals,
 * `{namespace}`, `{name}` (exactly once) and `{label:key}`. There is no template engine, so nothing can be executed
 * or looked up (external-secrets CVE-2026-22822, CVE-2026-34984).
 */
export interface PathTemplate {
  /** The folder of every rendered path: the literal segments before the first variable one. */
  readonly folder: string;
  /** True when each path determines its name, so that the template works in both directions. */
  readonly reversible: boolean;
  /** The path of a name; `missingLabel` when a required label is absent or empty. */
  toPath(name: string, labels: Readonly<Record<string, string>>): RenderedPath;
  /** The name for this path, or undefined when the path does not match the template. */
  toName(path: string): string | undefined;
}

export type RenderedPath = { readonly path: string } | { readonly missingLabel: string };

type Part =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'name' }
  | { readonly kind: 'label'; readonly key: string };

/** Bytes of an unknown part in a message. */
const MAX_SHOWN = 40;
const PLACEHOLDER = /\{([^{}]*)\}/g;

function invalid(detail: string): OperatorError {
  return new OperatorError('SPEC_INVALID', { op: 'mapping.compile', target: 'spec.mapping.path', detail });
}

function placeholderPart(body: string, namespace: string): Part {
  if (body === 'namespace') return { kind: 'literal', text: namespace };
  if (body === 'name') return { kind: 'name' };
  if (body.startsWith('label:') && body.length > 'label:'.length) {
    return { kind: 'label', key: body.slice('label:'.length) };
  }
  throw invalid(
    `{${shortened(body, MAX_SHOWN)}} is not a part of a path; use {namespace}, {name} or {label:key}.`,
  );
}

function parseParts(template: string, namespace: string): readonly Part[] {
  const parts: Part[] = [];
  let end = 0;
  for (const match of template.matchAll(PLACEHOLDER)) {
    if (match.index > end) parts.push({ kind: 'literal', text: template.slice(end, match.index) });
    parts.push(placeholderPart(match[1] ?? '', namespace));
    end = match.index + match[0].length;
  }
  if (end < template.length) parts.push({ kind: 'literal', text: template.slice(end) });
  for (const part of parts) {
    if (part.kind === 'literal' && /[{}]/.test(part.text)) throw invalid('Unbalanced brace.');
  }
  if (parts.filter((part) => part.kind === 'name').length !== 1) {
    throw invalid('The path must contain {name} exactly once.');
  }
  return parts;
}

/** Literal text before the first variable, cut to whole segments. */
function folderOf(parts: readonly Part[]): string {
  let text = '';
  for (const part of parts) {
    if (part.kind !== 'literal') break;
    text += part.text;
  }
  const slash = text.lastIndexOf('/');
  return slash < 0 ? '' : text.slice(0, slash);
}

function joinLiterals(parts: readonly Part[]): string {
  return parts.map((part) => (part.kind === 'literal' ? part.text : '')).join('');
}

/**
 * Compiles `template` for one namespace. Throws `SPEC_INVALID` for a template outside the grammar; the driver decides
 * whether its backend accepts a rendered path. With `nested`, a name may have several segments.
 */
export function compilePathTemplate(
  template: string,
  namespace: string,
  options: { readonly nested: boolean } = { nested: false },
): PathTemplate {
  const parts = parseParts(template, namespace);
  const at = parts.findIndex((part) => part.kind === 'name');
  const reversible = !parts.some((part) => part.kind === 'label');
  const before = joinLiterals(parts.slice(0, at));
  const after = joinLiterals(parts.slice(at + 1));
  return {
    folder: folderOf(parts),
    reversible,
    toPath(name, labels) {
      let path = '';
      for (const part of parts) {
        if (part.kind === 'literal') path += part.text;
        else if (part.kind === 'name') path += name;
        else {
          const label = labels[part.key];
          if (label === undefined || label === '') return { missingLabel: part.key };
          path += label;
        }
      }
      return { path };
    },
    toName(path) {
      if (!reversible || !path.startsWith(before) || !path.endsWith(after)) return undefined;
      if (path.length <= before.length + after.length) return undefined;
      const name = path.slice(before.length, path.length - after.length);
      return !options.nested && name.includes('/') ? undefined : name;
    },
  };
}
