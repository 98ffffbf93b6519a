/** Where the pages of docs/ are published. The only place with this address; it names no version. */
const BASE = 'https://keyferry.io/docs/';

/** A page of docs/, and an anchor in it: `security/rbac.md#rights`. */
export type DocumentationPage = `${string}.md` | `${string}.md#${string}`;

/** The entry of a reason, in the page that `make generate` writes. */
export function pageOf(reason: string): DocumentationPage {
  return `reasons.md#${reason.toLowerCase()}`;
}

/**
 * The address of a page, for hints: a user has no copy of the repository. test/architecture/documentation.test.ts checks that
 * each page and anchor that the sources name exists.
 */
export function documentation(page: DocumentationPage): string {
  return BASE + page.replace('.md', '');
}
