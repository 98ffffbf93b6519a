/** An entry of the sidebar, as VitePress has it. */
export interface SidebarItem {
  text: string;
  link?: string;
  collapsed?: boolean;
  items?: SidebarItem[];
}

/**
 * The sidebar: the sections and links of docs/README.md, in their order. So the list that a reader of the repository sees is
 * the only one. Throws if it has no section.
 */
export function readPages(list: string): SidebarItem[] {
  const sections = list.split(/^## /m).slice(1);
  if (sections.length === 0) throw new Error('docs/README.md has no section "## …": the sidebar would be empty');
  return sections.map((section) => {
    const [title = '', ...lines] = section.split('\n');
    return { text: title.trim(), collapsed: true, items: linksIn(lines.join('\n')) };
  });
}

/** Links to other pages; the rest (the chart, CONTRIBUTING) is not part of the site. */
function linksIn(text: string): SidebarItem[] {
  return [...text.matchAll(/\[([^\]]+)\]\(([^)]+)\.md\)/g)]
    .map(([, title = '', page = '']) => ({ title, page }))
    .filter(({ page }) => !page.startsWith('..'))
    .map(({ title, page }) => ({
      text: title.charAt(0).toUpperCase() + title.slice(1),
      link: `/${page.replace(/README$/, '')}`,
    }));
}
